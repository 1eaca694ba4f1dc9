"""The plots against golden pictures, and what no picture shows; `golden_plots.py` says how the pictures are written."""

import functools
import io
from collections.abc import Callable

import matplotlib
import numpy as np
import pytest
import torch
from analytic import BlobGenerator
from inspection import golden_plots
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from matplotlib.text import Text
from PIL import Image

from draggan_widget import DragConfig, DragRecord, DragStep, drag, inspection
from draggan_widget.errors import ConfigError, RecordError
from draggan_widget.inspection.plot_style import MAGNITUDE, SIGNED

GENERATOR = BlobGenerator()
CONFIG = DragConfig.for_generator(GENERATOR)
OF_RECORD: dict[str, Callable[..., Figure]] = {
    "trajectories": inspection.plot_trajectories,
    "distances": inspection.plot_distances,
    "losses": inspection.plot_losses,
    "tracking_error": inspection.plot_tracking_error,
    "latent_drift": inspection.plot_latent_drift,
    "latent_rows": inspection.plot_latent_rows,
    "latent_components": functools.partial(inspection.plot_latent_components, components=golden_plots.COMPONENTS),
    "features": functools.partial(inspection.plot_features, config=CONFIG),
    "before_after": inspection.plot_before_after,
    "steps": inspection.plot_steps,
}
each_plot = pytest.mark.parametrize("plot", OF_RECORD.values(), ids=OF_RECORD)


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(float)


# Matplotlib 3.11 sets letters in another way, and with them every axis.
of_newer_matplotlib = pytest.mark.skipif(
    matplotlib.__version_info__ < (3, 11), reason="the golden pictures are those of Matplotlib 3.11 and newer"
)


@of_newer_matplotlib
@pytest.mark.parametrize("name", golden_plots.plots())
def test_a_plot_looks_as_it_did(name: str):
    """40 dB: letters may lie a fraction of a px elsewhere; a line that is missing falls below."""
    due = pixels((golden_plots.FOLDER / f"{name}.png").read_bytes())
    found = pixels(golden_plots.png(golden_plots.plots()[name]))
    assert found.shape == due.shape
    assert found.shape[1] == 396  # 3.3 inches
    assert 10 * np.log10(255**2 / max(np.square(found - due).mean(), 1e-9)) > 40


def test_the_golden_pictures_are_those_of_the_plots_and_small():
    files = list(golden_plots.FOLDER.iterdir())
    assert {file.stem for file in files} == set(golden_plots.plots())
    assert sum(file.stat().st_size for file in files) < 400_000


@each_plot
def test_each_plot_refuses_an_empty_record(plot: Callable[..., Figure]):
    with pytest.raises(RecordError) as caught:
        plot(DragRecord())
    assert str(caught.value) == "the record has 0 steps; expected at least one; start a drag first"


@each_plot
@pytest.mark.parametrize("form", ["pdf", "svg"])
def test_one_step_can_be_drawn_and_saved_as_vectors(plot: Callable[..., Figure], form: str):
    buffer = io.BytesIO()
    plot(golden_plots.record(GENERATOR, steps=1)).savefig(buffer, format=form)
    assert len(buffer.getvalue()) > 1000


@each_plot
def test_each_plot_keeps_to_the_place_of_the_axes_it_is_given(plot: Callable[..., Figure]):
    record = golden_plots.record(GENERATOR, steps=6)
    figure = Figure(figsize=(7, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    before = left.get_position(), len(figure.axes)
    assert plot(record, ax=right) is figure
    figure.canvas.draw()
    drawn = [ax for ax in figure.axes if ax is not left]
    assert drawn
    assert all(ax.get_position().x0 > 0.45 for ax in drawn)
    assert not [*left.lines, *left.images]
    assert before[1] == 2


@each_plot
def test_each_plot_draws_into_a_subfigure_and_into_axes_placed_by_hand(plot: Callable[..., Figure]):
    record = golden_plots.record(GENERATOR, steps=3)
    figure = Figure(figsize=(7, 3))
    part = figure.subfigures(1, 2)[1]
    assert isinstance(part, SubFigure)
    assert plot(record, ax=part.add_subplot()) is figure
    assert part.axes
    assert plot(record, ax=figure.add_axes((0.1, 0.1, 0.3, 0.8))) is figure
    figure.canvas.draw()


def seen_labels(axis: Axis) -> list[Text]:
    """Of the ticks inside the view: matplotlib keeps some beyond."""
    low, high = sorted(axis.get_view_interval())
    return [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]


@each_plot
def test_text_is_of_7_or_8_points_and_no_tick_labels_overlap(plot: Callable[..., Figure]):
    figure = plot(golden_plots.record(GENERATOR))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    boxes = []
    for ax in figure.axes:
        legend, ticks = ax.get_legend(), [label for axis in (ax.xaxis, ax.yaxis) for label in seen_labels(axis)]
        texts = [ax.title, *(text for text in ax.texts if text.get_text()), *(legend.get_texts() if legend else [])]
        texts += [ax.xaxis.label, ax.yaxis.label, *ticks] if ax.axison else []
        shown = [text for text in texts if text.get_text() and text.get_visible()]
        assert {text.get_fontsize() for text in shown} <= {7.0, 8.0}
        boxes += [text.get_window_extent(renderer) for text in shown]
    assert boxes
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[k + 1 :])
    page = figure.bbox
    assert all(page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1 for box in boxes)


def test_a_point_that_came_later_begins_where_it_came():
    record = golden_plots.record(GENERATOR)
    (ax,) = inspection.plot_distances(record).axes
    first, second, anew = ax.lines[0], ax.lines[1], ax.lines[2]
    np.testing.assert_array_equal(np.asarray(first.get_ydata()), record.distances[:, 0])
    assert np.isnan(np.asarray(second.get_ydata())[:20]).all()
    assert np.isfinite(np.asarray(second.get_ydata())[20:]).all()
    assert (first.get_linestyle(), second.get_linestyle()) == ("-", "--")
    assert first.get_color() != second.get_color()
    assert list(np.asarray(anew.get_xdata())) == [20, 20]


def test_each_term_of_the_loss_is_drawn_by_name():
    record = golden_plots.record(GENERATOR)
    (ax,) = inspection.plot_losses(record).axes
    drawn = {line.get_label(): np.asarray(line.get_ydata()) for line in ax.lines}
    assert list(drawn) == ["loss", "handle 1", "handle 2", "fixed part", "resumed"]
    np.testing.assert_array_equal(drawn["loss"], record.loss)
    np.testing.assert_array_equal(drawn["handle 2"], record.motion_losses[:, 1])
    np.testing.assert_array_equal(drawn["fixed part"], record.mask_loss)
    (without,) = inspection.plot_losses(DragRecord(steps=record[:20])).axes
    assert [line.get_label() for line in without.lines] == ["loss", "handle 1"]


def test_the_row_that_travelled_furthest_is_projected_unless_one_is_named():
    record = golden_plots.record(GENERATOR)
    for asked, row in ((None, 0), (1, 1)):
        (ax,) = inspection.plot_latent_components(record, golden_plots.COMPONENTS, asked).axes
        due = golden_plots.COMPONENTS.project(record.ws[:, row])[:, :2] / (0.5, 0.4)
        np.testing.assert_allclose(np.asarray(ax.lines[0].get_xydata()), due)
    with pytest.raises(ConfigError) as caught:
        inspection.plot_latent_components(record, golden_plots.COMPONENTS, 4)
    assert str(caught.value) == "row is 4; ws has 4 rows, counted from 0"


def titles(figure: Figure) -> list[str]:
    return [ax.get_title() for ax in figure.axes if ax.get_title()]


def test_the_contact_sheet_spreads_evenly_with_both_ends_and_never_shows_a_step_twice():
    record = golden_plots.record(GENERATOR)
    assert titles(inspection.plot_steps(record, 4)) == ["step 0", "step 10", "step 19", "step 29"]
    assert titles(inspection.plot_steps(record, 1)) == ["step 29"]
    assert titles(inspection.plot_steps(golden_plots.record(GENERATOR, 3), 8)) == ["step 0", "step 1", "step 2"]
    with pytest.raises(ConfigError) as caught:
        inspection.plot_steps(record, 0)
    assert str(caught.value) == "count is 0; expected at least 1"


def test_features_of_another_block_show_a_third_channel_where_the_tracker_never_was():
    record = DragRecord(steps=list(drag(GENERATOR, GENERATOR.ws_at(24, 30), golden_plots.FIRST, CONFIG)))
    assert titles(inspection.plot_features(record, CONFIG))[3:] == ["similarity", "difference", "cost"]
    other = titles(inspection.plot_features(record, CONFIG.replace(block=2)))
    assert other[:1] + other[3:5] == ["colours", "similarity", "difference"]
    assert other[5].startswith("channel ")
    for arguments, error, message in (
        ((99, 0), RecordError, f"position is 99; the record has {len(record)} steps, counted from 0"),
        ((2, 1), ConfigError, "point is 1; step 2 has 1, counted from 0"),
    ):
        with pytest.raises(error) as caught:
            inspection.plot_features(record, CONFIG, *arguments)
        assert str(caught.value) == message


@pytest.mark.slow
def test_64_points_can_be_drawn_by_every_plot():
    record = golden_plots.crowd(GENERATOR)
    for plot in OF_RECORD.values():
        plot(record).canvas.draw()


@pytest.mark.parametrize(
    ("values", "colours", "limits"),
    [
        (np.array([[0.5, 2.0, 1.0]]), MAGNITUDE, (0.5, 2.0)),
        (np.array([[-0.5, 2.0, 1.0]]), SIGNED, (-2.0, 2.0)),
        (np.array([[False, True]]), MAGNITUDE, (0.0, 1.0)),
        (torch.zeros(2, 3, requires_grad=True), MAGNITUDE, (0.0, 1.0)),
    ],
)
def test_any_map_of_numbers_is_drawn_over_the_picture_s_px(values, colours, limits):
    figure = inspection.plot_feature_map(values, (32, 64), "distance")
    (shown,) = figure.axes[0].images
    assert shown.get_cmap().name == colours
    assert shown.get_clim() == limits
    assert tuple(shown.get_extent()) == (-0.5, 63.5, 31.5, -0.5)
    assert figure.axes[1].get_ylabel() == "distance"
    np.testing.assert_array_equal(shown.get_array(), np.asarray(values.tolist()))


def test_a_map_that_is_no_plane_of_finite_numbers_is_refused():
    for values, words in (
        (np.array([[np.nan, 1.0]]), "shape (1, 2) and type float64"),
        (np.zeros((2, 2), complex), "shape (2, 2) and type complex128"),
    ):
        with pytest.raises(ConfigError) as caught:
            inspection.plot_feature_map(values)
        assert str(caught.value) == f"the map has {words}; expected (height, width) of finite numbers"


def test_plots_of_a_single_step_name_that_step_and_no_length_below_0():
    record = golden_plots.record(BlobGenerator(), steps=3)
    one = DragRecord(steps=record[:1])
    for draw in (
        inspection.plot_losses,
        inspection.plot_distances,
        inspection.plot_tracking_error,
        inspection.plot_latent_drift,
    ):
        ax = draw(one).axes[0]
        low, high = ax.get_xlim()
        assert [tick for tick in ax.get_xticks() if low <= tick <= high] == [0.0]
    assert inspection.plot_latent_rows(one).axes[0].images[0].get_clim() == (0.0, 1.0)
    still = next(panel for panel in inspection.plot_features(one, CONFIG).axes if panel.get_title() == "difference")
    bar = still.images[0].colorbar
    assert bar is not None
    assert [label.get_text() for label in bar.ax.get_xticklabels()] == ["0"]


def test_the_power_of_ten_stands_where_the_names_do_not():
    ax = inspection.plot_tracking_error(golden_plots.record()).axes[0]
    assert ax.yaxis.get_offset_text().get_ha() == "right"


def test_a_wide_picture_gets_a_low_figure(monkeypatch):
    monkeypatch.setattr(DragStep, "picture", lambda self: Image.new("RGB", (64, 32)))
    assert tuple(inspection.plot_trajectories(golden_plots.record(BlobGenerator())).get_size_inches()) == (3.3, 2.0)
