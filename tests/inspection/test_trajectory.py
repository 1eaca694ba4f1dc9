import numpy as np
import pytest
from engine.test_record import record
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from draggan_widget import DragRecord
from draggan_widget.errors import RecordError
from draggan_widget.inspection import plot_trajectories


def lines(ax: Axes, label: str) -> list[np.ndarray]:
    return [np.asarray(line.get_xydata()) for line in ax.lines if line.get_label() == label]


def test_each_handle_s_path_and_target_are_drawn_over_the_last_picture():
    kept = record()
    figure = plot_trajectories(kept)
    assert isinstance(figure, Figure)
    (ax,) = figure.axes
    assert np.array_equal(ax.images[0].get_array(), kept[-1].pixels())
    np.testing.assert_array_equal(lines(ax, "handle 1"), [kept.handles[:, 0]])
    np.testing.assert_array_equal(lines(ax, "handle 2"), [kept.handles[:, 1]])
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["handle 1", "handle 2", "resumed"]
    drawn = {tuple(np.ravel(line.get_xydata())) for line in ax.lines if len(np.atleast_1d(line.get_xdata())) == 1}
    assert {*kept[-1].targets, *kept[-1].handles} <= drawn
    figure.canvas.draw()


def test_the_given_axes_are_used():
    figure = Figure()
    first, second = figure.subplots(1, 2)
    assert plot_trajectories(record(), second) is figure
    assert not first.lines
    assert second.lines


def test_axes_in_a_subfigure_give_the_whole_figure():
    figure = Figure()
    ax = figure.subfigures(1, 2)[1].add_subplot()
    assert plot_trajectories(record(), ax) is figure


def test_a_record_without_its_generator_is_drawn_without_a_picture_and_y_downward(tmp_path):
    kept = DragRecord.load(record().save(tmp_path / "x.npz"))
    (ax,) = plot_trajectories(kept).axes
    bottom, top = ax.get_ylim()
    assert not ax.images
    assert bottom > top
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x, image px", "y, image px")
    np.testing.assert_array_equal(lines(ax, "handle 1"), [kept.handles[:, 0]])


def test_an_empty_record_is_refused():
    with pytest.raises(RecordError) as caught:
        plot_trajectories(DragRecord())
    assert str(caught.value) == "the record has 0 steps; expected at least one; start a drag first"
