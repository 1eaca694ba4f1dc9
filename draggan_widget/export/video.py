"""A drag as a video: GIF, MP4 or WebM, one picture a step."""

import itertools
import json
import math
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from draggan_widget.engine.record import DragRecord
from draggan_widget.errors import ConfigError, ExportError
from draggan_widget.export.ffmpeg import CODECS, find_ffmpeg, write_video
from draggan_widget.export.frames import RecordFrames, make_frames
from draggan_widget.export.gif import write_gif
from draggan_widget.export.provenance import SOURCE_TYPE
from draggan_widget.export.writing import file_place, not_written
from draggan_widget.files import replacing, write_atomically

REST = 1.0  # seconds for which the last picture is shown
GIF_SIDE = 512  # px: limit of a GIF for size=None, as one of 1024 px has four times the bytes
FASTEST = 50.0  # pictures per second: limit of the GIF format


def save_video(
    record: DragRecord, path: str | Path, paths: bool = False, fps: float = 20.0, size: int | None = None
) -> Path:
    """Write a drag as a video, one picture for each step; the last picture is shown for a second.

    Pictures are drawn one at a time, so memory does not grow with the number of steps. The file's comment holds
    generator, seed and versions, and says that a trained model made the pictures.

    Args:
        record: record of a drag, with its generator.
        path: the file; its ending chooses the format: .gif, .mp4 (H.264) or .webm (VP9). The last two need
            `pip install 'draggan-widget[export]'`.
        paths: whether to draw handles, targets and the handles' paths so far.
        fps: pictures per second, over 0 and at most 50; in a GIF a picture lasts whole hundredths of a second.
        size: longer side in px, from 16 to 4096; None: that of the generator, at least 512 and in a GIF at most 512.

    Returns:
        The path.

    Raises:
        ExportError: the ending is unknown, ffmpeg is missing, or the file cannot be written; an older file stays
            unchanged.
        RecordError: the record is empty, or was read from a file without its generator.
        ConfigError: `fps` or `size` is out of range.

    Examples:
        >>> from draggan_widget import DragSession, Edit
        >>> session = DragSession("heads", seed=3)
        >>> session.edit = Edit([(78, 78)], [(62, 79)])
        >>> step = session.step(2)
        >>> path = save_video(session.record, "drag.gif", paths=True, size=128)
    """
    path = file_place(path)
    kind = path.suffix.lower()
    if kind not in (".gif", *CODECS):
        raise ExportError(f"{path.name} ends in {path.suffix!r}; expected .gif, .mp4 or .webm")
    if not (isinstance(fps, (int, float)) and math.isfinite(fps) and 0 < fps <= FASTEST):
        raise ConfigError(f"fps is {fps!r}; expected a number over 0 and at most {FASTEST:g}")
    frames = make_frames(record, paths, size, GIF_SIDE if kind == ".gif" else None)
    comment = _describe(record)
    try:
        if kind == ".gif":
            write_atomically(path, lambda file: write_gif(frames, fps, REST, comment, file))
        else:
            program = find_ffmpeg(path)
            with replacing(path) as temporary:
                write_video(program, _hold_last(frames, fps), fps, comment, temporary)
    except OSError as error:
        raise not_written(path, error) from error
    return path


def _describe(record: DragRecord) -> str:
    """How the pictures were made, as one line of JSON for the file's comment."""
    about = {
        key: record.about[key] for key in ("generator", "seed", "truncation_psi", "versions") if key in record.about
    }
    return json.dumps({"digital_source_type": SOURCE_TYPE, **about}, default=str)


def _hold_last(frames: RecordFrames, fps: float) -> Iterator[Image.Image]:
    """The pictures, the last one repeated for a second: some players stop at the beginning of the last picture."""
    picture: Image.Image | None = None
    for picture in frames:
        yield picture
    assert picture is not None
    yield from itertools.repeat(picture, max(round(fps * REST) - 1, 0))
