"""What a board tells ipycanvas: the newest scene in one go, again for every page that opens."""

import asyncio
import io
from typing import Any

import numpy as np
import pytest
from ipycanvas import canvas as ipycanvas_canvas
from PIL import Image

from draggan_widget.widget.board import Board, Scene
from draggan_widget.widget.canvas_points import CanvasPoints
from draggan_widget.widget.kernel import MainLoop

NAMES = {number: name for name, number in ipycanvas_canvas.COMMANDS.items()}
BLACK = np.zeros((8, 16, 3), np.uint8)


class Sent:
    """Every batch of commands that went to the page."""

    def __init__(self) -> None:
        self.batches: list[tuple[list[tuple[str, list]], list[bytes]]] = []

    def __call__(self, commands: Any, buffers: list[bytes]) -> None:
        self.batches.append(([(NAMES[command[0]], command[1]) for command in commands], buffers))

    def names(self) -> list[str]:
        return [name for name, _ in self.batches[-1][0]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    kept = Sent()
    monkeypatch.setattr(ipycanvas_canvas._CANVAS_MANAGER, "_send_custom", kept)
    return kept


@pytest.fixture
def board(sent: Sent):
    made = Board((64, 128), 512, MainLoop())
    yield made
    made.close()


def test_a_scene_is_one_message_that_names_both_layers(board, sent):
    for _ in range(2):  # a page that was loaded again knows no current layer: each message names its own
        board.show(Scene(BLACK))
        switched = [f"IPY_MODEL_{board.canvas[layer].model_id}" for layer in (0, 1)]
        assert [arguments[0] for name, arguments in sent.batches[-1][0] if name == "switchCanvas"] == switched
        assert sent.names()[0] == "switchCanvas"
    assert len(sent.batches) == 2


@pytest.mark.parametrize("smooth", [False, True])
def test_the_picture_fills_the_board_with_crisp_pixels_or_smoothly(board, sent, smooth: bool):
    board.show(Scene(BLACK + np.arange(8, dtype=np.uint8)[:, None, None], smooth=smooth))
    commands, buffers = sent.batches[-1]
    assert (board.canvas.width, board.canvas.height) == (1024, 512)
    assert ("scale", [64.0, 64.0]) in commands
    smoothing = ipycanvas_canvas.Canvas.ATTRS["image_smoothing_enabled"]
    assert ("set", [smoothing, smooth]) in commands
    drawn = np.asarray(Image.open(io.BytesIO(buffers[0])))
    assert np.array_equal(drawn[..., :3], BLACK + np.arange(8, dtype=np.uint8)[:, None, None])
    assert (drawn[..., 3] == 255).all()


@pytest.mark.parametrize(("side", "kind"), [(256, "PNG"), (257, "JPEG")])
def test_small_pictures_travel_lossless_and_large_ones_small(board, sent, side, kind):
    board.show(Scene(np.zeros((side, side, 3), np.uint8)))
    assert Image.open(io.BytesIO(sent.batches[-1][1][0])).format == kind


def test_points_stand_on_the_middle_of_their_pixels(board, sent):
    points = CanvasPoints(((3.0, 5.0),), ((10.0, 6.5),), (((1.0, 5.0), (3.0, 5.0)),), pixel=(0.0, 0.0))
    board.show(Scene(BLACK, points))
    commands, buffers = sent.batches[-1]
    dots = {tuple(arguments[:2]) for name, arguments in commands if name == "fillCircle"}
    rings = {tuple(arguments[:2]) for name, arguments in commands if name == "strokeCircle"}
    lines = [arguments for name, arguments in commands if name == "strokeLine"]
    assert (dots, rings) == ({(28.0, 44.0)}, {(84.0, 56.0)})
    assert [arguments[0] for name, arguments in commands if name == "fillText"] == ["1"]
    assert sum(name == "strokeLines" for name, _ in commands) == 3
    assert {line[1] for line in lines if line[1] == line[3]} == {4.0}
    paths = [np.frombuffer(buffer, np.float64).tolist() for buffer in buffers[1:]]
    assert paths == [[12.0, 44.0, 28.0, 44.0]] * 3


def test_a_place_of_the_canvas_is_a_pixel_of_the_picture(board):
    scale = board.canvas.width / 128
    assert board.image_px(scale * 20, scale * 31.99) == (20.0, 31.0)
    assert board.image_px(-3.0, board.canvas.height + 5.0) == (0.0, 63.0)


def test_without_a_scene_nothing_is_drawn_and_a_new_page_gets_the_last_one(board, sent):
    board.canvas[-1]._handle_frontend_event(None, {"event": "client_ready"}, [])
    assert sent.batches == []
    board.show(Scene(BLACK))
    board.canvas[-1]._handle_frontend_event(None, {"event": "client_ready"}, [])
    assert len(sent.batches) == 2
    assert sent.batches[0] == sent.batches[1]


def test_of_the_scenes_that_wait_for_the_main_thread_the_newest_is_drawn(sent):
    async def notebook() -> None:
        board = Board((8, 16), 512, MainLoop())
        for shade in range(5):
            board.show(Scene(BLACK + np.uint8(shade)))
        assert sent.batches == []
        await asyncio.sleep(0)
        assert len(sent.batches) == 1
        board.close()

    asyncio.run(notebook())
    assert np.asarray(Image.open(io.BytesIO(sent.batches[0][1][0])))[0, 0].tolist() == [4, 4, 4, 255]
