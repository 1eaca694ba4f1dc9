"""The widget in a real kernel, with a front end that answers."""

import importlib.metadata
import io
import time

import numpy as np
import pytest
from kernel.front_end import SETUP, FrontEnd
from PIL import Image

pytestmark = pytest.mark.slow  # a kernel or a browser of its own
heard_in_a_cell = pytest.mark.skipif(
    int(importlib.metadata.version("ipykernel").split(".")[0]) < 7,
    reason="before ipykernel 7 no message is heard while a cell runs",
)


@pytest.fixture
def ready(kernel):
    kernel.execute(SETUP)
    return kernel


def count(kernel, expression: str) -> int:
    return int(kernel.execute(f"print({expression})").text)


def test_a_drag_from_hello_to_its_end(ready):
    shown = ready.execute("w = make(); w")
    assert "application/vnd.jupyter.widget-view+json" in shown.displays[-1]
    assert shown.displays[-1]["text/plain"].startswith("DragWidget(blob, 64 x 64 px)")
    view = FrontEnd(ready)
    assert view.state()["status"] == "idle"
    assert view.state()["image_size"] == [64, 64]
    assert view.state()["seed"] is None

    view.hello()
    assert view.wait_for("edit")["points"] == []
    final = view.wait_for("frame", lambda fact: fact["kind"] == "final")
    assert final["step"] == 0
    message = next(m for m in ready.traffic if m.custom is not None and m.custom.get("kind") == "final")
    assert np.asarray(Image.open(io.BytesIO(message.buffers[0]))).shape == (64, 64, 3)

    answer, _ = view.answer(view.edit(revision=0))
    assert (answer["accepted"], answer["revision"], answer["client"]) == (True, 1, "a1b2c3d4e5f60718")
    since = len(ready.traffic)
    view.wish("start")
    view.wait_for("run", lambda fact: fact["running"], since)
    assert view.wait_for_end(since) == "arrived"
    last = view.wait_for("frame", lambda fact: fact["kind"] == "final", since=since)
    assert count(ready, "len(w.session.record)") == last["step"] + 1
    assert ready.execute("print(w.session.record[-1].ended)").text.strip() == "arrived"
    frames = [fact for fact in view.facts("frame", since) if fact["step"] < last["step"]]
    assert len(frames) > 3

    customs = [m.custom for m in ready.traffic if m.custom is not None]
    assert not [custom for custom in customs if isinstance(custom.get("id"), str)]
    assert not any(custom.get("type") == "failed" for custom in customs)


def test_the_bundled_generator_is_dragged_without_a_download(kernel, tmp_path):
    cache = tmp_path / "cache"
    kernel.execute(f"import os; os.environ['DRAGGAN_CACHE'] = {str(cache)!r}")
    shown = kernel.execute("from draggan_widget import DragWidget, Edit\nw = DragWidget(); w")
    side = kernel.execute("print(*w.session.generator.image_size)").text.split()[0]
    assert shown.text.startswith(f"DragWidget(heads, {side} x {side} px)")  # nothing was printed before
    assert not cache.exists()
    view = FrontEnd(kernel)
    view.hello()
    final = view.wait_for("frame", lambda fact: fact["kind"] == "final")
    assert (str(final["width"]), str(final["height"])) == (side, side)
    middle = int(side) // 2
    kernel.execute(f"w.session.edit = Edit([({middle}, {middle})], [({middle + 6}, {middle})])")
    since = len(kernel.traffic)
    view.wish("start")
    assert view.wait_for_end(since) == "arrived"
    last = view.wait_for("frame", lambda fact: fact["kind"] == "final", since=since)
    assert last["step"] > 0


def test_traits_reach_the_front_end_and_none_is_written_per_step(ready):
    ready.execute("w = make(); w.session.edit = EDIT")
    view = FrontEnd(ready)
    view.hello()
    view.wait_for("frame", lambda fact: fact["kind"] == "final")
    since = len(ready.traffic)
    view.wish("start")
    view.wait_for_end(since)
    last = view.wait_for("frame", lambda fact: fact["kind"] == "final", since=since)
    ready.wait_for(lambda m: m.comm_id == view.comm and ["_poster"] in m.data.get("buffer_paths", []), since=since)
    assert last["step"] > 10
    assert view.updates(since) <= 4
    statuses = [m.state["status"] for m in ready.traffic[since:] if "status" in m.state]
    assert statuses == ["running", "idle"]

    view.wish("seed", seed=7)
    ready.wait_for(lambda m: m.state.get("seed") == 7)
    view.wait_for("frame", lambda fact: fact["seed"] == 7)
    assert ready.execute("print(w.session.seed, w.seed)").text.split() == ["7", "7"]

    since = len(ready.traffic)
    ready.execute("w.close()")
    ready.wait_for(lambda m: m.state.get("status") == "closed", since=since)
    ready.wait_for(lambda m: m.kind == "comm_close" and m.comm_id == view.comm, since=since)


@heard_in_a_cell
def test_an_edit_is_answered_and_a_stop_seen_while_a_cell_runs(ready):
    ready.execute("w = make(Slow(), **ENDLESS); w.session.edit = EDIT")
    view = FrontEnd(ready, ready.subshell())
    view.hello()
    view.wait_for("frame", lambda fact: fact["kind"] == "picture")
    ready.execute("w.session.start()")
    cell = ready.start("print('busy'); release = threading.Event(); release.wait(8); print('free')")
    ready.read_until(lambda: "busy" in ready.execution(cell).text, 10, "the cell to begin")
    answer, seconds = view.answer(view.edit(revision=1, target=(20.0, 40.0)))
    assert answer["accepted"], answer
    assert seconds < 0.3
    view.wait_for("frame", lambda fact: fact["revision"] == 2)
    since, began = len(ready.traffic), time.monotonic()
    view.wish("stop")
    assert view.wait_for_end(since) == "stopped"
    assert time.monotonic() - began < 0.3 + 0.1
    assert "free" not in ready.execution(cell).text
    ready.interrupt()
    ready.finish(cell)


def test_frames_come_at_a_slow_cap_while_a_cell_blocks_and_nobody_is_heard(ready):
    ready.execute("w = make(Slow(), **ENDLESS); w.session.edit = EDIT")
    view = FrontEnd(ready)  # no subshell: as in hosts whose messages wait for the cell
    view.hello()
    view.wait_for("frame", lambda fact: fact["kind"] == "final")
    since = len(ready.traffic)
    cell = ready.start("record = w.session.run()")
    view.wait_for("frame", lambda fact: fact["kind"] != "final", since=since)
    began = time.monotonic()
    ready.read_until(lambda: len(view.facts("frame", since)) >= 10, 20, "ten frames")
    rate = (len(view.facts("frame", since)) - 2) / (time.monotonic() - began)
    assert 1.5 <= rate <= 6
    steps = [fact["step"] for fact in view.facts("frame", since)]
    assert steps == sorted(steps)
    ready.interrupt()
    execution = ready.finish(cell)
    assert execution.error is None
    assert view.wait_for_end(since) == "stopped"
    assert ready.execute("print(w.session.status, len(record) > 10)").text.split() == ["idle", "True"]


@heard_in_a_cell
def test_a_stop_is_seen_while_a_cell_awaits_the_drag(ready):
    ready.execute("w = make(Slow(), **ENDLESS); w.session.edit = EDIT")
    view = FrontEnd(ready)
    view.hello()
    view.wait_for("frame", lambda fact: fact["kind"] == "final")
    since = len(ready.traffic)
    cell = ready.start("record = await w.session.run_async(); print(len(record))")
    view.wait_for("frame", lambda fact: fact["step"] >= 5, since=since)
    began = time.monotonic()
    view.wish("stop")
    assert view.wait_for_end(since) == "stopped"
    assert time.monotonic() - began < 0.3 + 0.1
    assert int(ready.finish(cell).text) >= 5


def test_running_a_cell_again_leaves_one_worker_and_closing_none(ready):
    cell = "w = make(**ENDLESS); w.session.edit = EDIT; w.session.start()"
    for _ in range(3):
        ready.execute(cell)
        assert count(ready, "len(workers())") == 1
    ready.execute("v = make(**ENDLESS); v.session.edit = EDIT; v.session.start()")
    assert count(ready, "len(workers())") == 2
    closed = [m for m in ready.traffic if m.kind == "comm_close"]
    assert len({m.comm_id for m in closed}) >= 2
    ready.execute("w.close(); w.close(); v.close()")
    assert count(ready, "len(workers())") == 0
    ready.execute("with make() as u:\n    u.session.edit = EDIT\n    u.session.step()")
    assert count(ready, "len(workers())") == 0


def test_what_goes_wrong_is_told_in_words(ready):
    ready.execute("w = make()")
    view = FrontEnd(ready)
    view.hello()
    rid = view.wish("start")
    failed = view.wait_for("failed", lambda fact: fact["rid"] == rid)
    assert failed["message"].startswith("there are no points to drag")
    answer, _ = view.answer(view.edit(revision=0, target=(99.0, 3.0)))
    assert answer["accepted"] is False
    assert answer["error"] == "target 1 at (99, 3) is outside the 64 x 64 image; move it inside"
    answer, _ = view.answer(view.edit(revision=5))
    assert answer["error"] == "the points changed meanwhile (revision 0, not 5); draw it again"


def test_fifty_runs_of_a_cell_leave_one_worker_and_flat_memory(ready):
    ready.execute(
        "import gc, os\n"
        "def rss():\n"
        "    gc.collect()\n"
        "    return int(open('/proc/self/statm').read().split()[1]) * os.sysconf('SC_PAGESIZE') // 2**20"
    )
    cell = "w = make(); w.session.edit = EDIT; w.session.step()"
    for _ in range(10):
        ready.execute(cell)
    before = count(ready, "rss()")
    for _ in range(40):
        ready.execute(cell)
    assert count(ready, "len(workers())") == 1
    assert count(ready, "rss()") - before < 24  # MiB; forty kept widgets with bundle and pictures would be more
    ready.execute("from draggan_widget import close_all; close_all()")
    assert count(ready, "len(workers())") == 0
