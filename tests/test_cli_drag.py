"""The commands drag and replay."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from analytic import BlobGenerator
from PIL import Image
from session.helpers import BOUND, OTHER, opened

from draggan_widget import DragRecord, Edit, cli, cli_drag
from draggan_widget.export.edit_file import load_edit
from draggan_widget.export.pictures import read_provenance
from draggan_widget.export.trajectories import load_trajectories
from draggan_widget.generators import load
from draggan_widget.session import session as session_module

POINTS = ("--handle", "31,31", "--target", "44,36")


@pytest.fixture(autouse=True)
def blob(monkeypatch: pytest.MonkeyPatch) -> BlobGenerator:
    """Whatever name is asked for is the analytic generator, its blob in the middle."""
    generator = BlobGenerator()
    monkeypatch.setattr(generator, "ws_from_seed", lambda seed, psi=1.0, label=None: generator.ws_at(31.0, 31.0))
    for module in (load, session_module):
        monkeypatch.setattr(module, "load_generator", lambda source: generator)
    return generator


def run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert run(*arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err.rstrip("\n")


def test_a_drag_writes_pictures_video_record_edit_and_paths(tmp_path: Path, capsys):
    out = tmp_path / "new" / "out"
    assert run("drag", "heads", "--seed", 3, *POINTS, "--out", out) == 0
    said, err = capsys.readouterr()
    assert err == ""
    record = DragRecord.load(out / "record.npz", BlobGenerator())
    lines = said.splitlines()
    assert lines[0] == f"arrived after {len(record) - 1} steps"
    assert re.fullmatch(r"handle 1: \(4\d, 3\d\), [01]\.\d\d px from its target", lines[1])
    names = ["record.npz", "edit.json", "trajectories.csv", "before.png", "after.png", "drag.mp4"]
    assert lines[2:] == [f"wrote {out / name}" for name in names]
    assert sorted(os.listdir(out)) == sorted(names)
    assert record[-1].ended == "arrived"
    for name, step in (("before.png", record[0]), ("after.png", record[-1])):
        np.testing.assert_array_equal(np.asarray(Image.open(out / name)), step.pixels())
        told = read_provenance(out / name)
        assert (told["step"], told["about"]["seed"]) == (step.index, 3)
    assert len(load_trajectories(out / "trajectories.csv")) == len(record)
    assert load_edit(out / "edit.json").seed == 3
    assert (out / "drag.mp4").stat().st_size > 1000


@pytest.mark.filterwarnings("ignore:preset 'paper'")
def test_every_option_reaches_the_drag(tmp_path: Path):
    mask = np.zeros((64, 64), np.uint8)
    mask[:50] = 255
    Image.fromarray(mask).save(tmp_path / "m.png")
    more = ("--handle", "31,40", "--target", "31,40", "--mask", tmp_path / "m.png", "--preset", "paper")
    assert run("drag", "heads", *POINTS, *more, "--truncation-psi", 0.5, "--steps", 3, "--out", tmp_path / "out") == 0
    saved = load_edit(tmp_path / "out" / "edit.json")
    assert (saved.edit.handles, saved.edit.targets) == (((31.0, 31.0), (31.0, 40.0)), ((44.0, 36.0), (31.0, 40.0)))
    assert saved.edit.mask is not None
    np.testing.assert_array_equal(saved.edit.mask, mask > 127)
    assert (saved.config.preset, saved.config.max_steps, saved.truncation_psi) == ("paper", 3, 0.5)
    assert saved.segments[0].count == 4


def test_without_ffmpeg_the_video_is_a_gif(tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run("drag", "heads", *POINTS, "--steps", 3, "--out", tmp_path) == 0
    assert f"wrote {tmp_path / 'drag.gif'}" in capsys.readouterr().out
    assert Image.open(tmp_path / "drag.gif").format == "GIF"


@pytest.mark.slow
def test_a_drag_made_again_ends_where_it_ended(tmp_path: Path, capsys):
    assert run("drag", "heads", *POINTS, "--out", tmp_path / "a") == 0
    capsys.readouterr()
    assert run("replay", tmp_path / "a" / "edit.json", "--generator", "heads", "--out", tmp_path / "b") == 0
    lines = capsys.readouterr().out.splitlines()
    a, b = (DragRecord.load(tmp_path / name / "record.npz") for name in "ab")
    np.testing.assert_array_equal(a.ws, b.ws)
    assert lines[-2:] == [
        f"saved: arrived, {len(a)} recorded steps; here {len(a)}",
        "largest difference of a handle: 0 px (at most 1 expected)",
    ]
    assert sorted(os.listdir(tmp_path / "b")) == sorted(os.listdir(tmp_path / "a"))


def test_a_replay_that_ends_elsewhere_has_status_1(tmp_path: Path, capsys):
    with opened() as session:
        session.run()
        path = session.save(tmp_path / "edit.json")
    content = json.loads(path.read_text())
    content["result"]["handles"][0][0] += 1.5
    path.write_text(json.dumps(content))
    assert run("replay", path, "--generator", "heads") == 1
    assert capsys.readouterr().out.endswith("largest difference of a handle: 1.5 px (at most 1 expected)\n")
    assert os.listdir(tmp_path) == ["edit.json"]


def test_a_replay_says_what_it_cannot_make_again(tmp_path: Path, capsys):
    with opened() as session:
        path = session.save(tmp_path / "edit.json")
    assert run("replay", path, "--generator", "heads") == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "the file has no result to compare with: it was saved before its drag"
    )
    with opened() as session:
        session.run()
        session.edit = OTHER
        content = json.loads(session.save(path).read_text())
    content["result"]["not_reproduced"] = ["steps are missing"]
    path.write_text(json.dumps(content))
    run("replay", path, "--generator", "heads")
    assert "note: steps are missing" in capsys.readouterr().out.splitlines()


def test_a_file_names_its_generator_only_where_the_name_is_known(tmp_path: Path, capsys):
    with opened() as session:
        path = session.save(tmp_path / "edit.json")
    assert refusal(capsys, "replay", path) == (
        f"draggan-widget: {path} was made with 'blob', which is not a known name; pass its file: --generator PATH"
    )
    path.write_text(path.read_text().replace('"blob"', '"heads"'))
    assert run("replay", path) == 0


@pytest.mark.filterwarnings("default")
def test_other_weights_are_a_warning_of_one_line(tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    with opened() as session:
        content = json.loads(session.save(tmp_path / "edit.json").read_text())
    content["generator"]["sha256"] = "cd" * 32
    monkeypatch.setattr(BlobGenerator, "sha256", "ab" * 32)
    (tmp_path / "edit.json").write_text(json.dumps(content))
    assert run("replay", tmp_path / "edit.json", "--generator", "heads") == 0
    err = capsys.readouterr().err
    assert re.fullmatch(rf"draggan-widget: warning: {tmp_path}/edit.json was made with blob \(sha256 .*\n", err)


def test_a_drag_that_fails_keeps_what_it_made(tmp_path: Path, capsys, blob: BlobGenerator, monkeypatch):
    maps = blob._maps
    monkeypatch.setattr(blob, "_maps", lambda *size: maps(*size) if blob.calls <= 4 else maps(*size) * float("nan"))
    assert run("drag", "heads", *POINTS, "--out", tmp_path) == 2
    out, err = capsys.readouterr()
    assert re.fullmatch("draggan-widget: .+\n", err)
    assert out.splitlines()[0] == f"wrote {tmp_path / 'record.npz'}"
    assert len(DragRecord.load(tmp_path / "record.npz")) >= 2


@pytest.mark.parametrize("command", ["drag", "replay"])
def test_a_folder_that_cannot_be_written_is_found_before_anything_is_loaded(
    tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch, command: str
):
    with opened() as session:
        edit = session.save(tmp_path / "edit.json")
    loaded = []
    for module in (load, session_module):
        monkeypatch.setattr(module, "load_generator", loaded.append)
    (tmp_path / "file").write_text("mine")
    out = tmp_path / "file" / "out"
    given = ("heads", *POINTS) if command == "drag" else (edit, "--generator", "heads")
    message = refusal(capsys, command, *given, "--out", out)
    assert re.fullmatch(
        rf"draggan-widget: --out {out} cannot be written \(\[Errno \d+\] .+\); '{out.parent}' is a file, not a folder; "
        "choose another folder",
        message,
    )
    assert loaded == []


def test_files_already_written_are_named_when_a_later_one_fails(tmp_path: Path, capsys):
    (tmp_path / "before.png").mkdir()
    assert run("drag", "heads", *POINTS, "--steps", 2, "--out", tmp_path) == 2
    out, err = capsys.readouterr()
    names = ["record.npz", "edit.json", "trajectories.csv"]
    assert [line for line in out.splitlines() if line.startswith("wrote")] == [f"wrote {tmp_path / n}" for n in names]
    assert err.startswith(f"draggan-widget: {tmp_path / 'before.png'} cannot be written (")


@pytest.mark.skipif(sys.platform == "win32", reason="signals as Unix has them")
def test_ctrl_c_waits_for_record_and_edit_and_leaves_the_rest_out(
    tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
):
    saved = DragRecord.save

    def interrupted(record: DragRecord, path: Path) -> Path:
        os.kill(os.getpid(), signal.SIGINT)
        return saved(record, path)

    monkeypatch.setattr(DragRecord, "save", interrupted)
    assert run("drag", "heads", *POINTS, "--steps", 2, "--out", tmp_path) == 130
    assert sorted(os.listdir(tmp_path)) == ["edit.json", "record.npz"]
    assert capsys.readouterr().err == "draggan-widget: interrupted\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("option", ["--handle", "--target"])
def test_a_point_that_begins_with_a_minus_says_how_to_write_it(capsys, option: str):
    with pytest.raises(SystemExit):
        run("drag", "heads", *POINTS, option, "-5,78", "--out", "never")
    assert capsys.readouterr().err.endswith(
        f"a point that begins with a minus is written with an equals sign: {option}=-5,78\n"
    )


@pytest.mark.parametrize(
    ("arguments", "due"),
    [
        ((), "there is no --handle; expected at least one, with its --target: --handle 512,540 --target 572,540"),
        (("--handle", "1,2"), "the edit has 1 handles and 0 targets; give each handle one target"),
        (("--handle", "99,2", "--target", "1,2"), "handle 1 at (99, 2) is outside the 64 x 64 image; move it inside"),
        ((*POINTS, "--steps", "-1"), "max_steps is -1; expected 0 to 1000000"),
        (
            (*POINTS, "--truncation-psi", "3"),
            "truncation_psi is 3.0; expected a number from -2 to 2 (1: none, 0.7: usual)",
        ),
        ((*POINTS, "--seed", "1.5"), None),
        (("--handle", "1;2", "--target", "1,2"), None),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, capsys, arguments: tuple, due: str | None):
    if due is None:
        with pytest.raises(SystemExit) as caught:
            run("drag", "heads", *arguments, "--out", tmp_path)
        assert caught.value.code == 2
    else:
        assert refusal(capsys, "drag", "heads", *arguments, "--out", tmp_path) == f"draggan-widget: {due}"
    assert os.listdir(tmp_path) == []


def test_a_mask_that_is_none_is_one_line(tmp_path: Path, capsys):
    missing, small = tmp_path / "missing.png", tmp_path / "small.png"
    assert refusal(capsys, "drag", "heads", *POINTS, "--mask", missing, "--out", tmp_path).startswith(
        f"draggan-widget: --mask {missing} cannot be read ("
    )
    Image.new("L", (8, 8)).save(small)
    assert refusal(capsys, "drag", "heads", *POINTS, "--mask", small, "--out", tmp_path) == (
        "draggan-widget: the mask is 8 x 8 px and the image 64 x 64; give a mask of the image's size"
    )
    grey = tmp_path / "grey.png"
    Image.fromarray(np.uint8([[0, 90, 255]])).save(grey)
    assert refusal(capsys, "drag", "heads", *POINTS, "--mask", grey, "--out", tmp_path) == (
        f"draggan-widget: --mask {grey}: mask is 3 x 1 px and holds 3 values (0, 90, 255); expected (height, width) of "
        "two values, 0 (stays) and one other (may move); give np.asarray(mask) > 127, saved as a PNG"
    )


@pytest.mark.parametrize(
    "picture",
    [
        np.uint8([[0, 1], [0, 0]]),
        np.uint8([[0, 255], [0, 0]]),
        np.uint16([[0, 300], [0, 0]]),
        np.bool_([[0, 1], [0, 0]]),
    ],
    ids=["0 and 1", "0 and 255", "16 bits", "1 bit"],
)
def test_a_mask_of_any_two_values_is_read(tmp_path: Path, picture: np.ndarray):
    Image.fromarray(picture).save(tmp_path / "mask.png")
    mask = Edit([(0, 0)], [(1, 0)], cli_drag._read_mask(tmp_path / "mask.png")).mask
    assert mask is not None
    assert mask.tolist() == [[False, True], [False, False]]


@pytest.mark.parametrize("command", ["drag", "replay"])
def test_help_shows_examples_units_and_defaults(capsys, command: str):
    with pytest.raises(SystemExit) as caught:
        cli.main([command, "--help"])
    said = capsys.readouterr().out
    assert caught.value.code == 0
    for words in ("examples:\n  draggan-widget " + command, "Exit status: 0", "px", "default"):
        assert words in said


SLOW = """
import sys
sys.path[:0] = sys.argv[1:3]
from analytic import BlobGenerator
from draggan_widget import cli
from draggan_widget.generators import load
from draggan_widget.session import session
generator = BlobGenerator()
def stepped(*arguments, drawn=type(generator).features):
    if generator.calls == 20:
        print("going", flush=True)
    return drawn(generator, *arguments)
generator.features = stepped
load.load_generator = session.load_generator = lambda source: generator
generator.drag_defaults = {"block": 3, "learning_rate": 1e-7, "max_steps": 10**6, "stall_steps": 10**6}
sys.exit(cli.main(["drag", "heads", "--handle", "31,31", "--target", "44,36", "--out", sys.argv[3]]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals as Unix has them")
def test_ctrl_c_keeps_what_was_made_so_far(tmp_path: Path):
    here = Path(__file__).parent
    command = [sys.executable, "-c", SLOW, str(here), str(here.parent), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "going\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=BOUND)
    assert (process.returncode, err) == (130, "")
    count = len(DragRecord.load(tmp_path / "record.npz"))
    assert count > 10
    assert out.splitlines()[0] == f"stopped after {count - 1} steps"
    assert load_edit(tmp_path / "edit.json").result is not None
    assert (tmp_path / "after.png").exists()
