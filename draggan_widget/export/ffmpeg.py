"""Encodes pictures with the ffmpeg of imageio-ffmpeg (extra "export"), through a pipe.

imageio's own writer does not check ffmpeg's exit status: on a full disk, half a video would replace a whole one.
"""

import errno
import os
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from PIL import Image

from draggan_widget.errors import ExportError
from draggan_widget.files import DISK_FULL, FORBIDDEN, TOO_MANY_OPEN, write_remedy

# H.264 with half the colour resolution and the index first: browsers, phones, slides and QuickTime play it.
MP4 = ("-c:v", "libx264", "-crf", "17", "-preset", "medium", "-movflags", "+faststart")
WEBM = ("-c:v", "libvpx-vp9", "-crf", "24", "-b:v", "0", "-deadline", "good", "-cpu-used", "5", "-row-mt", "1")
CODECS = {".mp4": MP4, ".webm": WEBM}
NO_ROOM = (*TOO_MANY_OPEN, errno.ENOMEM, errno.EAGAIN)  # this machine cannot start any program
DISK_ERRORS = (*DISK_FULL, *FORBIDDEN, errno.EFBIG, errno.EIO)  # errors of writing that ffmpeg's output may name
# RGB to BT.709, with a tag that says so: without it players guess the matrix and show wrong colours.
SPACE = ("-vf", "scale=out_color_matrix=bt709:out_range=tv", "-pix_fmt", "yuv420p", "-colorspace", "bt709")
TAGS = ("-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv")


def find_ffmpeg(path: Path) -> str:
    """Path of the ffmpeg program.

    Raises:
        ExportError: imageio-ffmpeg is not installed, or has no ffmpeg for this machine.
    """
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise ExportError(
            f"{path.name} needs imageio-ffmpeg, which is not installed; run pip install 'draggan-widget[export]', "
            "or write a .gif, which needs neither"
        ) from error
    try:
        # A bare name is looked up among the programs, so this is no path that `as_path` could read.
        return os.path.expanduser(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise ExportError(
            f"{path.name} needs ffmpeg, and imageio-ffmpeg found none ({error}); install one and set "
            "IMAGEIO_FFMPEG_EXE to it, or write a .gif"
        ) from error


def write_video(program: str, pictures: Iterable[Image.Image], fps: float, comment: str, path: Path) -> None:
    """Encode pictures with the codec that the ending of `path` names, one picture in memory at a time.

    Args:
        program: path of ffmpeg.
        pictures: RGB pictures of one size, with even sides.
        fps: pictures per second.
        comment: text of the file's comment.
        path: file to write.

    Raises:
        OSError: ffmpeg could not write the file; the message holds the end of its output.
        ExportError: the program is not ffmpeg, or failed for another reason.
    """
    try:
        made = tempfile.TemporaryFile()  # noqa: SIM115 - the lines below close it
    except OSError as error:
        raise ExportError(
            f"there is no place for temporary files, which ffmpeg needs ({error}); "
            f"{write_remedy(error, Path(), 'set TMPDIR to another folder')}"
        ) from error
    with made as log:
        running: subprocess.Popen[bytes] | None = None
        try:
            for picture in pictures:
                running = running or _start(_command(program, picture.size, fps, comment, path), log)
                assert running.stdin is not None
                running.stdin.write(picture.tobytes())
            if running is not None:
                running.communicate()
        except BrokenPipeError:  # ffmpeg ended early; its log says why
            pass
        finally:
            if running is not None:
                running.kill()  # does nothing if it has ended
                running.wait()
        if running is None or running.returncode != 0 or not path.is_file():
            log.seek(0)
            raise _failure(program, " ".join(log.read()[-400:].decode(errors="replace").split()))


def _start(command: list[str], log: IO[bytes]) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise
        raise _unusable(command[0], f"cannot be started ({error})") from error


def _failure(program: str, output: str) -> Exception:
    """The error for an ffmpeg that wrote no video: of the disk if its output names such an error, else of ffmpeg."""
    for number in DISK_ERRORS:
        if os.strerror(number) in output:
            return OSError(number, f"ffmpeg failed: {output}")
    return _unusable(program, f"failed: {output or 'it wrote no video and said nothing'}")


def _unusable(program: str, found: str) -> ExportError:
    chosen = os.environ.get("IMAGEIO_FFMPEG_EXE")
    if chosen:
        return ExportError(
            f"IMAGEIO_FFMPEG_EXE is {chosen!r}, which {found}; expected the path of ffmpeg; unset this variable, set "
            "it to ffmpeg, or write a .gif"
        )
    return ExportError(
        f"ffmpeg, {program!r}, {found}; expected a program that writes videos; install imageio-ffmpeg again, set "
        "IMAGEIO_FFMPEG_EXE to another ffmpeg, or write a .gif"
    )


def _command(program: str, size: tuple[int, int], fps: float, comment: str, path: Path) -> list[str]:
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", str(fps), "-i", "-")
    about = ("-metadata", f"comment={comment}")
    return [program, "-v", "error", "-y", *raw, *CODECS[path.suffix.lower()], *SPACE, *TAGS, *about, f"file:{path}"]
