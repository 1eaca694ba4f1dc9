"""Every line and every letter of every plot can be told from its ground, in dark and in light styles."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import matplotlib as mpl
import matplotlib.style
import pytest
from analytic import BlobGenerator
from inspection import golden_plots
from inspection.test_plots import OF_RECORD, seen_labels
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from draggan_widget import inspection
from draggan_widget.inspection.contrast import BLACK, WHITE, contrast, ground_of, page_of, readable

GENERATOR = BlobGenerator()
PLOTS: dict[str, Callable[..., Figure]] = {
    **OF_RECORD,
    "trajectories_without_picture": lambda _, **given: inspection.plot_trajectories(golden_plots.record(), **given),
    "seven handles": lambda _, **given: inspection.plot_distances(many(7), **given),
    "seven trajectories": lambda _, **given: inspection.plot_trajectories(many(7), **given),
    "64 handles": lambda _, **given: inspection.plot_distances(many(64), **given),
    "feature_map": lambda record, **given: inspection.plot_feature_map(
        record[0].features(2).whole[0].numpy(), (64, 64), "label", **given
    ),
}


@functools.cache
def record():
    return golden_plots.record(GENERATOR)


@functools.cache
def many(count: int):
    crowd = golden_plots.crowd(GENERATOR)
    edit = golden_plots.Edit(crowd[0].edit.handles[:count], crowd[0].edit.targets[:count])
    return golden_plots.DragRecord(steps=[golden_plots.step(k, k, edit, None) for k in range(8)])


@contextmanager
def defaults() -> Iterator[None]:
    with mpl.rc_context():
        mpl.rcdefaults()
        yield


def drawn_in_style(plot: Callable[..., Figure], style: str) -> Figure:
    with defaults(), matplotlib.style.context(style):
        return plot(record())


def drawn_outside_the_style(plot: Callable[..., Figure]) -> Figure:
    """The axes are made in a dark style, and drawn on when it is no longer set."""
    with defaults(), matplotlib.style.context("dark_background"):
        ax = Figure().add_subplot()
    with defaults():
        return plot(record(), ax=ax)


def drawn_on(plot: Callable[..., Figure], inside: str, page: str = "white") -> Figure:
    with defaults():
        ax = Figure(facecolor=page).add_subplot(facecolor=inside)
        return plot(record(), ax=ax)


def drawn_in_a_subfigure(plot: Callable[..., Figure]) -> Figure:
    with defaults():
        part = Figure(facecolor="#202020").subfigures(1, 2)[1]
        return plot(record(), ax=part.add_subplot(facecolor="none"))


GROUNDS: dict[str, Callable[[Callable[..., Figure]], Figure]] = {
    "dark_background": lambda plot: drawn_in_style(plot, "dark_background"),
    "grayscale": lambda plot: drawn_in_style(plot, "grayscale"),
    "ggplot": lambda plot: drawn_in_style(plot, "ggplot"),
    "Solarize_Light2": lambda plot: drawn_in_style(plot, "Solarize_Light2"),
    "outside the style": drawn_outside_the_style,
    "black in white": lambda plot: drawn_on(plot, "black"),
    "white in black": lambda plot: drawn_on(plot, "white", "black"),
    "dark theme": lambda plot: drawn_on(plot, "#1e1e1e", "#111111"),
    "navy": lambda plot: drawn_on(plot, "navy", "navy"),
    "mid grey": lambda plot: drawn_on(plot, "0.5", "0.45"),
    "subfigure": drawn_in_a_subfigure,
    "white": lambda plot: drawn_on(plot, "white"),
}


NOTHING = ("None", "none", "", " ", None)


def colours_of(line: Line2D) -> list:
    """What is seen of a line: its stroke, and faces and edges of its markers."""
    found = [] if line.get_linestyle() in NOTHING else [line.get_color()]
    marks = [] if line.get_marker() in NOTHING else [line.get_markerfacecolor(), line.get_markeredgecolor()]
    return found + [colour for colour in marks if not (isinstance(colour, str) and colour in NOTHING)]


def stands_out(line: Line2D, ground, least: float) -> bool:
    """A line in the ground's own colour is an edge that sets others apart."""
    seen = colours_of(line)
    return all(to_rgb(c) == to_rgb(ground) for c in seen) or max(contrast(to_rgb(c), ground) for c in seen) >= least


def texts_around(ax: Axes) -> list[Text]:
    texts = [ax.title, *ax.texts]
    if ax.axison:
        ticks = [label for axis in (ax.xaxis, ax.yaxis) for label in seen_labels(axis)]
        texts += [ax.xaxis.label, ax.yaxis.label, ax.xaxis.get_offset_text(), ax.yaxis.get_offset_text(), *ticks]
    return [text for text in texts if text.get_visible() and (text.get_text() or text in ax.texts)]


USUAL = ("dark_background", "black in white", "white")
each_ground = pytest.mark.parametrize(
    "ground", [pytest.param(name, marks=[] if name in USUAL else [pytest.mark.slow]) for name in GROUNDS]
)


@each_ground
@pytest.mark.parametrize("plot", PLOTS)
def test_every_line_has_a_contrast_of_3_and_every_letter_of_4_5(plot: str, ground: str):
    """On white, lines keep the colours of the golden pictures: 2.2 for the orange and light blue of Okabe and Ito."""
    figure = GROUNDS[ground](PLOTS[plot])
    figure.canvas.draw()
    assert figure.axes
    for ax in figure.axes:
        page, inside, legend = page_of(ax), ground_of(ax), ax.get_legend()
        for text in texts_around(ax):
            assert contrast(to_rgb(text.get_color()), page) >= 4.5, text
        lines = [] if ax.images else [*ax.lines]
        least = 1.8 if inside == WHITE else 3.0
        for line in lines:
            assert stands_out(line, inside, least), (line, colours_of(line))
        for patch in () if ax.images else ax.patches:
            assert contrast(patch.get_edgecolor()[:3], inside) >= least, patch
        if ax.axison:
            for spine in ax.spines.values():
                if spine.get_visible() and spine.get_linewidth():
                    assert contrast(spine.get_edgecolor()[:3], page) >= 3.0
        if legend is not None:
            behind = legend.get_frame().get_facecolor()[:3] if legend.get_frame_on() else page
            for text in legend.get_texts():
                assert contrast(to_rgb(text.get_color()), behind) >= 4.5, text
            for line in legend.get_lines():
                assert stands_out(line, behind, least if behind == WHITE else 3.0), (line, colours_of(line))


def test_the_fourth_handle_is_yellow_on_black_and_black_on_white():
    def fourth(style: str) -> Line2D:
        with defaults(), matplotlib.style.context(style):
            return inspection.plot_distances(many(7)).axes[0].lines[3]

    assert to_rgb(fourth("dark_background").get_color()) == to_rgb("#F0E442")
    assert to_rgb(fourth("default").get_color()) == BLACK


def test_the_colours_of_handles_differ_from_each_other_on_every_ground():
    for ground in ("black", "#1e1e1e", "navy", "0.5", "#E5E5E5", "white"):
        lines = drawn_on(PLOTS["seven handles"], ground, ground).axes[0].lines
        assert len({to_rgb(line.get_color()) for line in lines}) == 7


def test_a_colour_of_a_persons_style_stays_where_it_can_be_read():
    with defaults(), mpl.rc_context({"text.color": "#000080", "axes.labelcolor": "#800000", "xtick.color": "#006000"}):
        (ax,) = inspection.plot_distances(record()).axes
    texts = (ax.xaxis.label, ax.get_legend().get_texts()[0], ax.get_xticklabels()[0])
    assert [to_rgb(text.get_color()) for text in texts] == [to_rgb(c) for c in ("#800000", "#000080", "#006000")]


def test_contrast_ratios_are_those_of_wcag():
    assert contrast("white", "black") == pytest.approx(21.0)
    assert contrast("#777777", "white") == pytest.approx(4.48, abs=0.005)  # the published example that just fails
    assert contrast("red", "red") == 1.0
    assert readable("#123456", "white", 4.5) == "#123456"
    assert contrast(readable("#F0E442", "white", 3.0), "white") == pytest.approx(3.0, abs=0.15)
    assert contrast(readable("black", "#777777", 4.5), "#777777") >= 4.5


@each_ground
@pytest.mark.parametrize("plot", ["losses", "latent_components", "trajectories_without_picture", "64 handles"])
def test_the_legend_shows_each_line_in_its_own_colour(plot: str, ground: str):
    (ax,) = GROUNDS[ground](PLOTS[plot]).axes
    handles, labels = ax.get_legend_handles_labels()
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == labels
    for line, shown in zip(handles, legend.get_lines(), strict=True):
        assert isinstance(line, Line2D)
        assert to_rgb(shown.get_color()) == to_rgb(line.get_color())
