import io
import json
import re
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from analytic import BlobGenerator
from engine.helpers import run
from PIL import Image, PngImagePlugin
from session.helpers import opened

from draggan_widget import DragRecord, DragStep, Edit
from draggan_widget.errors import ExportError, RecordError
from draggan_widget.export import pictures, provenance
from draggan_widget.export.json_values import unpack_edit, unpack_masks
from draggan_widget.export.pictures import JPEG_XMP, read_provenance, save_picture

ENDINGS = (".png", ".jpg", ".JPEG")
IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
ABOUT = {"generator": "blob", "seed": 3, "truncation_psi": 0.7, "config": {"block": 3}, "versions": {"torch": "2"}}


def refusal(path: Path) -> str:
    with pytest.raises(ExportError) as caught:
        read_provenance(path)
    return str(caught.value)


def drawn_by_hand(side: int = 1024) -> np.ndarray:
    """Some thirty strokes of a wobbling brush, with holes rubbed out again."""
    random, mask = np.random.default_rng(5), np.zeros((side, side), bool)
    y, x = np.mgrid[:side, :side]
    for stroke in range(30):
        place, way = random.uniform(0, side, 2), random.uniform(-1, 1, 2)
        for _ in range(40):
            way = 0.9 * way + 0.3 * random.normal(size=2)
            place = (place + 8 * way) % side
            (left, top), reach = (place - 40).astype(int).clip(0), 20 + 8 * random.random()
            part = np.s_[top : top + 80, left : left + 80]
            near = (x[part] - place[0]) ** 2 + (y[part] - place[1]) ** 2 < reach**2
            mask[part] = mask[part] & ~near if stroke % 5 == 4 else mask[part] | near
    return mask


def step_of(mask: np.ndarray | None, side: int = 64) -> DragStep:
    edit = Edit([(20.0, 30.0)], [(42.0, 37.0)], mask, [True])
    return next(iter(run(BlobGenerator(side), edit, (20.0, 30.0), max_steps=0)))


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_picture_says_that_a_model_made_it_and_how(tmp_path: Path, ending: str):
    record = DragRecord(ABOUT, run(BlobGenerator(), max_steps=3))
    told = read_provenance(save_picture(record, tmp_path / f"new/p{ending}"))
    last = record[-1]
    assert told["digital_source_type"] == IPTC
    assert told["creator_tool"] == f"draggan-widget {version('draggan-widget')}"
    assert (told["about"], told["step"], told["ending"]) == (ABOUT, 3, "cap")
    assert told["handles"] == [list(handle) for handle in last.handles]
    assert unpack_edit(told["edit"], unpack_masks(told["masks"])) == last.edit


def test_a_png_has_the_very_pixels_of_its_step(tmp_path: Path):
    step = run(BlobGenerator(), max_steps=3)[2]
    path = save_picture(step, tmp_path / "p.png", ABOUT)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), step.pixels())
    assert read_provenance(path)["about"] == ABOUT


def test_a_jpeg_keeps_full_colours_at_quality_95(tmp_path: Path):
    step = run(BlobGenerator(), max_steps=3)[2]
    with Image.open(save_picture(step, tmp_path / "p.jpg")) as image:
        assert image.layer == [(1, 1, 1, 0), (2, 1, 1, 1), (3, 1, 1, 1)]  # pyright: ignore[reportAttributeAccessIssue]
        again, buffer = image.convert("RGB"), io.BytesIO()
        Image.fromarray(step.pixels()).save(buffer, "JPEG", quality=95, subsampling=0)
        np.testing.assert_array_equal(np.asarray(again), np.asarray(Image.open(buffer)))
    assert np.abs(np.asarray(again).astype(int) - step.pixels()).mean() < 2


def test_a_step_alone_knows_its_generator(tmp_path: Path):
    step = run(BlobGenerator(), max_steps=0)[0]
    told = read_provenance(save_picture(step, tmp_path / "p.png"))
    assert step.generator is not None
    assert told["about"] == {"generator": "blob", "family": "analytic", "sha256": step.generator.sha256}


def test_a_session_is_drawn_as_it_is_now(tmp_path: Path):
    with opened() as session:
        before = read_provenance(save_picture(session, tmp_path / "a.png"))
        session.step(3)
        told = read_provenance(save_picture(session, tmp_path / "b.png"))
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "b.png")), session.current.pixels())
        assert (before["step"], told["step"]) == (0, 3)
        assert told["about"] == json.loads(json.dumps(session.record.about))


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_mask_drawn_by_hand_at_1024_px_is_held_whole(tmp_path: Path, ending: str):
    mask = drawn_by_hand()
    assert 0.1 < mask.mean() < 0.9
    told = read_provenance(save_picture(step_of(mask, 1024), tmp_path / f"p{ending}"))
    edit = unpack_edit(told["edit"], unpack_masks(told["masks"]))
    assert edit == Edit([(20.0, 30.0)], [(42.0, 37.0)], mask, [True])
    assert "left_out" not in told


def test_a_mask_of_noise_is_left_out_of_a_jpeg_in_words_and_held_by_a_png(tmp_path: Path):
    noise = np.random.default_rng(0).random((1024, 1024)) < 0.5
    step = step_of(noise, 1024)
    jpeg = read_provenance(save_picture(step, tmp_path / "p.jpg"))
    assert jpeg["left_out"] == "the masks take over 64 KB, more than a JPEG holds; a PNG holds them"
    assert unpack_edit(jpeg["edit"], []) == Edit([(20.0, 30.0)], [(42.0, 37.0)], None, [True])
    png = read_provenance(save_picture(step, tmp_path / "p.png"))
    np.testing.assert_array_equal(unpack_masks(png["masks"])[0], noise)


@pytest.mark.parametrize("ending", ENDINGS)
def test_other_readers_find_the_packet(tmp_path: Path, ending: str):
    path = save_picture(step_of(None), tmp_path / f"p{ending}", {"label": "<&>\"'\u00e9 ]]>"})
    with Image.open(path) as image:
        described = image.getxmp()["xmpmeta"]["RDF"]["Description"]
    assert described["DigitalSourceType"] == IPTC
    assert read_provenance(path)["about"] == {"label": "<&>\"'\u00e9 ]]>"}


def with_packet(packet: bytes, path: Path) -> Path:
    """A picture with this packet and nothing else of ours."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG")
    data, held = buffer.getvalue(), JPEG_XMP + packet
    path.write_bytes(data[:2] + b"\xff\xe1" + (2 + len(held)).to_bytes(2, "big") + held + data[2:])
    return path


def test_entities_are_never_expanded(tmp_path: Path):
    bomb = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
    for start in (bomb, "<!DOCTYPE x SYSTEM 'file:///etc/passwd'>"):
        held = (
            provenance.make_packet({"schema": "draggan-widget picture"}, "x").decode().replace("<x:", f"{start}<x:", 1)
        )
        path = with_packet(held.encode(), tmp_path / "p.jpg")
        assert refusal(path) == (
            f"{path} is damaged or holds no picture (ValueError: an XMP packet with a document type; expected none); "
            "take another copy"
        )


def test_a_packet_is_read_up_to_a_bound(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(provenance, "LARGEST_PACKET", 10)
    with pytest.raises(ValueError, match=r"^an XMP packet of 11 bytes; expected at most 10$"):
        provenance.parse_packet(b" " * 11)


@pytest.mark.parametrize("packet", [b"", b"<a", b"\xff\xfe<\0a\0", b"<a>" * 5000, "<a>\u0000</a>".encode()])
def test_a_packet_that_is_no_xml_is_refused(tmp_path: Path, packet: bytes):
    path = with_packet(packet, tmp_path / "p.jpg")
    assert re.fullmatch(
        rf"{re.escape(str(path))} is damaged or holds no picture \(.+\); take another copy", refusal(path)
    )


@pytest.mark.parametrize("text", ["{", "[]", "3", "[" * 100_000, '{"schema": "x"}'])
def test_words_that_are_not_ours_are_refused(tmp_path: Path, text: str):
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("draggan-widget", text)
    Image.new("RGB", (8, 8)).save(tmp_path / "p.png", pnginfo=texts)
    assert re.fullmatch(r".* is damaged or holds no picture \(.+\); take another copy", refusal(tmp_path / "p.png"))


def test_a_newer_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.setattr(pictures, "VERSION", 2)
        path = save_picture(step_of(None), tmp_path / "p.jpg")
    assert refusal(path) == f"{path} has schema version 2; this version of draggan-widget reads up to 1; update it"


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_picture_of_somebody_else_is_named(tmp_path: Path, ending: str):
    path = tmp_path / f"p{ending}"
    Image.new("RGB", (8, 8)).save(path)
    assert refusal(path) == f"{path} has no metadata of draggan-widget; expected a picture of save_picture"


def test_what_is_no_picture_or_is_cut_is_refused(tmp_path: Path):
    path = tmp_path / "p.png"
    assert refusal(path) == f"{path} does not exist; expected a file to read; check the path"
    whole = save_picture(step_of(None), path).read_bytes()
    for data in (b"", b"text", whole[:20], whole[:300], b"GIF89a"):
        path.write_bytes(data)
        assert re.fullmatch(r".* is damaged or holds no picture \(.+\); take another copy", refusal(path))


def test_what_cannot_be_drawn_or_written_says_so(tmp_path: Path):
    step = step_of(None)
    with pytest.raises(ExportError) as caught:
        save_picture(step, tmp_path / "p.webp")
    assert str(caught.value) == (
        f"pictures go to a file that ends in .png or .jpg or .jpeg; {str(tmp_path / 'p.webp')!r} does not; rename it"
    )
    with pytest.raises(RecordError, match=r"^the record has 0 steps; expected at least one; start a drag first$"):
        save_picture(DragRecord(), tmp_path / "p.png")
    record = DragRecord({}, [step])
    bare = DragRecord.load(record.save(tmp_path / "r.npz"))
    with pytest.raises(RecordError, match=r"^this step was read without its generator; "):
        save_picture(bare, tmp_path / "p.png")
    (tmp_path / "file").write_bytes(b"")
    says = r"cannot be written \(.*\); '.*file' is a file, not a folder; choose another folder$"
    with pytest.raises(ExportError, match=says):
        save_picture(step, tmp_path / "file" / "p.png")
