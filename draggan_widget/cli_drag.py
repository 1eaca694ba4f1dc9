"""The commands ``drag`` and ``replay``: a drag without a notebook, and a saved one made again.

torch is imported only once a generator is loaded.
"""

import argparse
import contextlib
import importlib.util
import itertools
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from draggan_widget.checkpoints.hub.catalog import NAMED
from draggan_widget.errors import DragganError, EditError, ExportError

if TYPE_CHECKING:
    import numpy as np

    from draggan_widget.engine.edit import Edit
    from draggan_widget.export.edit_file import SavedEdit
    from draggan_widget.session.session import DragSession

DIFFERS, INTERRUPTED = 1, 130  # exit statuses
TOLERANCE = 1.0  # image px that a replay's handles may end apart
PRESETS = ("default", "paper", "official")

DRAG = """\
Drag points of a generated picture and write what came of it.

GENERATOR is a name (heads comes with the package, mobilestylegan-ffhq is downloaded once; available_generators() in
Python lists them all) or the path of a checkpoint: NVIDIA's .pkl, a .pt or .safetensors state dict, or our own.

Points are X,Y in px of the picture, from the top left corner, pixel centres at whole numbers. Each --handle is dragged
to the --target in the same place of the order."""
DRAG_END = """\
files written to --out:
  before.png, after.png   the pictures, with seed, settings and edit inside
  drag.mp4                every step (drag.gif without the extra: pip install 'draggan-widget[export]')
  record.npz              every latent, handle and loss: DragRecord.load in Python
  edit.json               what makes the drag again: draggan-widget replay, DragSession.load
  trajectories.csv        one row a step and point

examples:
  draggan-widget drag heads --seed 3 --handle 30,40 --target 36,40 --out out/
  draggan-widget drag ffhq.pkl --seed 7 --handle 512,540 --target 572,540 --handle 400,480 --target 400,480 \\
    --mask movable.png --truncation-psi 0.5 --steps 100 --out smile/

Ctrl-C stops the drag and writes what was made so far; once more: record and edit only.

Exit status: 0 done, 2 something is wrong, 130 stopped."""
REPLAY = """\
Make a saved drag again and say how far its handles end from the saved ones.

EDIT.json is what draggan-widget drag, DragSession.save or save_edit wrote. On the same machine and versions the steps
are the same bit for bit; on another the handles end within 1 px."""
REPLAY_END = """\
examples:
  draggan-widget replay out/edit.json
  draggan-widget replay out/edit.json --generator ffhq.pkl --out again/

Exit status: 0 the handles end within 1 px, 1 they do not, 2 something is wrong, 130 stopped."""


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Let the parser know `drag` and `replay`; each sets `run`, which returns status and lines."""
    shape = argparse.RawDescriptionHelpFormatter
    words = "drag points of a picture, write pictures, video and record"
    drag = commands.add_parser("drag", help=words, description=DRAG, epilog=DRAG_END, formatter_class=shape)
    _start_options(drag)
    add = drag.add_argument
    words = "take the picture here, px; as often as there are points"
    add("--handle", type=_point, action="append", default=[], metavar="X,Y", help=words)
    add("--target", type=_point, action="append", default=[], metavar="X,Y", help="and drag it here")
    add(
        "--mask",
        type=Path,
        metavar="PNG",
        help="as large as the picture; white may move, black stays (default: all may)",
    )
    add("--preset", choices=PRESETS, default="default", help="of the settings (default: %(default)s)")
    add("--steps", type=int, metavar="N", help="at most so many (default: the preset's, 300 in the default one)")
    add("--out", type=Path, required=True, metavar="DIR", help="folder to write; files there are replaced")
    drag.set_defaults(run=run_drag)
    words = "make a saved drag again and compare"
    replay = commands.add_parser("replay", help=words, description=REPLAY, epilog=REPLAY_END, formatter_class=shape)
    replay.add_argument("edit", metavar="EDIT.json", type=Path, help="a saved edit")
    replay.add_argument("--generator", metavar="G", help="a name or a path (default: the name in the file)")
    replay.add_argument("--out", type=Path, metavar="DIR", help="write the same files as drag (default: none)")
    replay.set_defaults(run=run_replay)


def _start_options(drag: argparse.ArgumentParser) -> None:
    """What is dragged: the generator and its start picture."""
    add = drag.add_argument
    add("generator", metavar="GENERATOR", help="a name, or the path of a checkpoint")
    add("--seed", type=int, default=0, metavar="N", help="of the start picture, 0 to 2**32 - 1 (default: 0)")
    words = "1: pictures as varied as in training, towards 0: more ordinary ones (default: 0.7)"
    add("--truncation-psi", type=float, default=0.7, metavar="PSI", help=words)
    add("--label", type=int, metavar="N", help="class, for a conditional generator")


def point_hint(arguments: Sequence[str]) -> str | None:
    """The remedy where a point begins with a minus, which argparse takes for an option: `--handle -5,78`."""
    for option, value in itertools.pairwise(arguments):
        if option in ("--handle", "--target") and value[:1] == "-" and "," in value:
            return f"a point that begins with a minus is written with an equals sign: {option}={value}"
    return None


def _point(text: str) -> tuple[float, float]:
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no point; expected X,Y in px, as 512,540") from error
    return x, y


def run_drag(parsed: argparse.Namespace) -> tuple[int, list[str]]:
    """Drag, and write what came of it."""
    from draggan_widget.engine.config import DragConfig
    from draggan_widget.generators.load import load_generator
    from draggan_widget.session.session import DragSession

    edit = _edit(parsed)
    _try_out(parsed.out)
    generator = load_generator(parsed.generator)
    config = DragConfig.for_generator(generator, parsed.preset)
    if parsed.steps is not None:
        config = config.replace(max_steps=parsed.steps)
    with DragSession(
        generator, parsed.seed, truncation_psi=parsed.truncation_psi, label=parsed.label, config=config
    ) as session:
        session.edit = edit
        return _made(session, parsed.out)


def _edit(parsed: argparse.Namespace) -> "Edit":
    from draggan_widget.engine.edit import Edit

    if not parsed.handle:
        raise EditError(
            "there is no --handle; expected at least one, with its --target: --handle 512,540 --target 572,540"
        )
    return Edit(parsed.handle, parsed.target, None if parsed.mask is None else _mask(parsed.mask))


def _try_out(out: Path) -> None:
    """Make the folder and write to it once, before anything that takes long.

    Raises:
        ExportError: it cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out) as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        raise ExportError(f"--out {out} cannot be written ({error}); choose another folder") from error


def _mask(path: Path) -> "np.ndarray":
    import numpy as np
    from PIL import Image

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("L")) > 127
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise EditError(
            f"--mask {path} cannot be read ({error}); expected a picture, white where it may move"
        ) from error


def _made(session: "DragSession", out: Path | None) -> tuple[int, list[str]]:
    """Drag to the end, or to Ctrl-C, and write; what was made before an error is written, too."""
    try:
        interrupted = _pull(session)
    except DragganError:
        if out is not None and len(session.record):
            _print_written(session, out)
        raise
    last, count, status = session.current, len(session.record), INTERRUPTED if interrupted else 0
    if not count:
        return status, ["stopped before the first step"]
    print(f"{last.ended or 'stopped'} after {count - 1} steps")
    for number, (handle, distance) in enumerate(zip(last.handles, last.distances, strict=True), start=1):
        print(f"handle {number}: ({handle[0]:g}, {handle[1]:g}), {distance:.2f} px from its target")
    if out is not None:
        _print_written(session, out)
    return status, []


def _pull(session: "DragSession") -> bool:
    """Drag behind a progress bar, which only a terminal shows; whether Ctrl-C stopped it."""
    from tqdm import tqdm

    try:
        with tqdm(total=session.config.max_steps, desc=session.generator.name, unit="step", disable=None) as bar:
            for step in session.steps():
                bar.set_postfix(px=f"{max(step.distances):.1f}", refresh=False)
                bar.update(1 if step.index else 0)
    except KeyboardInterrupt:
        return True
    return False


def _print_written(session: "DragSession", out: Path) -> None:
    """Write everything a drag made into a folder, and say each file once it is there.

    Ctrl-C waits while record and edit, without which the drag would be lost, are written; then it leaves the rest out.
    """
    needed, rest = _writers(session, out)
    with _no_ctrl_c():
        for write in needed:
            print(f"wrote {write()}", flush=True)
    for write in rest:
        print(f"wrote {write()}", flush=True)


def _writers(session: "DragSession", out: Path) -> tuple[list[Callable[[], Path]], list[Callable[[], Path]]]:
    """What writes each file: first those without which the drag is lost; of the rest, what takes longest last."""
    from draggan_widget.export.pictures import save_picture
    from draggan_widget.export.trajectories import save_trajectories
    from draggan_widget.export.video import save_video

    record, about = session.record, session.record.about
    video = "drag.mp4" if importlib.util.find_spec("imageio_ffmpeg") else "drag.gif"
    needed = [lambda: record.save(out / "record.npz"), lambda: session.save(out / "edit.json")]
    rest = [
        lambda: save_trajectories(record, out / "trajectories.csv"),
        lambda: save_picture(record[0], out / "before.png", about),
        lambda: save_picture(record[-1], out / "after.png", about),
        lambda: save_video(record, out / video, paths=True),
    ]
    return needed, rest


@contextlib.contextmanager
def _no_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C wait; elsewhere than on the main thread it does not come anyway."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt


def run_replay(parsed: argparse.Namespace) -> tuple[int, list[str]]:
    """Make a saved drag again, and compare."""
    from draggan_widget.export.edit_file import load_edit
    from draggan_widget.session.session import DragSession

    saved = load_edit(parsed.edit)
    if parsed.out is not None:
        _try_out(parsed.out)
    with DragSession.load(parsed.edit, parsed.generator or _named(parsed.edit, saved)) as session:
        status, lines = _made(session, parsed.out)
        return (status, lines) if status else _compared(saved, session, lines)


def _named(path: Path, saved: "SavedEdit") -> str:
    name = saved.generator.name
    if name not in NAMED:
        raise ExportError(f"{path} was made with {name!r}, no known name; pass its file: --generator PATH")
    return name


def _compared(saved: "SavedEdit", session: "DragSession", lines: Sequence[str]) -> tuple[int, list[str]]:
    from draggan_widget.export.comparison import compare

    if saved.result is None:
        return 0, [*lines, "the file has no result to compare with: it was saved before its drag"]
    found = compare(saved.result, session.record)
    lines = [*lines, *(f"note: {words}" for words in saved.result.not_reproduced)]
    (steps, saved_steps), (_, ending) = found.steps, found.endings
    lines.append(f"saved: {ending or 'stopped'}, {saved_steps} recorded steps; here {steps}")
    lines.append(f"largest difference of a handle: {found.largest:.3g} px (at most {TOLERANCE:g} expected)")
    return (DIFFERS if found.largest > TOLERANCE else 0), lines


def warn_on_stderr(message: Warning | str, *_: object) -> None:
    """A warning as one line, without the source line that Python adds."""
    print(f"draggan-widget: warning: {' '.join(str(message).split())}", file=sys.stderr)
