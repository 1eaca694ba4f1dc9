"""Colours that can be told from the ground they stand on: contrast ratios of WCAG 2.2, for figures in any style.

Source: W3C, Web Content Accessibility Guidelines 2.2, success criteria 1.4.3 (text) and 1.4.11 (lines).
"""

from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.typing import ColorType

RGB = tuple[float, float, float]
WHITE, BLACK = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)
LINE_CONTRAST, TEXT_CONTRAST = 3.0, 4.5  # the least that a line and a small letter need
SHARES = 64  # steps from a colour to white or black


def contrast(one: ColorType, other: ColorType) -> float:
    """The contrast ratio of two colours, from 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def is_dark(ground: ColorType) -> bool:
    """Whether white stands out from the ground more than black does."""
    return contrast(WHITE, ground) > contrast(BLACK, ground)


def readable(colour: ColorType, ground: ColorType, least: float) -> ColorType:
    """The colour itself, or the nearest one on its way to white or black that reaches the contrast `least`."""
    end, start = WHITE if is_dark(ground) else BLACK, to_rgb(colour)
    for step in range(SHARES):
        mixed = colour if step == 0 else _mix(start, end, step / SHARES)
        if contrast(mixed, ground) >= least:
            return mixed
    return end


def page_of(ax: Axes) -> RGB:
    """The colour around the axes: that of their figure."""
    owner, colours = ax.get_figure(root=False), []
    while owner is not None:
        colours.append(to_rgba(owner.get_facecolor()))
        owner = None if isinstance(owner, Figure) else owner.get_figure(root=False)
    return _over(WHITE, reversed(colours))


def ground_of(ax: Axes) -> RGB:
    """The colour inside the axes."""
    page = page_of(ax)
    return _over(page, [to_rgba(ax.get_facecolor())]) if ax.axison else page


def _over(ground: RGB, layers: Iterable[tuple[float, float, float, float]]) -> RGB:
    """The colour that is seen where these layers lie over a ground, the undermost first."""
    for red, green, blue, opacity in layers:
        ground = _mix(ground, (red, green, blue), opacity)
    return ground


def _mix(one: RGB, other: RGB, share: float) -> RGB:
    red, green, blue = (a * (1 - share) + b * share for a, b in zip(one, other, strict=True))
    return red, green, blue


def _luminance(colour: ColorType) -> float:
    """Relative luminance of an sRGB colour."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
