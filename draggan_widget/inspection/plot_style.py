"""Sizes, colours and figures of all plots. Figures are made without pyplot, which is not safe on several threads.

Every `plot_...` function draws on the axes `ax`; None makes a new figure, as wide as a paper's column. A function with
several panels removes `ax` and divides its place among the panels.
"""

import io

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from matplotlib.typing import ColorType

from draggan_widget.engine.record import DragRecord
from draggan_widget.inspection.contrast import (
    LINE_CONTRAST,
    TEXT_CONTRAST,
    WHITE,
    ground_of,
    is_dark,
    page_of,
    readable,
)
from draggan_widget.inspection.draw_points import COLOURS

COLUMN = 3.3  # inches, width of a paper's column
NOTEBOOK_DPI = 200  # dots per inch in a notebook, whether pyplot is imported there or not
TEXT, SMALL = 8.0, 7.0  # pt: labels and titles; ticks and legends
YELLOW = "#F0E442"  # of `COLOURS`; invisible on white
STYLES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
MOST_LABELLED = 8  # handles with a legend entry each; more are drawn thinner, with one entry for all
MAGNITUDE, SIMILARITY, SIGNED = "viridis", "cividis", "PuOr_r"  # colour maps that colour-blind readers can read


class ShownFigure(Figure):
    """A `Figure` that a notebook shows when it is the last line of a cell."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def new_axes(width: float = COLUMN, height: float = 2.1) -> Axes:
    """Axes on a new figure; width and height in inches."""
    return ShownFigure(figsize=(width, height), dpi=NOTEBOOK_DPI, layout="constrained").add_subplot()


def panels(ax: Axes | None, rows: int, columns: int, height: float) -> list[Axes]:
    """Axes of several panels, row by row: in the place of `ax`, or on a new figure `height` inches high."""
    if ax is None:
        layout = ConstrainedLayoutEngine(w_pad=0.045, h_pad=0.02, wspace=0.02, hspace=0.02)
        figure = ShownFigure(figsize=(COLUMN, height), dpi=NOTEBOOK_DPI, layout=layout)
        return list(figure.subplots(rows, columns, squeeze=False).ravel())
    owner, place = ax.get_figure(root=False), ax.get_subplotspec()
    assert owner is not None
    if place is None:  # axes placed without a grid
        box = ax.get_position()
        grid = owner.add_gridspec(rows, columns, left=box.x0, right=box.x1, bottom=box.y0, top=box.y1)
    else:
        grid = place.subgridspec(rows, columns)
    ax.remove()
    return [owner.add_subplot(grid[row, column]) for row in range(rows) for column in range(columns)]


def line_colour(colour: ColorType, ground: ColorType) -> ColorType:
    """A colour of this module, as it is drawn on a ground.

    White is the ground that the colours were chosen for: there they stay, but for yellow, which becomes black. On a
    dark ground a light grey becomes a dark one. On any ground but white, the contrast is at least 3.
    """
    if to_rgb(ground) == WHITE:
        return "#000000" if colour == YELLOW else colour
    red, green, blue = to_rgb(colour)
    mirrored = (1 - red, 1 - green, 1 - blue) if red == green == blue and is_dark(ground) else colour
    return readable(mirrored, ground, LINE_CONTRAST)


def point_colour(ax: Axes, point: int) -> ColorType:
    """A point's colour: over a picture, or on the ground of axes that show no picture."""
    colour = COLOURS[point % len(COLOURS)]
    return colour if ax.images else line_colour(colour, ground_of(ax))


def make_readable(ax: Axes) -> None:
    """Give the text and the frame of the axes a contrast to the figure's ground, where their style gives none."""
    page = page_of(ax)
    axes = (ax.xaxis, ax.yaxis)
    for text in (ax.title, *ax.texts, *(axis.label for axis in axes), *(axis.get_offset_text() for axis in axes)):
        text.set_color(readable(to_rgb(text.get_color()), page, TEXT_CONTRAST))
    for axis in axes:
        tick = axis.get_major_ticks(1)[0]
        label, mark = to_rgb(tick.label1.get_color()), to_rgb(tick.tick1line.get_color())
        axis.set_tick_params(labelcolor=readable(label, page, TEXT_CONTRAST), color=readable(mark, page, LINE_CONTRAST))
    for spine in ax.spines.values():
        spine.set_edgecolor(readable(to_rgb(spine.get_edgecolor()), page, LINE_CONTRAST))


def finish(ax: Axes) -> Figure:
    """Set sizes and colours of the axes' text, and return their figure."""
    for text in (ax.title, ax.xaxis.label, ax.yaxis.label):
        text.set_fontsize(TEXT)
    ax.tick_params(labelsize=SMALL)
    make_readable(ax)
    figure = ax.get_figure(root=True)
    assert figure is not None
    return figure


def add_legend(ax: Axes) -> None:
    """Add a legend above the axes, where it hides nothing; none where no line has a label.

    Where the axes have another ground than the figure, the legend has that of the axes: its lines are theirs.
    """
    names = ax.get_legend_handles_labels()[1]
    if names:
        ground = ground_of(ax)
        legend = ax.legend(
            loc="lower left",
            bbox_to_anchor=(0.0, 1.0),
            ncols=4 if len(names) <= 4 else 3,
            fontsize=SMALL,
            frameon=ground != page_of(ax),
            facecolor=ground,
            edgecolor="none",
            framealpha=1.0,
            labelcolor=readable(mpl.rcParams["text.color"], ground, TEXT_CONTRAST),
            borderaxespad=0.2,
            handlelength=1.8,
            columnspacing=1.0,
        )
        for line in legend.get_lines() if ax.images else ():  # over a picture they have a white edge, here none
            line.set_color(line_colour(line.get_color(), ground))


def label_step_axis(ax: Axes, record: DragRecord, label: str) -> None:
    """Label both axes of a plot over steps, and draw a dotted line where a continued drag begins."""
    colour = line_colour("0.6", ground_of(ax))
    for number, start in enumerate(start for start in record.starts if start > 0):
        ax.axvline(start, color=colour, linewidth=0.8, linestyle=":", label=None if number else "resumed", zorder=0)
    ax.set(xlabel="step", ylabel=label)
    ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    ax.yaxis.set_offset_position("right")  # the power of ten; the left corner holds the legend
    ax.spines[["top", "right"]].set_visible(False)


def add_colour_bar(ax: Axes, shown: ScalarMappable, label: str = "") -> None:
    """Add a colour bar to the right of the axes."""
    figure = ax.get_figure(root=False)
    assert figure is not None
    bar = figure.colorbar(shown, ax=ax, pad=0.02)
    bar.set_label(label, fontsize=TEXT)
    bar.ax.tick_params(labelsize=SMALL)
    make_readable(bar.ax)
