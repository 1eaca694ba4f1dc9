"""The commands `drag` and `replay`: a drag without a notebook, and a saved drag made again.

torch is imported only when a generator is loaded.
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
from draggan_widget.counts import counted
from draggan_widget.errors import DragganError, EditError, ExportError
from draggan_widget.files import as_path, check_readable, make_folder, read_remedy, write_remedy

if TYPE_CHECKING:
    from PIL import Image

    from draggan_widget.engine.edit import Edit
    from draggan_widget.export.edit_file import SavedEdit
    from draggan_widget.session.session import DragSession

DIFFERS, INTERRUPTED = 1, 130  # exit statuses
TOLERANCE = 1.0  # image px: largest distance of a replay's handle from the saved one
PRESETS = ("default", "paper", "official")

DRAG = """\
Drag points of a generated picture and write pictures, video, record and edit.

GENERATOR is a name (heads comes with the package, mobilestylegan-ffhq is downloaded once; available_generators() in
Python lists them all) or the path of a checkpoint: NVIDIA's .pkl, a .pt or .safetensors state dict, or our own.

Points are X,Y in px of the picture, from the top left corner, pixel centres at whole numbers. The first --handle is
dragged to the first --target, the second to the second, and so on."""
DRAG_END = """\
files written to --out:
  before.png, after.png   the pictures; their metadata hold seed, settings and edit
  drag.mp4                every step (drag.gif without the extra: pip install 'draggan-widget[export]')
  record.npz              every latent, handle and loss; read it with DragRecord.load in Python
  edit.json               start, settings and points; draggan-widget replay and DragSession.load repeat the drag
  trajectories.csv        one row for each step and point

examples:
  draggan-widget drag heads --seed 3 --handle 30,40 --target 36,40 --out out/
  draggan-widget drag ffhq.pkl --seed 7 --handle 512,540 --target 572,540 --handle 400,480 --target 400,480 \\
    --mask movable.png --truncation-psi 0.5 --steps 100 --out smile/

Ctrl-C stops the drag and writes the steps so far; a second Ctrl-C leaves out all files but record and edit.

Exit status: 0 done, 2 error, 130 stopped."""
REPLAY = """\
Repeat a saved drag and print how far its handles end from the saved ones.

EDIT.json is a file that draggan-widget drag, DragSession.save or save_edit wrote. On the same machine and versions the
steps are the same bit for bit; elsewhere the handles end within 1 px."""
REPLAY_END = """\
examples:
  draggan-widget replay out/edit.json
  draggan-widget replay out/edit.json --generator ffhq.pkl --out again/

Exit status: 0 the handles end within 1 px, 1 they do not, 2 error, 130 stopped."""


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `drag` and `replay` to the parser; each sets `run`, which returns an exit status and lines to print."""
    formatter = argparse.RawDescriptionHelpFormatter
    summary = "drag points of a picture, write pictures, video and record"
    drag = commands.add_parser("drag", help=summary, description=DRAG, epilog=DRAG_END, formatter_class=formatter)
    _add_start_options(drag)
    add = drag.add_argument
    text = "handle point in px; once for each point"
    add("--handle", type=_parse_point, action="append", default=[], metavar="X,Y", help=text)
    add("--target", type=_parse_point, action="append", default=[], metavar="X,Y", help="its target point in px")
    add(
        "--mask",
        metavar="PNG",
        help="PNG of two colours and the picture's size; white may move, black stays (default: everything may move)",
    )
    add("--preset", choices=PRESETS, default="default", help="preset of the settings (default: %(default)s)")
    add(
        "--steps",
        type=int,
        metavar="N",
        help="largest number of steps (default: the preset's; 300 in preset default)",
    )
    add("--out", required=True, metavar="DIR", help="folder to write to; files there are replaced")
    drag.set_defaults(run=run_drag)
    summary = "repeat a saved drag and compare"
    replay = commands.add_parser(
        "replay", help=summary, description=REPLAY, epilog=REPLAY_END, formatter_class=formatter
    )
    replay.add_argument("edit", metavar="EDIT.json", help="a saved edit")
    replay.add_argument("--generator", metavar="G", help="name or path of a checkpoint (default: the file's)")
    replay.add_argument("--out", metavar="DIR", help="folder for the same files as of drag (default: none)")
    replay.set_defaults(run=run_replay)


def _add_start_options(drag: argparse.ArgumentParser) -> None:
    """Add the options of the generator and its start picture."""
    add = drag.add_argument
    add("generator", metavar="GENERATOR", help="name, or path of a checkpoint")
    add("--seed", type=int, default=0, metavar="N", help="seed of the start picture, 0 to 2**32 - 1 (default: 0)")
    text = "1: as varied as in training; closer to 0: closer to the average picture (default: 0.7)"
    add("--truncation-psi", type=float, default=0.7, metavar="PSI", help=text)
    add("--label", type=int, metavar="N", help="class of a conditional generator")


def point_hint(arguments: Sequence[str]) -> str | None:
    """The remedy for a point that begins with a minus, such as `--handle -5,78`: argparse takes it for an option."""
    for option, value in itertools.pairwise(arguments):
        if option in ("--handle", "--target") and value[:1] == "-" and "," in value:
            return f"a point that begins with a minus is written with an equals sign: {option}={value}"
    return None


def _parse_point(text: str) -> tuple[float, float]:
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a point; expected X,Y in px, such as 512,540") from error
    return x, y


def run_drag(parsed: argparse.Namespace) -> tuple[int, list[str]]:
    """Drag, and write the files."""
    from draggan_widget.engine.config import DragConfig
    from draggan_widget.generators.load import load_generator
    from draggan_widget.session.session import DragSession

    edit, out = _parse_edit(parsed), as_path(parsed.out, "--out", ExportError)
    _check_writable(out)
    generator = load_generator(parsed.generator)
    config = DragConfig.for_generator(generator, parsed.preset)
    if parsed.steps is not None:
        config = config.replace(max_steps=parsed.steps)
    with DragSession(
        generator, parsed.seed, truncation_psi=parsed.truncation_psi, label=parsed.label, config=config
    ) as session:
        session.edit = edit
        return _drag_and_write(session, out)


def _parse_edit(parsed: argparse.Namespace) -> "Edit":
    from draggan_widget.engine.edit import Edit

    if not parsed.handle:
        raise EditError(
            "there is no --handle; expected at least one, with its --target: --handle 512,540 --target 572,540"
        )
    edit = Edit(parsed.handle, parsed.target)
    if parsed.mask is None:
        return edit
    path = as_path(parsed.mask, "--mask", EditError)
    picture = _read_mask(path)
    try:
        return Edit(edit.handles, edit.targets, picture)
    except EditError as error:
        raise EditError(f"--mask {path}: {error}, saved as a PNG") from error


def _check_writable(out: Path) -> None:
    """Make the folder and write to it once, before anything that takes long.

    Raises:
        ExportError: the folder cannot be written.
    """
    try:
        make_folder(out)
        with tempfile.TemporaryFile(dir=out) as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        raise ExportError(f"--out {out} cannot be written ({error}); {write_remedy(error, out)}") from error


def _read_mask(path: Path) -> "Image.Image":
    from PIL import Image

    expected = "expected a picture of two colours, black where nothing may move"
    try:
        check_readable(path)
    except OSError as error:
        raise EditError(f"--mask {path} cannot be read ({error}); {expected}; {read_remedy(error, path)}") from error
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            image.load()
            return image
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise EditError(f"--mask {path} cannot be read ({error}); {expected}; give a PNG") from error


def _drag_and_write(session: "DragSession", out: Path | None) -> tuple[int, list[str]]:
    """Drag to the end or to Ctrl-C and write the files; after an error, the files of the steps before it."""
    try:
        interrupted = _run_steps(session)
    except DragganError:
        if out is not None and len(session.record):
            _print_written(session, out)
        raise
    last, count, status = session.current, len(session.record), INTERRUPTED if interrupted else 0
    if not count:
        return status, ["stopped before the first step"]
    print(f"{last.ended or 'stopped'} after {counted(count - 1, 'step')}")
    for number, (handle, distance) in enumerate(zip(last.handles, last.distances, strict=True), start=1):
        print(f"handle {number}: ({handle[0]:g}, {handle[1]:g}), {distance:.2f} px from its target")
    if out is not None:
        _print_written(session, out)
    return status, []


def _run_steps(session: "DragSession") -> bool:
    """Drag with a progress bar, which only a terminal shows; return whether Ctrl-C stopped the drag."""
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
    """Write all files of a drag, and print the name of each after it is written.

    Record and edit come first: without them the drag would be lost. A Ctrl-C waits until they are written, and then
    leaves out the other files.
    """
    needed, rest = _writers(session, out)
    with _defer_ctrl_c():
        for write in needed:
            print(f"wrote {write()}", flush=True)
    for write in rest:
        print(f"wrote {write()}", flush=True)


def _writers(session: "DragSession", out: Path) -> tuple[list[Callable[[], Path]], list[Callable[[], Path]]]:
    """Functions that write one file each: those of record and edit, and the others, the slowest last."""
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
def _defer_ctrl_c() -> Iterator[None]:
    """Make Ctrl-C wait until the block ends; other threads than the main one never receive it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: received.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if received:
        raise KeyboardInterrupt


def run_replay(parsed: argparse.Namespace) -> tuple[int, list[str]]:
    """Repeat a saved drag, and compare."""
    from draggan_widget.export.edit_file import load_edit
    from draggan_widget.session.session import DragSession

    path = as_path(parsed.edit, "EDIT.json", ExportError)
    out = None if parsed.out is None else as_path(parsed.out, "--out", ExportError)
    saved = load_edit(path)
    if out is not None:
        _check_writable(out)
    generator = _generator_name(path, saved) if parsed.generator is None else parsed.generator
    with DragSession.load(path, generator) as session:
        status, lines = _drag_and_write(session, out)
        return (status, lines) if status else _compare(saved, session, lines)


def _generator_name(path: Path, saved: "SavedEdit") -> str:
    name = saved.generator.name
    if name not in NAMED:
        raise ExportError(f"{path} was made with {name!r}, which is not a known name; pass its file: --generator PATH")
    return name


def _compare(saved: "SavedEdit", session: "DragSession", lines: Sequence[str]) -> tuple[int, list[str]]:
    from draggan_widget.export.comparison import compare

    if saved.result is None:
        return 0, [*lines, "the file has no result to compare with: it was saved before its drag"]
    found = compare(saved.result, session.record)
    lines = [*lines, *(f"note: {sentence}" for sentence in saved.result.not_reproduced)]
    (steps, saved_steps), (_, ending) = found.steps, found.endings
    lines.append(f"saved: {ending or 'stopped'}, {saved_steps} recorded steps; here {steps}")
    lines.append(f"largest difference of a handle: {found.largest:.3g} px (at most {TOLERANCE:g} expected)")
    return (DIFFERS if found.largest > TOLERANCE else 0), lines


def warn_on_stderr(message: Warning | str, *_: object) -> None:
    """Print a warning as one line, without the source line that Python adds."""
    print(f"draggan-widget: warning: {' '.join(str(message).split())}", file=sys.stderr)
