"""The map over the picture: chosen in the widget or given from Python, there at rest, away while a drag runs."""

import inspect
import io

import numpy as np
import pytest
import torch
from analytic import BlobGenerator
from PIL import Image
from session.helpers import EDIT, Gate, edit_of, opened, running, until
from widget.helpers import CLIENT, Wire, settle

from draggan_widget.errors import ConfigError
from draggan_widget.inspection.cost_surface import tracking_cost
from draggan_widget.inspection.feature_maps import FeatureColours, channels_by_variance, difference, similarity
from draggan_widget.session.session import DragSession, controller_of
from draggan_widget.widget.dispatch import Dispatch
from draggan_widget.widget.frames import Frames
from draggan_widget.widget.overlays import Overlays
from draggan_widget.widget.views import heat


class Shown:
    """A session whose messages are kept."""

    def __init__(self, session: DragSession):
        self.session, self.wire = session, Wire()
        frames = Frames(session, self.wire, lambda: False, lambda jpeg: None)
        self.dispatch = Dispatch(session, frames, self.wire)
        session.subscribe(self.dispatch.overlays.handle)

    def ask(self, view: str) -> None:
        self.dispatch.receive({"type": "overlay", "client": CLIENT, "rid": 1, "view": view}, [])
        settle(self.session)

    def last(self) -> tuple[dict, np.ndarray | None]:
        content, buffers = [(c, b) for c, b in self.wire.sent if c["type"] == "overlay"][-1]
        return content, np.asarray(Image.open(io.BytesIO(buffers[0]))) if buffers else None

    def failures(self) -> list[str]:
        return [content["message"] for content in self.wire.of("failed")]


@pytest.fixture
def shown():
    with opened() as session:
        yield Shown(session)


def picture(shown: Shown) -> np.ndarray:
    content, pixels = shown.last()
    assert content["shown"]
    assert pixels is not None
    return pixels


def test_each_view_is_what_the_inspection_computes_of_the_supervised_map(shown):
    shown.session.run()
    settle(shown.session)
    block, size = shown.session.config.block, shown.session.generator.image_size
    start, now = shown.session.record[0], shown.session.current
    expected = {
        "colours": FeatureColours.fit(start, block).of(now.features(block)),
        "difference": heat(difference(now.features(block), start.features(block))),
        "similarity": heat(similarity(now.features(block), now.handles[-1], size)),
        "L2": heat(similarity(now.features(block), now.handles[-1], size, "L2")),
        "channel": heat(now.features(block).whole[channels_by_variance(now.features(block))[0]].numpy()),
    }
    for view, pixels in expected.items():
        shown.ask(view)
        assert np.array_equal(picture(shown), pixels), view
        assert shown.last()[0] == {"type": "overlay", "view": view, "opacity": 0.6, "shown": True}
    assert not np.array_equal(expected["difference"], expected["similarity"])


def test_the_tracker_s_cost_covers_the_square_it_searched_around_the_last_handle(shown):
    session = shown.session
    session.run()
    settle(session)
    found = tracking_cost(session.current, 0, session.config)
    shown.ask("cost")
    pixels = picture(shown)
    rows, columns = np.nonzero(pixels[..., 3])
    assert (columns.min(), columns.max()) == (found.xs[0], found.xs[-1])
    assert (rows.min(), rows.max()) == (found.ys[0], found.ys[-1])
    assert len(rows) == found.cost.size
    assert np.array_equal(pixels[rows, columns, :3], heat(found.cost).reshape(-1, 3))


def test_a_view_that_cannot_be_computed_takes_that_of_the_state_before_away(shown):
    shown.session.run()
    shown.ask("cost")
    assert shown.last()[0]["shown"]
    shown.session.edit = edit_of([(10.0, 50.0)], [(20.0, 50.0)])
    settle(shown.session)
    step = len(shown.session.record) - 1
    assert shown.failures() == [
        f"point is 0, at (10, 50); it has not been tracked yet: it was put there after step {step}; drag on first"
    ]
    assert not shown.last()[0]["shown"]


@pytest.mark.parametrize("kind", [bool, int, np.uint8, np.float16])
def test_a_mask_whole_numbers_and_a_tensor_with_a_graph_are_shown(shown, kind):
    values = np.eye(4).astype(kind)
    for given in (values, torch.eye(4, requires_grad=True)):
        shown.dispatch.overlays.show_array(given, 1.0)
        assert np.array_equal(picture(shown)[..., :3], heat(np.eye(4)))


@pytest.mark.parametrize("opacity", ["x", None, True])
def test_an_opacity_that_is_no_number_is_refused(shown, opacity):
    with pytest.raises(ConfigError) as caught:
        inspect.unwrap(Overlays.show_array)(shown.dispatch.overlays, np.eye(2), opacity)
    assert str(caught.value) == f"opacity is {opacity!r}; expected a number from 0 to 1"


def test_none_takes_it_away(shown):
    shown.ask("colours")
    shown.ask("none")
    assert shown.last() == ({"type": "overlay", "view": "none", "opacity": 0.6, "shown": False}, None)


def test_it_is_away_while_a_drag_runs_and_back_where_it_ended(shown):
    shown.ask("similarity")
    before = picture(shown)
    gate = Gate()
    shown.session.on_step(gate)
    shown.session.start()
    gate.reached()
    assert shown.last() == ({"type": "overlay", "view": "similarity", "opacity": 0.6, "shown": False}, None)
    gate.open()
    shown.session.wait()
    settle(shown.session)
    assert not np.array_equal(picture(shown), before)


def test_it_follows_points_drawn_in_the_widget_and_undo(shown):
    shown.ask("similarity")
    first = picture(shown)
    points = [{"handle": [10, 50], "target": [20, 50], "locked": False}]
    wish = {
        "type": "edit",
        "client": CLIENT,
        "rid": 2,
        "revision": controller_of(shown.session).revision,
        "points": points,
    }
    shown.dispatch.receive({**wish, "mask": "keep"}, [])
    settle(shown.session)
    assert not np.array_equal(picture(shown), first)
    shown.session.undo()
    settle(shown.session)
    assert np.array_equal(picture(shown), first)


def test_without_points_the_similarity_says_what_is_missing():
    with DragSession(BlobGenerator()) as session:
        shown = Shown(session)
        shown.ask("similarity")
        assert shown.failures() == ["this view needs a handle; set one"]
        assert not shown.last()[0]["shown"]


def test_a_client_that_comes_later_gets_it(shown):
    shown.ask("colours")
    pixels, count = picture(shown), len(shown.wire.of("overlay"))
    shown.dispatch.receive({"type": "hello", "client": "other", "colab": False}, [])
    assert len(shown.wire.of("overlay")) == count + 1
    assert np.array_equal(picture(shown), pixels)


def test_floats_from_python_are_coloured_and_what_is_not_finite_is_see_through(shown):
    values = np.array([[0.0, 1.0], [np.nan, 0.5]])
    shown.dispatch.overlays.show_array(values, 0.3)
    pixels = picture(shown)
    assert shown.last()[0] == {"type": "overlay", "view": "given", "opacity": 0.3, "shown": True}
    assert np.array_equal(pixels[..., :3], heat(values))
    assert pixels[..., 3].tolist() == [[255, 255], [0, 255]]


@pytest.mark.parametrize("colours", [3, 4])
def test_colours_from_python_are_shown_as_they_are_until_taken_away(shown, colours):
    array = np.arange(4 * 6 * colours, dtype=np.uint8).reshape(4, 6, colours)
    shown.dispatch.overlays.show_array(array, 1.0)
    shown.session.run()
    settle(shown.session)
    assert np.array_equal(picture(shown), array)
    shown.dispatch.overlays.show_array(None, 1.0)
    assert shown.last()[1] is None


@pytest.mark.parametrize(
    ("array", "opacity", "message"),
    [
        (
            np.zeros((3, 4), complex),
            0.5,
            "the overlay has shape (3, 4) and type complex128; expected (height, width) of numbers, or (height, width, "
            "3 or 4) of uint8",
        ),
        (
            np.zeros((3, 4, 2), np.uint8),
            0.5,
            "the overlay has shape (3, 4, 2) and type uint8; expected (height, width) of numbers, or (height, width, 3 "
            "or 4) of uint8",
        ),
        (np.zeros((3, 4)), 1.5, "opacity is 1.5; expected a number from 0 to 1"),
    ],
)
def test_what_is_no_picture_is_refused_and_leaves_what_was(shown, array, opacity, message):
    shown.ask("colours")
    before = shown.last()
    with pytest.raises(ConfigError) as caught:
        shown.dispatch.overlays.show_array(array, opacity)
    assert str(caught.value) == message
    assert shown.last()[0] == before[0]


def test_while_it_runs_a_view_that_is_chosen_waits_for_the_rest():
    with running(opened(learning_rate=1e-7, max_steps=10**6, stall_steps=10**6)) as session:
        shown = Shown(session)
        shown.ask("colours")
        assert shown.last()[0]["shown"] is False
        session.stop()
        until(lambda: shown.last()[0]["shown"], "the view")
        assert session.edit == EDIT
