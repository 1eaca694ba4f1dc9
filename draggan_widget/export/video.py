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
from draggan_widget.export.frames import Film, make_film
from draggan_widget.export.gif import write_gif
from draggan_widget.export.provenance import SOURCE_TYPE
from draggan_widget.files import replacing, write_atomically

REST = 1.0  # seconds for which the last picture stays
GIF_SIDE = 512  # px, where no size was asked for; a GIF of 1024 px has four times the bytes
FASTEST = 50.0  # pictures a second that a GIF can say


def save_video(
    record: DragRecord, path: str | Path, paths: bool = False, fps: float = 20.0, size: int | None = None
) -> Path:
    """Write a drag as a video, one picture a step, the last held for a second.

    Each picture is drawn when it is its turn: memory does not grow with the steps. What made it (generator, seed,
    versions, and that it comes from a trained model) stands in the file's comment.

    Args:
        record: of a drag, with its generator.
        path: the file; its ending says what it becomes: .gif, .mp4 (H.264) or .webm (VP9). The last two need
            `pip install 'draggan-widget[export]'`.
        paths: draw handles, targets and the ways come so far.
        fps: pictures a second, over 0 and at most 50; a GIF rounds it to whole hundredths of a second.
        size: longer side in px; None takes the pictures' own, enlarged to 512 where they are smaller, and at most
            512 in a GIF.

    Returns:
        The path.

    Raises:
        ExportError: the ending is another, ffmpeg is missing, or the file cannot be written; an older file stays.
        RecordError: the record is empty or was read without its generator.
        ConfigError: `fps` or `size` is out of range.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in (".gif", *CODECS):
        raise ExportError(f"{path.name} ends in {path.suffix!r}; expected .gif, .mp4 or .webm")
    if not (isinstance(fps, (int, float)) and math.isfinite(fps) and 0 < fps <= FASTEST):
        raise ConfigError(f"fps is {fps!r}; expected a number over 0 and at most {FASTEST:g}")
    film = make_film(record, paths, size, GIF_SIDE if kind == ".gif" else None)
    comment = describe(record)
    try:
        if kind == ".gif":
            write_atomically(path, lambda file: write_gif(film, fps, REST, comment, file))
        else:
            program = find_ffmpeg(path)
            with replacing(path) as temporary:
                write_video(program, _resting(film, fps), fps, comment, temporary)
    except OSError as error:
        raise ExportError(f"{path} cannot be written ({error}); choose another folder or free some space") from error
    return path


def describe(record: DragRecord) -> str:
    """What made the pictures, as one line of JSON: for the comment of a file."""
    own = {key: record.about[key] for key in ("generator", "seed", "truncation_psi", "versions") if key in record.about}
    return json.dumps({"digital_source_type": SOURCE_TYPE, **own}, default=str)


def _resting(film: Film, fps: float) -> Iterator[Image.Image]:
    """The film, its last picture for a second: some players stop at the last picture's beginning."""
    picture: Image.Image | None = None
    for picture in film:
        yield picture
    assert picture is not None
    yield from itertools.repeat(picture, max(round(fps * REST) - 1, 0))
