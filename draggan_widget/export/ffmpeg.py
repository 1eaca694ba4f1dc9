"""Pictures through a pipe into ffmpeg, as it comes with imageio-ffmpeg (extra "export").

imageio's own writer does not tell whether ffmpeg came to its end: a full disk would put half a video in the place of
a whole one.
"""

import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from PIL import Image

from draggan_widget.errors import ExportError

# H.264 with two pixels to a colour and the index first: what browsers, phones, slides and QuickTime play.
MP4 = ("-c:v", "libx264", "-crf", "17", "-preset", "medium", "-movflags", "+faststart")
WEBM = ("-c:v", "libvpx-vp9", "-crf", "24", "-b:v", "0", "-deadline", "good", "-cpu-used", "5", "-row-mt", "1")
CODECS = {".mp4": MP4, ".webm": WEBM}
# RGB to BT.709, and said so: players guess the matrix of a video that does not say, and show other colours.
SPACE = ("-vf", "scale=out_color_matrix=bt709:out_range=tv", "-pix_fmt", "yuv420p", "-colorspace", "bt709")
TAGS = ("-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv")


def find_ffmpeg(path: Path) -> str:
    """Where ffmpeg is.

    Raises:
        ExportError: imageio-ffmpeg is not installed or has none for this machine.
    """
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise ExportError(
            f"{path.name} needs imageio-ffmpeg, which is not installed; run pip install 'draggan-widget[export]', "
            "or write a .gif, which needs nothing more"
        ) from error
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise ExportError(
            f"{path.name} needs ffmpeg, and imageio-ffmpeg found none ({error}); install one and set "
            "IMAGEIO_FFMPEG_EXE to it, or write a .gif"
        ) from error


def write_video(program: str, pictures: Iterable[Image.Image], fps: float, comment: str, path: Path) -> None:
    """Encode pictures of one even size by the ending of `path`, one picture in memory at a time.

    Raises:
        OSError: ffmpeg failed; the message has its last words.
    """
    with tempfile.TemporaryFile() as words:
        running: subprocess.Popen[bytes] | None = None
        try:
            for picture in pictures:
                running = running or _start(_command(program, picture.size, fps, comment, path), words)
                assert running.stdin is not None
                running.stdin.write(picture.tobytes())
            if running is not None:
                running.communicate()
        except BrokenPipeError:  # it ended early and said why
            pass
        finally:
            if running is not None:
                running.kill()  # nothing, where it has ended
                running.wait()
        if running is None or running.returncode != 0:
            words.seek(0)
            said = " ".join(words.read()[-400:].decode(errors="replace").split())
            raise OSError(f"ffmpeg failed: {said or 'it said nothing'}")


def _start(command: list[str], words: IO[bytes]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=words)


def _command(program: str, size: tuple[int, int], fps: float, comment: str, path: Path) -> list[str]:
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", str(fps), "-i", "-")
    about = ("-metadata", f"comment={comment}")
    return [program, "-v", "error", "-y", *raw, *CODECS[path.suffix.lower()], *SPACE, *TAGS, *about, f"file:{path}"]
