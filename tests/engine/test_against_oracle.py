"""The engine against the slow oracle, step by step."""

import itertools

import numpy as np
import pytest
import torch
from analytic import BlobGenerator
from engine.oracle import slow_drag

from draggan_widget import DragConfig, Edit, drag
from draggan_widget.engine.adam import Adam

STEPS = 20
GATE = 0.06  # e_i of the first case lies on both sides of it


def left_half_may_move() -> np.ndarray:
    mask = np.zeros((64, 64), bool)
    mask[:, :32] = True
    return mask


ONE = {"handles": ((24.0, 30.0),), "targets": ((52.0, 43.0),)}
THREE = {"handles": ((22.0, 28.0), (31.0, 25.0), (27.5, 35.25)), "targets": ((49.0, 36.0), (60.0, 33.0), (55.5, 44.0))}
BORDER = {"handles": ((0.0, 0.0), (63.0, 20.0), (10.25, 63.0)), "targets": ((30.0, 12.0), (40.0, 30.0), (40.0, 50.0))}
OUTER = {"handles": ((-0.5, 5.0), (12.0, 63.4)), "targets": ((35.0, 20.0), (40.0, 40.0))}
SIX = {
    "handles": ((22.0, 28.0), (31.0, 25.0), (27.5, 35.25), (20.0, 20.0), (33.0, 33.0), (26.0, 29.0)),
    "targets": ((49.0, 36.0), (60.0, 33.0), (55.5, 44.0), (47.0, 28.0), (60.0, 41.0), (53.0, 37.0)),
}
PAPER = {"preset": "paper", "block": 3}
OFFICIAL = {"preset": "official", "block": 3}
CASES = {
    "one point": (ONE, {}, (25.0, 29.0), None),
    "one point, W+": (ONE, {"latent_space": "W+"}, (25.0, 29.0), None),
    "several points": (THREE, {}, (26.0, 29.0), None),
    "several points, W+": (THREE, {"latent_space": "W+"}, (26.0, 29.0), None),
    "border points": (BORDER, {}, (9.0, 9.0), None),
    "handles on the outer half of border pixels": (OUTER, {}, (8.0, 30.0), None),
    "a mask": (ONE, {}, (25.0, 29.0), left_half_may_move()),
    "a mask and several points, W+": (THREE, {"latent_space": "W+"}, (26.0, 29.0), left_half_may_move()),
    "a gate that opens on the way": (ONE, {"confidence_gate": GATE}, (25.0, 29.0), None),
    "a gate at the border": (BORDER, {"confidence_gate": 0.05}, (9.0, 9.0), left_half_may_move()),
    "longer steps and a wider disc": (ONE, {"step_length": 2.0, "supervision_radius": 4.5}, (25.0, 29.0), None),
    "a coarser block": (ONE, {"block": 2}, (25.0, 29.0), None),
    "paper": (THREE, PAPER, (26.0, 29.0), None),
    "paper, W+ and a mask": (ONE, PAPER | {"latent_space": "W+"}, (25.0, 29.0), left_half_may_move()),
    "paper, six points": (SIX, PAPER, (26.0, 29.0), None),
    "paper, border points": (BORDER, PAPER, (9.0, 9.0), None),
    "official": (THREE, OFFICIAL, (26.0, 29.0), None),
    "official, W+ and a mask": (ONE, OFFICIAL | {"latent_space": "W+"}, (25.0, 29.0), left_half_may_move()),
    "official, border points and a mask": (BORDER, OFFICIAL, (9.0, 9.0), left_half_may_move()),
}
QUICK = ("one point", "several points, W+", "a mask", "paper, W+ and a mask", "a gate at the border")


@pytest.mark.parametrize("case", [pytest.param(c, marks=() if c in QUICK else pytest.mark.slow) for c in CASES])
def test_twenty_steps_equal_the_slow_oracle(case: str, monkeypatch: pytest.MonkeyPatch):
    points, changes, centre, mask = CASES[case]
    generator = BlobGenerator(dtype=torch.float64)
    preset = changes.get("preset", "default")
    faithful = {"learning_rate": 2e-2} if preset != "default" else {}  # the blob wants larger steps than a face
    config = DragConfig.for_generator(generator, preset).replace(**faithful, **changes)
    edit = Edit(**points, mask=mask)
    start = generator.ws_at(*centre)
    start[:, 1, 3:] += 0.25  # rows that differ, also where the centre does not look
    gradients = []
    taken = Adam.step

    def watched(adam, gradient, rate):
        gradients.append(gradient.clone())
        taken(adam, gradient, rate)

    monkeypatch.setattr(Adam, "step", watched)
    fast = list(itertools.islice(drag(generator, start, edit, config), STEPS))
    slow = slow_drag(generator, start, edit, config, STEPS)
    assert len(fast) == len(slow) == STEPS
    torch.testing.assert_close(gradients[0], slow[0].gradient, atol=1e-9, rtol=1e-6)
    for n, (step, due) in enumerate(zip(fast, slow, strict=True)):
        assert list(step.handles) == due.handles, f"step {n}"
        torch.testing.assert_close(step.ws, due.ws, atol=1e-7, rtol=0)
        assert list(step.tracking_error) == pytest.approx(due.errors, abs=1e-8)
        assert step.loss == (None if n == 0 else pytest.approx(slow[n - 1].loss, rel=1e-6))
    if "gate" in case:
        assert {any(due.gated) for due in slow} == {False, True}
    assert not torch.equal(fast[-1].ws, fast[0].ws)


def test_twenty_steps_in_single_precision_equal_the_slow_oracle():
    generator = BlobGenerator()
    edit, config = Edit(**THREE), DragConfig.for_generator(generator)
    start = generator.ws_at(26.0, 29.0)
    fast = list(itertools.islice(drag(generator, start, edit, config), STEPS))
    slow = slow_drag(generator, start, edit, config, STEPS)
    for n, (step, due) in enumerate(zip(fast, slow, strict=True)):
        assert list(step.handles) == due.handles, f"step {n}"
        torch.testing.assert_close(step.ws, due.ws, atol=1e-4, rtol=0)
        assert step.loss == (None if n == 0 else pytest.approx(slow[n - 1].loss, rel=1e-4))
