"""Messages between browser and kernel, parsed once. The browser sends wishes, the kernel sends facts.

tests/golden/messages.json holds an example of every message; docs/architecture.md has the rules.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from draggan_widget.engine.edit import Edit
from draggan_widget.errors import DragganError
from draggan_widget.geometry import Point
from draggan_widget.widget.views import ViewName

OverlayView = Literal["none", ViewName]
CommandName = Literal["start", "stop", "undo", "redo", "reset"]
MaskWord = Literal["keep", "none", "buffer"]
FARTHEST = 1e6  # image px; a bound for any picture: whether a point lies inside is checked where its size is known


class MessageError(DragganError, ValueError):
    """A message from the browser has an unknown type or a wrong field."""


@dataclass(frozen=True)
class Hello:
    """A view was opened.

    Attributes:
        client: random name of the view, in every message.
        colab: whether the view is in Google Colab.
    """

    client: str
    colab: bool


@dataclass(frozen=True)
class EditWish:
    """A new edit, as a whole.

    Attributes:
        client: name of the view.
        rid: number of the request, which the answer repeats.
        revision: revision that the edit was drawn on.
        handles: handle points, (x, y) in image px.
        targets: target points, (x, y) in image px.
        mask: "keep" the current mask, "none", or the one in the "buffer".
        mask_bytes: the mask in the buffer, one byte per pixel.
        locked: whether each point is locked.
    """

    client: str
    rid: int
    revision: int
    handles: tuple[Point, ...]
    targets: tuple[Point, ...]
    mask: MaskWord
    mask_bytes: bytes | None
    locked: tuple[bool, ...]

    def edit(self, current: Edit, image_size: tuple[int, int]) -> Edit:
        """The new edit, given the current one and the picture's (height, width).

        Raises:
            MessageError: the mask has not one byte per pixel.
            EditError: points or mask do not make a valid edit.
        """
        if self.mask == "keep":
            return Edit(self.handles, self.targets, current.mask, self.locked)
        if self.mask_bytes is None:
            return Edit(self.handles, self.targets, None, self.locked)
        height, width = image_size
        if len(self.mask_bytes) != height * width:
            raise MessageError(f"the mask has {len(self.mask_bytes)} bytes; expected {width} x {height}, one per pixel")
        mask = np.frombuffer(self.mask_bytes, np.uint8).reshape(height, width)
        return Edit(self.handles, self.targets, mask, self.locked)


@dataclass(frozen=True)
class Command:
    """A button that needs no number.

    Attributes:
        client: name of the view.
        rid: number of the request.
        name: the button.
    """

    client: str
    rid: int
    name: CommandName


@dataclass(frozen=True)
class StepWish:
    """Make some steps.

    Attributes:
        client: name of the view.
        rid: number of the request.
        n: number of steps, 1 to 1000.
    """

    client: str
    rid: int
    n: int


@dataclass(frozen=True)
class SeedWish:
    """Take another start latent.

    Attributes:
        client: name of the view.
        rid: number of the request.
        seed: the seed; None takes the next one.
        truncation_psi: the truncation; None keeps the current one.
    """

    client: str
    rid: int
    seed: int | None
    truncation_psi: float | None


@dataclass(frozen=True)
class SettingsWish:
    """Change settings of the next drag; None keeps a setting.

    Attributes:
        client: name of the view.
        rid: number of the request.
        preset: name of a preset.
        max_steps: cap of a drag, steps.
        latent_space: "W" or "W+".
    """

    client: str
    rid: int
    preset: str | None
    max_steps: int | None
    latent_space: str | None


@dataclass(frozen=True)
class OverlayWish:
    """Show another overlay.

    Attributes:
        client: name of the view.
        rid: number of the request.
        view: way to show the feature map, or "none".
    """

    client: str
    rid: int
    view: OverlayView


@dataclass(frozen=True)
class Shown:
    """A frame was shown: one credit comes back.

    Attributes:
        client: name of the view.
        seq: number of the frame.
    """

    client: str
    seq: int


@dataclass(frozen=True)
class Tick:
    """A view in Colab asks for the newest frame.

    Attributes:
        client: name of the view.
    """

    client: str


Wish = Hello | EditWish | Command | StepWish | SeedWish | SettingsWish | OverlayWish | Shown | Tick


def parse(content: Any, buffers: Sequence[Any] = ()) -> Wish:
    """Parse one message from the browser.

    Args:
        content: the message, as JSON gives it.
        buffers: its binary buffers.

    Raises:
        MessageError: the message has an unknown type, or a field has a wrong type or value.
    """
    if not isinstance(content, dict):
        raise MessageError(f"the message is of type {type(content).__name__}; expected an object")
    kind = content.get("type")
    client = _field(content, "client", str)
    match kind:
        case "hello":
            return Hello(client, _field(content, "colab", bool))
        case "edit":
            return _parse_edit(content, client, buffers)
        case "start" | "stop" | "undo" | "redo" | "reset":
            return Command(client, _field(content, "rid", int), kind)
        case "step":
            return StepWish(client, _field(content, "rid", int), _whole_number(content, "n", 1, 1000))
        case "seed":
            seed = None if content.get("seed") is None else _whole_number(content, "seed", 0, 2**32 - 1)
            return SeedWish(client, _field(content, "rid", int), seed, _optional_number(content, "truncation_psi"))
        case "settings":
            return SettingsWish(
                client,
                _field(content, "rid", int),
                _optional_field(content, "preset", str),
                _optional_field(content, "max_steps", int),
                _optional_field(content, "latent_space", str),
            )
        case "overlay":
            return OverlayWish(client, _field(content, "rid", int), _parse_view(content))
        case "shown":
            return Shown(client, _field(content, "seq", int))
        case "tick":
            return Tick(client)
    raise MessageError(f"the message has type {kind!r}, which this version does not know; reload the page")


def _parse_edit(content: dict[str, Any], client: str, buffers: Sequence[Any]) -> EditWish:
    points = _field(content, "points", list)
    pairs = [(_parse_point(point, "handle"), _parse_point(point, "target")) for point in points]
    mask = _field(content, "mask", str)
    if mask not in ("keep", "none", "buffer"):
        raise MessageError(f"mask is {mask!r}; expected 'keep', 'none' or 'buffer'")
    if mask == "buffer" and len(buffers) != 1:
        raise MessageError(f"the message has {len(buffers)} buffers; expected 1 with the mask")
    return EditWish(
        client=client,
        rid=_field(content, "rid", int),
        revision=_field(content, "revision", int),
        handles=tuple(handle for handle, _ in pairs),
        targets=tuple(target for _, target in pairs),
        mask=mask,
        mask_bytes=bytes(buffers[0]) if mask == "buffer" else None,
        locked=tuple(_parse_lock(point) for point in points),
    )


def _parse_view(content: dict[str, Any]) -> OverlayView:
    views: tuple[OverlayView, ...] = get_args(OverlayView)
    for view in views:
        if view == content.get("view"):
            return view
    raise MessageError(f"view is {content.get('view')!r}; expected one of {', '.join(views)}")


def _field(content: dict[str, Any], name: str, kind: type) -> Any:
    value = content.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise MessageError(f"{name} is {value!r}; expected {kind.__name__}")
    return value


def _optional_field(content: dict[str, Any], name: str, kind: type) -> Any:
    return None if content.get(name) is None else _field(content, name, kind)


def _optional_number(content: dict[str, Any], name: str) -> float | None:
    value = content.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not abs(value) <= FARTHEST:
        raise MessageError(f"{name} is {value!r}; expected a finite number")
    return float(value)


def _parse_lock(point: dict[str, Any]) -> bool:
    locked = point.get("locked", False)
    if not isinstance(locked, bool):
        raise MessageError(f"locked is {locked!r}; expected true or false")
    return locked


def _whole_number(content: dict[str, Any], name: str, low: int, high: int) -> int:
    value = _field(content, name, int)
    if not low <= value <= high:
        raise MessageError(f"{name} is {value}; expected {low} to {high}")
    return value


def _parse_point(point: Any, end: str) -> Point:
    pair = point.get(end) if isinstance(point, dict) else None
    if not isinstance(pair, list) or len(pair) != 2 or any(type(value) not in (int, float) for value in pair):
        raise MessageError(f"{end} is {pair!r}; expected [x, y]")
    if not all(abs(value) <= FARTHEST for value in pair):  # NaN as well
        raise MessageError(f"{end} is {pair!r}; expected finite numbers in image px")
    return (float(pair[0]), float(pair[1]))


def pairs(points: Sequence[Point]) -> list[list[float]]:
    """Points as JSON."""
    return [[x, y] for x, y in points]
