"""A drag as one HTML page that scrubs through it and needs nothing else: no network, no server, no kernel.

Whatever a record says enters the page as escaped text. Its Content-Security-Policy lets one script and one style run,
those of this package, known by their sha256, and pictures that stand in the page: smuggled markup would do nothing.
"""

import base64
import hashlib
import html
import importlib.resources
import json
import math
from pathlib import Path
from string import Template
from typing import Any, overload

from draggan_widget.engine.record import DragRecord, so_far
from draggan_widget.errors import ExportError, RecordError
from draggan_widget.export.stills import Stills, make_stills
from draggan_widget.files import write_atomically
from draggan_widget.inspection.draw_points import came_from

FPS = 12  # steps a second when it plays
STATIC = importlib.resources.files("draggan_widget.export") / "static"
HEIGHT = 860  # px of the frame in a notebook


class Replay(str):
    """The page's text; as a cell's last line it shows itself, in a frame that may run its script and nothing else."""

    def _repr_html_(self) -> str:
        page = html.escape(self, quote=True)
        return (
            f'<iframe srcdoc="{page}" sandbox="allow-scripts" title="Replay of a drag" width="100%" height="{HEIGHT}" '
            'style="border: 0"></iframe>'
        )


@overload
def to_html(record: DragRecord, path: None = None) -> Replay: ...
@overload
def to_html(record: DragRecord, path: str | Path) -> Path: ...
def to_html(record: DragRecord, path: str | Path | None = None) -> Path | Replay:
    """Write a drag as one self-contained HTML page: a slider over its steps, points, distances, and how it was made.

    It opens from a folder, without a network. The pictures take at most 8 MB: they are made smaller and coarser until
    they fit, and of a record of more than 150 steps only every second, third, ... is drawn. Points are those of every
    step.

    Args:
        record: of a drag, with its generator.
        path: the file, usually .html; None gives the page's text, which shows itself as a cell's last line.

    Returns:
        The path, or the text.

    Raises:
        RecordError: the record is empty or was read without its generator.
        ExportError: the file cannot be written; an older file stays.
    """
    record = so_far(record)
    if len(record) == 0:
        raise RecordError("the record has 0 steps; expected at least one; start a drag first")
    page = _page(record, make_stills(record))
    if path is None:
        return Replay(page)
    path = Path(path)
    try:
        write_atomically(path, lambda file: file.write(page.encode()))
    except OSError as error:
        raise ExportError(f"{path} cannot be written ({error}); choose another folder or free some space") from error
    return path


def _page(record: DragRecord, stills: Stills) -> str:
    generator = record[0].generator
    assert generator is not None  # a picture was drawn
    height, width = generator.image_size
    style, script = _static("replay.css"), _static("replay.js")
    last = len(stills.pictures) - 1
    texts = {
        "title": f"A drag of {record.about.get('generator', generator.name)}, {len(record)} steps",
        "picture": _data_uri(stills.pictures[last]),
        "width": str(width),
        "height": str(height),
        "style_hash": _hash(style),
        "script_hash": _hash(script),
    }
    return Template(_static("replay.html")).substitute(
        {key: html.escape(text) for key, text in texts.items()},
        about="\n".join(
            f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in _about(record, stills)
        ),
        record=_script_safe(_steps(record, stills, (width, height))),
        style=style,
        script=script,
    )


def _static(name: str) -> str:
    return (STATIC / name).read_text("utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _script_safe(values: dict[str, Any]) -> str:
    """JSON that cannot end the script element it stands in, nor begin a comment there."""
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _data_uri(webp: bytes) -> str:
    return "data:image/webp;base64," + base64.b64encode(webp).decode()


def _steps(record: DragRecord, stills: Stills, size: tuple[int, int]) -> dict[str, Any]:
    begun = came_from(record.steps)
    steps = [
        {
            "handles": [[round(x, 2), round(y, 2)] for x, y in step.handles],
            "targets": [[round(x, 2), round(y, 2)] for x, y in step.targets],
            "since": begun[place],
            "distances": [round(value, 2) for value in step.distances],
            "loss": step.loss if step.loss is not None and math.isfinite(step.loss) else None,
            "ended": step.ended,
            "picture": stills.of(place),
        }
        for place, step in enumerate(record)
    ]
    # The last picture stands in the page itself, where it shows without scripts.
    pictures = [_data_uri(picture) for picture in stills.pictures[:-1]]
    return {"size": size, "fps": FPS, "steps": steps, "pictures": pictures}


def _about(record: DragRecord, stills: Stills) -> list[tuple[str, str]]:
    about = dict(record.about)
    lists = [(name, about.pop(name, None)) for name in ("config", "versions")]
    rows = [(str(name), "none" if value is None else str(value)) for name, value in about.items()]
    for name, values in lists:
        if isinstance(values, dict):
            rows.append((name, ", ".join(f"{key} {value}" for key, value in values.items())))
    shown = (
        "of every step" if stills.every == 1 else f"of every {stills.every} steps and the last; points of every step"
    )
    rows.append(("pictures", f"made by a trained model, {shown}, {stills.side} px"))
    return [(name.replace("_", " "), value) for name, value in rows]
