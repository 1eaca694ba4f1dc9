"""Every format decoded again."""

import builtins
import json
import os
import sys
from pathlib import Path

import imageio_ffmpeg
import pytest
from export.records import psnr, step_at, walk
from PIL import Image

from draggan_widget.engine.edit import Edit
from draggan_widget.engine.record import DragRecord, DragStep
from draggan_widget.errors import ConfigError, ExportError, RecordError
from draggan_widget.export import ffmpeg
from draggan_widget.export.video import save_video
from draggan_widget.inspection.draw_points import COLOURS

SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def decode(path: Path) -> tuple[list[Image.Image], dict]:
    """Every picture of a video, and what ffmpeg says of it."""
    reader = imageio_ffmpeg.read_frames(path)
    about = next(reader)
    return [Image.frombytes("RGB", about["size"], frame) for frame in reader], about


def decode_gif(path: Path) -> tuple[list[Image.Image], list[int]]:
    """Every picture of a GIF, and how many ms it stays."""
    with Image.open(path) as gif:
        pictures, held = [], []
        for place in range(gif.n_frames):  # pyright: ignore[reportAttributeAccessIssue]
            gif.seek(place)
            pictures.append(gif.convert("RGB"))
            held.append(gif.info["duration"])
    return pictures, held


def test_a_gif_has_every_step_in_its_colours_and_rests_at_the_last(tmp_path: Path):
    record = walk(6)
    path = save_video(record, tmp_path / "drag.gif", fps=20, size=64)
    pictures, held = decode_gif(path)
    assert held == [50] * 5 + [1000]
    assert [picture.size for picture in pictures] == [(64, 64)] * 6
    assert min(psnr(seen, step.picture()) for seen, step in zip(pictures, record, strict=True)) > 30
    with Image.open(path) as gif:
        assert gif.info["loop"] == 0
        assert json.loads(gif.info["comment"])["digital_source_type"] == SOURCE


@pytest.mark.parametrize(("name", "codec"), [("drag.mp4", "h264"), ("DRAG.WEBM", "vp9")])
def test_a_video_has_every_step_in_its_colours_and_rests_at_the_last(tmp_path: Path, name: str, codec: str):
    record = walk(6)
    pictures, about = decode(save_video(record, tmp_path / name, fps=10, size=64))
    assert (about["codec"], about["size"], about["fps"]) == (codec, (64, 64), 10)
    assert about["pix_fmt"].startswith("yuv420p(tv, bt709")
    assert len(pictures) == 6 + 9  # a second at 10 pictures a second
    steps = [*record, *[record[-1]] * 9]
    assert min(psnr(seen, step.picture()) for seen, step in zip(pictures, steps, strict=True)) > 30
    assert os.listdir(tmp_path) == [name]


def test_an_mp4_begins_with_its_index_and_says_what_made_it(tmp_path: Path):
    data = save_video(walk(2), tmp_path / "drag.mp4", size=64).read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    assert SOURCE.encode() in data
    assert b'"generator": "blob", "seed": 7' in data


def test_small_pictures_are_enlarged_and_a_gif_of_large_ones_is_not_larger(tmp_path: Path):
    def sizes(side: int | None, kind: str, picture: int) -> tuple[int, int]:
        from analytic import BlobGenerator

        path = save_video(walk(1, BlobGenerator(picture, wide=2)), tmp_path / f"x{kind}", size=side)
        return (decode_gif(path)[0] if kind == ".gif" else decode(path)[0])[0].size

    assert sizes(None, ".gif", 64) == (512, 256)
    assert sizes(None, ".gif", 512) == (512, 256)
    assert sizes(None, ".mp4", 64) == (512, 256)
    assert sizes(None, ".mp4", 512) == (1024, 512)
    assert sizes(101, ".mp4", 64) == (100, 50)  # H.264 wants even sides


def test_handles_targets_and_ways_are_drawn_where_they_are(tmp_path: Path):
    pictures, _ = decode_gif(save_video(walk(5), tmp_path / "drag.gif", paths=True, size=512))
    colour = tuple(int(COLOURS[0][i : i + 2], 16) for i in (1, 3, 5))
    scale = 512 / 64

    def near(picture: Image.Image, x: float, y: float) -> bool:
        seen = picture.getpixel((round((x + 0.5) * scale), round((y + 0.5) * scale)))
        assert isinstance(seen, tuple)
        return max(abs(a - b) for a, b in zip(seen, colour, strict=True)) < 24

    assert near(pictures[0], 20, 24)
    assert not near(pictures[0], 32, 24)  # it has not been there yet
    assert near(pictures[4], 32, 24)
    assert near(pictures[4], 26, 24)  # the way
    assert near(pictures[4], 44 + 9.5 / scale, 36)  # the target's ring, and inside it the picture
    assert not near(pictures[4], 44, 36)
    assert not near(pictures[4], 20, 30)


def test_without_paths_nothing_is_drawn(tmp_path: Path):
    plain, _ = decode_gif(save_video(walk(1), tmp_path / "plain.gif", size=512))
    assert psnr(plain[0], walk(1)[0].picture().resize((512, 512), Image.Resampling.LANCZOS)) > 30


def test_a_record_without_points_has_a_video_too(tmp_path: Path):
    record = walk(1)
    assert record[0].generator is not None
    bare = DragRecord({}, [step_at(record[0].generator, 0, Edit(), [])])  # pyright: ignore[reportArgumentType]
    pictures, held = decode_gif(save_video(bare, tmp_path / "x.gif", paths=True, size=64))
    assert (len(pictures), held) == (1, [1000])


def test_a_picture_that_stays_the_same_is_still_a_step(tmp_path: Path):
    step = walk(1)[0]
    pictures, held = decode_gif(save_video(DragRecord({}, [step, step, step]), tmp_path / "x.gif", size=64))
    assert held == [50, 50, 1000]
    assert psnr(pictures[0], pictures[2]) > 80


@pytest.mark.parametrize("kind", [".gif", ".mp4"])
def test_no_picture_is_kept_after_its_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str):
    alive, most = 0, 0

    class Counted(Image.Image):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def picture(self: DragStep) -> Image.Image:
        nonlocal alive, most
        drawn = Image.fromarray(self.pixels())
        drawn.__class__ = Counted
        alive += 1
        most = max(most, alive)
        return drawn

    monkeypatch.setattr(DragStep, "picture", picture)
    save_video(walk(40), tmp_path / f"x{kind}", size=64)
    assert 1 <= most <= 3


def test_a_drawing_that_fails_leaves_the_older_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    record, drawn = walk(5), 0
    original = DragStep.picture

    def failing(self: DragStep) -> Image.Image:
        nonlocal drawn
        drawn += 1
        if drawn > 3:
            raise RuntimeError("out of ink")
        return original(self)

    path = tmp_path / "drag.mp4"
    path.write_bytes(b"older")
    monkeypatch.setattr(DragStep, "picture", failing)
    with pytest.raises(RuntimeError, match=r"^out of ink$"):
        save_video(record, path, size=64)
    assert path.read_bytes() == b"older"
    assert os.listdir(tmp_path) == ["drag.mp4"]


def test_an_ffmpeg_that_fails_is_an_error_in_its_words_and_the_older_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(ffmpeg.CODECS, ".mp4", ("-c:v", "no-such-codec"))
    path = tmp_path / "drag.mp4"
    path.write_bytes(b"older")
    with pytest.raises(
        ExportError, match=r"^ffmpeg, '.*', failed: .*no-such-codec.*; expected a program that writes videos; "
    ):
        save_video(walk(50), path, size=512)
    assert path.read_bytes() == b"older"
    assert os.listdir(tmp_path) == ["drag.mp4"]


def test_without_the_extra_a_video_says_what_to_install_and_a_gif_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    original = builtins.__import__

    def without(name: str, *rest, **named):
        if name.startswith("imageio"):
            raise ImportError(f"No module named {name!r}")
        return original(name, *rest, **named)

    monkeypatch.delitem(sys.modules, "imageio_ffmpeg")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(
        ExportError,
        match=r"^drag\.webm needs imageio-ffmpeg, which is not installed; run pip install 'draggan-widget\[export\]', "
        r"or write a \.gif, which needs neither$",
    ):
        save_video(walk(2), tmp_path / "drag.webm")
    assert os.listdir(tmp_path) == []
    assert save_video(walk(2), tmp_path / "drag.gif", size=64).exists()


def test_what_cannot_be_is_refused_before_anything_is_drawn(tmp_path: Path, unchecked: None):
    with pytest.raises(ExportError, match=r"^drag\.avi ends in '\.avi'; expected \.gif, \.mp4 or \.webm$"):
        save_video(walk(2), tmp_path / "drag.avi")
    with pytest.raises(ConfigError, match=r"^fps is 0; expected a number over 0 and at most 50$"):
        save_video(walk(2), tmp_path / "drag.gif", fps=0)
    with pytest.raises(ConfigError, match=r"^size is 8; expected whole px from 16 to 4096, or None$"):
        save_video(walk(2), tmp_path / "drag.gif", size=8)
    with pytest.raises(RecordError, match=r"^the record has 0 steps; expected at least one; start a drag first$"):
        save_video(DragRecord(), tmp_path / "drag.gif")
    walk(2).save(tmp_path / "record.npz")
    with pytest.raises(RecordError, match=r"^this record was read without its generator; call DragRecord\.load\(path"):
        save_video(DragRecord.load(tmp_path / "record.npz"), tmp_path / "drag.gif")
    assert os.listdir(tmp_path) == ["record.npz"]
