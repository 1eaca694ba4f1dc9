"""Preset "official" on StyleGAN2 generators against plain tensor code, within what "the same steps" means.

Tracked points identical over 20 steps, loss within 1e-4, the first gradient within 1e-3, w within 1e-2 of the distance
moved, pictures within one grey level. Narrow generators of random weights; windows wherever they pay.
"""

import itertools

import numpy as np
import pytest
from engine.official import official_drag
from engine.oracle import Slow, slow_drag
from generators.test_stylegan2 import made, random_ws
from generators.tiny_stylegan2 import plain_config
from torch import Tensor

from draggan_widget import DragConfig, Edit, drag
from draggan_widget.engine.adam import Adam
from draggan_widget.engine.step import DragStep
from draggan_widget.images import to_uint8

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("unchecked"),
    pytest.mark.filterwarnings("ignore:preset .official. supervises block 5"),
]
STEPS = 20
CHANNELS = {
    64: [8, 8, 8, 6, 4],
    128: [8, 8, 8, 6, 6, 4],
    256: [8, 8, 8, 6, 6, 4, 4],
    512: [8, 8, 8, 6, 6, 4, 4, 4],
}


def points(count: int, side: int) -> Edit:
    """Border handles first, targets a tenth of the picture away.

    Not nearer to a border than that: at 512 px its last two px read the same cell, and rounding decides between them.
    """
    source = np.random.RandomState(10 * side + count)
    handles = [(2.0, side / 2), (side - 4.0, side - 3.0)][:count]
    handles += [tuple(map(float, source.randint(0, side, size=2))) for _ in range(count - len(handles))]
    middle, reach = (side - 1) / 2, side / 10
    targets = [(x + (reach if x < middle else -reach), y + (reach if y < middle else -reach)) for x, y in handles]
    return Edit(handles, targets)


def check(mine: list[DragStep], gradient: Tensor, due: list[Slow]) -> None:
    """That two drags took the same steps."""
    assert len(mine) == len(due)
    first = due[0].gradient
    assert first is not None
    assert float((gradient - first).norm()) <= 1e-3 * float(first.norm())
    for n, (step, slow) in enumerate(zip(mine, due, strict=True)):
        assert list(step.handles) == slow.handles, f"step {n}"
        assert step.loss == (None if n == 0 else pytest.approx(due[n - 1].loss, rel=1e-4)), f"step {n}"
        moved = float((slow.ws - due[0].ws).norm())
        assert float((step.ws - slow.ws).norm()) <= 1e-2 * moved, f"step {n}"
    assert mine[-1].generator is not None
    theirs = to_uint8(mine[-1].generator.image(due[-1].ws)[0])
    assert np.abs(mine[-1].pixels().astype(int) - theirs).max() <= 1


def dragged(side: int, count: int, space: str, steps: int, monkeypatch: pytest.MonkeyPatch):
    """Our steps and first gradient, and what the others need to make theirs."""
    generator = made(plain_config(channels=CHANNELS[side]))
    config = DragConfig.for_generator(generator, "official").replace(latent_space=space)
    edit, ws, gradients, taken = points(count, side), random_ws(generator, 5), [], Adam.step

    def watched(adam, gradient, rate):
        gradients.append(gradient.clone())
        taken(adam, gradient, rate)

    monkeypatch.setattr(Adam, "step", watched)
    mine = list(itertools.islice(drag(generator, ws, edit, config), steps))
    assert len(mine) == steps
    return mine, gradients[0], (generator, ws, edit, config, steps)


CASES = list(itertools.product(CHANNELS, [1, 2, 5, 20], ["W", "W+"]))
QUICK = [(64, 20, "W+"), (128, 5, "W"), (256, 2, "W+"), (512, 1, "W")]


@pytest.mark.parametrize(
    ("side", "count", "space"), [pytest.param(*c, marks=() if c in QUICK else pytest.mark.long) for c in CASES]
)
def test_official_steps_are_those_of_plain_code(side: int, count: int, space: str, monkeypatch: pytest.MonkeyPatch):
    mine, gradient, given = dragged(side, count, space, STEPS, monkeypatch)
    check(mine, gradient, official_drag(*given))


@pytest.mark.long
@pytest.mark.parametrize("count", [1, 5])
def test_a_hundred_official_steps_are_those_of_plain_code(count: int, monkeypatch: pytest.MonkeyPatch):
    mine, gradient, given = dragged(128, count, "W+", 100, monkeypatch)
    check(mine, gradient, official_drag(*given))


def test_the_plain_code_is_the_slow_oracle_s(monkeypatch: pytest.MonkeyPatch):
    mine, gradient, given = dragged(64, 2, "W+", 4, monkeypatch)
    due, slow = official_drag(*given), slow_drag(*given)
    check(mine, gradient, slow)
    for one, other in zip(due, slow, strict=True):
        assert one.handles == other.handles
        assert one.loss == pytest.approx(other.loss, rel=1e-5)
