"""The landmark study on the analytic generator, with a detector that knows where the blob is."""

import dataclasses

import numpy as np
import pytest
from analytic import BlobGenerator

from benchmarks import landmarks as study
from draggan_widget import DragConfig
from draggan_widget.evaluation import landmarks
from draggan_widget.evaluation.landmarks import Judge


class BlobDetector:
    """Every landmark is the brightest place of the picture, in 512-px coordinates."""

    def landmarks(self, pixels):
        y, x = np.unravel_index(pixels.sum(axis=2).argmax(), pixels.shape[:2])
        scale = 512 / pixels.shape[0]
        return np.tile([(x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5], (68, 1))

    def identity(self, pixels):
        return pixels.mean(axis=(0, 1)).repeat(43)[:128]


@pytest.fixture
def judge(monkeypatch):
    monkeypatch.setattr(landmarks, "FaceDetector", BlobDetector)
    return Judge(BlobGenerator())


def test_a_drag_of_a_pair_is_judged_by_the_detector_and_not_by_the_tracker(judge):
    task = judge.pair_task("nose", 3, (30,))
    assert task is not None
    row = judge.run(task, "default", DragConfig.for_generator(judge.generator))
    assert row.ended == "arrived"
    assert row.before == pytest.approx(float(np.linalg.norm(task.start - task.goal)))
    assert row.after < 0.4 * row.before
    assert row.feature_distance < 3.0


def test_rows_survive_their_file_and_make_a_table(tmp_path, judge):
    task = judge.shift_task("nose+40", 1, 30, (16.0, 0.0))
    row = judge.run(task, "default", DragConfig.for_generator(judge.generator))
    path = tmp_path / "rows.csv"
    study.append(path, row)
    study.append(path, dataclasses.replace(row, after=float("nan")))
    read = study.read_rows(path)
    assert read[0] == row
    assert np.isnan(read[1].after)
    assert f"| default | nose+40 | 2 | 16.0 | {row.after:.2f} |" in study.table(read)


def test_a_face_that_is_not_seen_makes_no_task(judge, monkeypatch):
    monkeypatch.setattr(judge.detector, "landmarks", lambda pixels: None, raising=False)
    assert judge.pair_task("nose", 0, (30,)) is None
    assert judge.shift_task("nose+40", 0, 30, (40.0, 0.0)) is None


def test_a_collapsed_picture_is_far_from_the_usual_features(judge):
    usual = judge.feature_distance(judge.ws(77))
    assert judge.feature_distance(judge.generator.ws_at(-200.0, -200.0)) > 3 * usual


def test_every_setting_of_the_study_is_a_configuration():
    generator = BlobGenerator(side=512)
    for setting in study.SETTINGS:
        assert study.config_of(generator, setting).max_steps == study.MAX_STEPS
