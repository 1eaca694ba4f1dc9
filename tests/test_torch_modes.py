"""The caller's torch modes change no bit of a drag, a picture or a number read from them, and stay as they are."""

import ast
import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from analytic import BlobGenerator
from generators.live import live_module
from generators.tiny import tiny_checkpoint as tiny_mobilestylegan
from generators.tiny import tiny_generator
from generators.tiny_stylegan2 import plain_config, tiny_checkpoint

import draggan_widget
from draggan_widget import (
    ConfigError,
    DragConfig,
    DragRecord,
    DragSession,
    Edit,
    Generator,
    Keep,
    drag,
    inspection,
    load_generator,
    load_latents,
    save_latents,
)
from draggan_widget.checkpoints import own_file
from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.generators.live import from_module
from draggan_widget.generators.mobilestylegan.generator import MobileStyleGAN
from draggan_widget.generators.stylegan2.generator import StyleGAN2
from draggan_widget.torch_modes import in_own_modes

STEPS = 3
Numbers = dict[str, np.ndarray]


@contextmanager
def grad_switched_off() -> Iterator[None]:
    before = torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    try:
        yield
    finally:
        torch.set_grad_enabled(before)


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def default_device(device: str) -> Iterator[None]:
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def all_at_once() -> Iterator[None]:
    with torch.inference_mode(), torch.autocast("cpu"), default_device("meta"), default_dtype(torch.float64):
        yield


MODES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "inference_mode": torch.inference_mode,
    "no_grad": torch.no_grad,
    "grad switched off": grad_switched_off,
    "autocast bfloat16": lambda: torch.autocast("cpu", torch.bfloat16),
    "autocast float16": lambda: torch.autocast("cpu", torch.float16),
    "default device meta": lambda: default_device("meta"),
    "default device cpu": lambda: default_device("cpu"),
    "default device that is not there": lambda: default_device("xpu"),
    "with device meta": lambda: torch.device("meta"),
    "default dtype float64": lambda: default_dtype(torch.float64),
    "default dtype bfloat16": lambda: default_dtype(torch.bfloat16),
    "deterministic": deterministic,
    "detect_anomaly": lambda: torch.autograd.set_detect_anomaly(True),
    "all at once": all_at_once,
}
USUAL = ("inference_mode", "autocast bfloat16", "all at once")  # the other modes take a minute
in_each_mode = pytest.mark.parametrize(
    "mode",
    [pytest.param(mode, id=name, marks=() if name in USUAL else pytest.mark.slow) for name, mode in MODES.items()],
)
CONFIG = plain_config()
LARGE = plain_config(channels=(8, 8, 6, 4, 4, 4, 4))  # 256 px: its last map is large enough to be folded


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("generators") / "tiny.safetensors"
    own_file.save(tiny_checkpoint(CONFIG), path)
    own_file.save(tiny_checkpoint(LARGE), path.with_name("large.safetensors"))
    return path


def edit_for(generator: Generator) -> Edit:
    side = generator.image_size[0]
    mask = np.zeros(generator.image_size, bool)
    mask[: side // 2] = True
    return Edit([(0.4 * side, 0.45 * side), (0.6 * side, 0.3 * side)], [(0.6 * side, 0.5 * side)] * 2, mask)


def config_for(generator: Generator) -> DragConfig:
    return DragConfig.for_generator(generator).replace(max_steps=STEPS, mean_removal=0.0)


def numbers(steps: Any) -> Numbers:
    found = list(steps)
    return {"ws": np.concatenate([step.ws.numpy() for step in found]), "handles": np.array([s.handles for s in found])}


# Doors: each takes a generator, and gives numbers


def dragged(generator: Generator) -> Numbers:
    return numbers(drag(generator, generator.ws_from_seed(3, 0.7), edit_for(generator), config_for(generator)))


def dragged_without_mask(generator: Generator) -> Numbers:
    edit = Edit(edit_for(generator).handles, edit_for(generator).targets)
    return numbers(drag(generator, generator.ws_from_seed(3, 0.7), edit, config_for(generator)))


def run_in_a_session(generator: Generator) -> Numbers:
    with DragSession(generator, 3, config=config_for(generator), keep=Keep(pictures=True, blocks=(2,))) as session:
        session.edit = edit_for(generator)
        session.step(1)
        session.run()
        found = numbers(session.record)
        found |= {"picture": session.current.pixels(), "kept": session.record[0].features(2).whole.numpy()}
        session.go_to(1)
        session.step(1)
        found["branch"] = session.ws.numpy()
        session.reset()
        session.new_seed(4)
        session.refresh()
        return found | {"seed 4": session.ws.numpy()}


def looped_over(generator: Generator) -> Numbers:
    ws = generator.ws_from_seed(3, 0.7)
    with DragSession(generator, ws=ws, config=config_for(generator)) as session:
        session.edit = edit_for(generator)
        return numbers(session.steps())


def awaited(generator: Generator) -> Numbers:
    with DragSession(generator, 3, config=config_for(generator)) as session:
        session.edit = edit_for(generator)
        asyncio.run(session.run_async())
        return numbers(session.record)


def drawn(generator: Generator) -> Numbers:
    ws = generator.ws_from_seed(5, 0.7)
    block = min(3, generator.num_blocks - 1)
    features = generator.features(ws, block)
    top = generator.features(ws, generator.num_blocks - 1)
    assert not features.whole.is_inference()
    assert not ws.is_inference()
    return {
        "mapped": generator.mapping(generator.z_from_seed(1), 0.5).numpy(),
        "image": generator.image(ws, features).numpy(),
        "image from ws": generator.image(ws).numpy(),
        "features": features.whole.numpy(),
        "top": top.whole.numpy(),
        "preview": generator.preview(features, ws).numpy(),
    }


def inspected(generator: Generator) -> Numbers:
    config = config_for(generator).replace(block=2)
    steps = drag(generator, generator.ws_from_seed(3, 0.7), edit_for(generator), config)
    record = DragRecord(steps=[next(steps), next(steps)])
    last, size = record[-1], generator.image_size
    features, delta = last.features(2), inspection.edit_delta(record)
    components = inspection.WComponents.fit(generator, samples=50)
    return {
        "cost": inspection.tracking_cost(last, 0, config).cost,
        "similarity": inspection.similarity(features, (10.3, 9.1), size),
        "tracked": inspection.as_tracked(features, generator, config.replace(mean_removal=0.4)).whole.numpy(),
        "colours": inspection.FeatureColours.fit(record, 2).of(features),
        "delta": delta.numpy(),
        "applied": inspection.apply_delta(generator, delta, 8).numpy(),
        "between": inspection.between(record, 0, 1, 3).numpy(),
        "travelled": inspection.travelled(record),
        "components": components.project(last.ws),
    }


def saved_and_read(generator: Generator, folder: Path) -> Numbers:
    with DragSession(generator, ws=generator.ws_from_seed(3, 0.7), config=config_for(generator)) as session:
        session.edit = edit_for(generator)
        record = session.run()
        edit_file = session.save(folder / "edit.json")
    read = DragRecord.load(record.save(folder / "record.npz"), generator)
    found = {"record": read.ws, "read picture": read[-1].pixels()}
    for ending in ("npz", "safetensors", "pt", "npy"):
        found[ending] = load_latents(save_latents(read[-1].ws, folder / f"latents.{ending}"))
    found |= {f"again {k}": v for k, v in numbers(drag(generator, read[0].ws, read[0].edit, read[0].config)).items()}
    with DragSession.load(edit_file, generator) as session:
        return found | {f"replay {k}": v for k, v in numbers(session.run()).items()}


DOORS: dict[str, Callable[[Generator, Path], Numbers]] = {
    "drag": lambda generator, _: dragged(generator),
    "drag without mask": lambda generator, _: dragged_without_mask(generator),
    "session": lambda generator, _: run_in_a_session(generator),
    "steps": lambda generator, _: looped_over(generator),
    "run_async": lambda generator, _: awaited(generator),
    "pictures": lambda generator, _: drawn(generator),
    "inspection": lambda generator, _: inspected(generator),
    "files": saved_and_read,
}
LOADED: dict[str, Callable[[Path], Generator]] = {
    "stylegan2": lambda path: load_generator(path, "cpu"),
    "large": lambda path: load_generator(path.with_name("large.safetensors"), "cpu"),
    "blob": lambda _: BlobGenerator(),
}
_plain: dict[tuple[str, str], Numbers] = {}


def plain(kind: str, door: str, file: Path, folder: Path) -> Numbers:
    if (kind, door) not in _plain:
        _plain[kind, door] = DOORS[door](LOADED[kind](file), folder)
    return _plain[kind, door]


def assert_same(found: Numbers, due: Numbers) -> None:
    assert found.keys() == due.keys()
    for name, values in due.items():
        assert found[name].dtype == values.dtype, name
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def modes_now() -> dict[str, object]:
    mode = torch.overrides._get_current_function_mode_stack()  # the default device, without asking for a tensor
    return {
        "inference": torch.is_inference_mode_enabled(),
        "grad": torch.is_grad_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "autocast dtype": torch.get_autocast_dtype("cpu"),
        "autocast cache": torch.is_autocast_cache_enabled(),
        "dtype": torch.get_default_dtype(),
        "device": [str(getattr(one, "device", one)) for one in mode],
    }


CASES = [(kind, door) for kind in ("stylegan2", "blob") for door in DOORS] + [("large", "pictures"), ("large", "drag")]
SLOW = [("stylegan2", "inspection")]


@in_each_mode
@pytest.mark.parametrize(
    ("kind", "door"),
    [pytest.param(*case, marks=[pytest.mark.slow] if case in SLOW else [], id="-".join(case)) for case in CASES],
)
def test_loading_and_computing_in_a_mode_of_torch_gives_the_same_bits(kind, door, mode, file: Path, tmp_path: Path):
    due = plain(kind, door, file, tmp_path)
    with mode():
        before = modes_now()
        found = DOORS[door](LOADED[kind](file), tmp_path)
        assert modes_now() == before
    assert_same(found, due)


@in_each_mode
@pytest.mark.parametrize("door", ["drag", "pictures"])
def test_a_generator_loaded_in_a_mode_computes_the_same_bits_outside_and_the_other_way_round(
    door: str, mode, file: Path, tmp_path: Path
):
    due = plain("stylegan2", door, file, tmp_path)
    with mode():
        inside = load_generator(file, "cpu")
        DOORS[door](inside, tmp_path)  # what is computed on first use is computed in the mode
    assert_same(DOORS[door](inside, tmp_path), due)
    outside = load_generator(file, "cpu")
    with mode():
        assert_same(DOORS[door](outside, tmp_path), due)


@in_each_mode
def test_a_session_opened_in_a_mode_goes_on_outside(mode, file: Path, tmp_path: Path):
    due = plain("stylegan2", "drag", file, tmp_path)
    with mode():
        generator = load_generator(file, "cpu")
        session = DragSession(generator, ws=generator.ws_from_seed(3, 0.7), config=config_for(generator))
        session.edit = edit_for(generator)
        session.step(1)
    with session:
        assert_same(numbers(session.run()), due)


@in_each_mode
def test_the_bundled_heads_drag_and_draw_the_same_bits_in_a_mode(mode):
    def found() -> Numbers:
        generator = load_generator("heads", "cpu")
        edit = Edit([(64, 70)], [(76, 72)])
        with DragSession(generator, 3) as session:
            session.edit = edit
            last = session.step(2)
            return {"ws": last.ws.numpy(), "picture": last.pixels()}

    due = _plain.get(("heads", "session")) or found()
    _plain["heads", "session"] = due
    with mode():
        inside = found()
    assert_same(inside, due)


@in_each_mode
def test_a_mobilestylegan_drags_and_draws_the_same_bits_in_a_mode(mode):
    def found(generator: Generator) -> Numbers:
        ws, config = (
            generator.ws_from_seed(3, 0.7),
            DragConfig(block=2, supervision_radius=6.0, stop_distance=4.0, max_steps=STEPS),
        )
        return numbers(drag(generator, ws, edit_for(generator), config)) | {"picture": generator.image(ws).numpy()}

    due, checkpoint = found(tiny_generator()), tiny_mobilestylegan()
    with mode():
        loaded = MobileStyleGAN.from_checkpoint(checkpoint, "tiny", torch.device("cpu"))
        inside = found(loaded)
    assert_same(inside, due)
    assert_same(found(loaded), due)


@in_each_mode
def test_each_step_of_a_drag_may_be_asked_for_in_another_mode_and_leaves_it_as_it_was(mode, file: Path, tmp_path: Path):
    generator = load_generator(file, "cpu")
    due = plain("stylegan2", "drag", file, tmp_path)
    steps = drag(generator, generator.ws_from_seed(3, 0.7), edit_for(generator), config_for(generator))
    found = [next(steps)]
    while found[-1].ended is None:
        outside = modes_now()
        with mode():
            inside = modes_now()
            found.append(steps.send(None))
            assert modes_now() == inside
        assert modes_now() == outside
        if found[-1].ended is None:
            found.append(next(steps))
            assert modes_now() == outside
    assert_same(numbers(found), due)


@in_each_mode
def test_a_drag_that_is_left_or_fails_leaves_the_mode_as_it_was(mode, file: Path):
    generator = load_generator(file, "cpu")
    ws, edit = generator.ws_from_seed(3, 0.7), edit_for(generator)
    with mode():
        before = modes_now()
        left = drag(generator, ws, edit)
        next(left)
        assert modes_now() == before
        left.close()
        assert modes_now() == before
        with pytest.raises(StopIteration):
            next(left)
        refused = drag(generator, ws[:, :1], edit)
        with pytest.raises(ConfigError, match="^ws has shape"):
            next(refused)
        with pytest.raises(ConfigError, match="^block is 99"):
            generator.features(ws, 99)
        assert modes_now() == before


def test_an_error_thrown_into_a_drag_comes_back_out():
    generator = BlobGenerator()
    steps = drag(generator, generator.ws_from_seed(0), Edit([(20, 20)], [(40, 40)]))
    next(steps)
    with pytest.raises(KeyError, match="thrown"):
        steps.throw(KeyError("thrown"))
    with pytest.raises(StopIteration):
        next(steps)


@pytest.mark.parametrize("kind", ["drag", "session"])
def test_a_latent_made_in_inference_mode_is_dragged_outside(kind: str, file: Path, tmp_path: Path):
    generator = load_generator(file, "cpu")
    due = plain("stylegan2", "drag", file, tmp_path)
    with torch.inference_mode():
        ws = generator.ws_from_seed(3, 0.7).clone()
    assert ws.is_inference()
    if kind == "drag":
        found = list(drag(generator, ws, edit_for(generator), config_for(generator)))
    else:
        with DragSession(generator, ws=ws, config=config_for(generator)) as session:
            session.edit = edit_for(generator)
            found = list(session.run())
    assert not any(step.ws.is_inference() for step in found)
    assert_same(numbers(found), due)


def test_weights_made_in_inference_mode_are_dragged_outside():
    def found(checkpoint: Checkpoint) -> Numbers:
        return dragged(StyleGAN2.from_checkpoint(checkpoint, "tiny", torch.device("cpu")))

    with torch.inference_mode():
        checkpoint = tiny_checkpoint()
    assert_same(found(checkpoint), found(tiny_checkpoint()))


def drag_once(generator: Generator, ws: torch.Tensor) -> None:
    next(drag(generator, ws, Edit([(20, 20)], [(40, 40)])))


@pytest.mark.parametrize(
    "take", [drag_once, lambda generator, ws: DragSession(generator, ws=ws)], ids=["drag", "session"]
)
def test_a_latent_without_values_is_refused_in_words(take: Callable[[Generator, torch.Tensor], object]):
    ws = torch.zeros(1, 4, 8, device="meta")
    with pytest.raises(ConfigError) as caught:
        take(BlobGenerator(), ws)
    assert str(caught.value) == "ws is on 'meta', without values; make it without the default device 'meta'"


@in_each_mode
def test_a_mode_that_a_callback_leaves_behind_on_the_worker_changes_nothing(mode, file: Path, tmp_path: Path):
    generator = load_generator(file, "cpu")
    left: list[AbstractContextManager[object]] = []

    def enter(_: object) -> None:
        if not left:
            left.append(mode())
            left[0].__enter__()

    def leave(_: object) -> None:
        if left:
            left.pop().__exit__(None, None, None)

    with DragSession(generator, 3, config=config_for(generator)) as session:
        session.edit = edit_for(generator)
        session.on_step(lambda step: enter(step) if step.ended is None else leave(step))
        found = numbers(session.run())
    assert_same(found, plain("stylegan2", "drag", file, tmp_path))


def test_a_drag_in_one_thread_leaves_the_modes_of_others_alone():
    """Seen from a second thread while a drag in the default device "meta" is in the middle of a step."""
    seen: list[dict[str, object]] = []

    class Watched(BlobGenerator):
        def features(self, ws, block, windows=None):
            thread = threading.Thread(target=lambda: seen.append(modes_now()))
            thread.start()
            thread.join()
            return super().features(ws, block, windows)

    due, watched = modes_now(), Watched()
    ws = watched.ws_from_seed(0)
    with torch.inference_mode(), torch.autocast("cpu"), default_device("meta"):
        next(drag(watched, ws, Edit([(20, 20)], [(40, 40)])))
    assert seen
    assert all(modes == due for modes in seen)


def test_features_asked_for_with_a_graph_keep_it_and_without_one_make_none(file: Path):
    generator = load_generator(file, "cpu")
    ws = generator.ws_from_seed(0).requires_grad_()
    with torch.autocast("cpu"):
        assert generator.features(ws, 3).whole.requires_grad
    with torch.no_grad():
        assert not generator.features(ws, 3).whole.requires_grad
    with torch.inference_mode():
        inside = generator.features(ws, 3).whole
    assert not inside.requires_grad
    assert not inside.is_inference()


def test_noise_is_drawn_alike_in_every_default_dtype(file: Path):
    generator = load_generator(file, "cpu")
    due = generator.with_noise("random", 4).image(generator.ws_from_seed(0))
    for mode in MODES.values():
        with mode():
            found = generator.with_noise("random", 4)
        assert torch.equal(found.image(generator.ws_from_seed(0)), due)


@in_each_mode
def test_a_live_module_is_read_alike_in_a_mode(mode):
    module = live_module(plain_config())
    due = dragged_without_mask(from_module(module))
    with mode():
        found = from_module(module)
        inside = dragged_without_mask(found.refreshed())
    assert_same(inside, due)
    assert_same(dragged_without_mask(found), due)


def test_a_function_in_own_modes_keeps_its_name_its_result_and_its_error():
    @in_own_modes
    def named(value: int) -> int:
        if value < 0:
            raise ValueError("negative")
        return value + 1

    with torch.inference_mode():
        assert named(1) == 2
        with pytest.raises(ValueError, match="negative"):
            named(-1)
        assert torch.is_inference_mode_enabled()
    assert named.__name__ == "named"


MAKERS = {"empty", "zeros", "ones", "full", "rand", "randn", "linspace", "logspace", "eye", "arange", "scalar_tensor"}


def test_every_tensor_that_the_package_makes_names_its_dtype():
    """The default dtype belongs to the whole process: `in_own_modes` cannot leave it."""
    package, seen, unnamed = Path(draggan_widget.__file__).parent, 0, []
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            owner, name = node.func.value, node.func.attr
            makes = isinstance(owner, ast.Name) and owner.id == "torch" and name in MAKERS
            makes = makes or (isinstance(owner, ast.Name) and owner.id == "nn" and name == "Linear")
            seen += makes
            if makes and "dtype" not in {keyword.arg for keyword in node.keywords}:
                unnamed.append(f"{path.relative_to(package)}:{node.lineno}")
    assert seen > 10
    assert unnamed == []
