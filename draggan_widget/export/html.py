"""A drag as one HTML page with a slider over its steps; the page needs no network, no server and no kernel.

Text from the record enters the page escaped. The page's Content-Security-Policy allows only this package's script and
style, by their sha256, and pictures inside the page, so that markup smuggled in by a record would do nothing.
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

from draggan_widget.counts import counted
from draggan_widget.engine.record import DragRecord
from draggan_widget.export.stills import Stills, make_stills
from draggan_widget.export.writing import file_place, write_file
from draggan_widget.inspection.draw_points import point_starts
from draggan_widget.inspection.records import require_steps

FPS = 12  # steps per second during playback
STATIC = importlib.resources.files("draggan_widget.export") / "static"
HEIGHT = 860  # px, height of the frame in a notebook


class Replay(str):
    """Text of the page; as the last line of a cell it is shown in a sandboxed frame that may only run scripts."""

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

    The page opens from a folder, without a network. Its pictures take at most 8 MB together: they are made smaller and
    coarser until they fit, and of a record with more than 150 steps only every second, third, ... picture is drawn. The
    points of every step are shown.

    Args:
        record: record of a drag, with its generator.
        path: the file, usually .html; None returns the page's text, which a notebook shows as the page.

    Returns:
        The path, or the text.

    Raises:
        RecordError: the record is empty, or was read from a file without its generator.
        ExportError: the file cannot be written; an older file stays unchanged.

    Examples:
        >>> from draggan_widget import DragSession, Edit
        >>> session = DragSession("heads", seed=3)
        >>> session.edit = Edit([(78, 78)], [(62, 79)])
        >>> step = session.step(2)
        >>> path = to_html(session.record, "drag.html")
    """
    place = None if path is None else file_place(path)
    record = require_steps(record)
    page = _page(record, make_stills(record))
    if place is None:
        return Replay(page)
    return write_file(place, lambda file: file.write(page.encode()))


def _page(record: DragRecord, stills: Stills) -> str:
    generator = record[0].generator
    assert generator is not None  # a picture was drawn
    height, width = generator.image_size
    style, script = _read_static("replay.css"), _read_static("replay.js")
    last = len(stills.pictures) - 1
    texts = {
        "title": f"A drag of {record.about.get('generator', generator.name)}, {counted(len(record), 'step')}",
        "picture": _data_uri(stills.pictures[last]),
        "width": str(width),
        "height": str(height),
        "style_hash": _hash(style),
        "script_hash": _hash(script),
    }
    return Template(_read_static("replay.html")).substitute(
        {key: html.escape(text) for key, text in texts.items()},
        about="\n".join(
            f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in _about_rows(record, stills)
        ),
        record=_escape_json(_page_data(record, stills, (width, height))),
        style=style,
        script=script,
    )


def _read_static(name: str) -> str:
    return (STATIC / name).read_text("utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _escape_json(values: dict[str, Any]) -> str:
    """JSON that can neither end the script element around it nor begin a comment there."""
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _data_uri(webp: bytes) -> str:
    return "data:image/webp;base64," + base64.b64encode(webp).decode()


def _page_data(record: DragRecord, stills: Stills, size: tuple[int, int]) -> dict[str, Any]:
    starts = point_starts(record.steps)
    steps = [
        {
            "handles": [[round(x, 2), round(y, 2)] for x, y in step.handles],
            "targets": [[round(x, 2), round(y, 2)] for x, y in step.targets],
            "since": starts[position],
            "distances": [round(value, 2) for value in step.distances],
            "loss": step.loss if step.loss is not None and math.isfinite(step.loss) else None,
            "ended": step.ended,
            "picture": stills.index_of(position),
        }
        for position, step in enumerate(record)
    ]
    # The last picture is in the page's own <img>, which shows it without scripts.
    pictures = [_data_uri(picture) for picture in stills.pictures[:-1]]
    return {"size": size, "fps": FPS, "steps": steps, "pictures": pictures}


def _about_rows(record: DragRecord, stills: Stills) -> list[tuple[str, str]]:
    about = dict(record.about)
    tables = [(name, about.pop(name, None)) for name in ("config", "versions")]
    rows = [(str(name), "none" if value is None else str(value)) for name, value in about.items()]
    for name, values in tables:
        if isinstance(values, dict):
            rows.append((name, ", ".join(f"{key} {value}" for key, value in values.items())))
    shown = (
        "of every step" if stills.every == 1 else f"of every {stills.every} steps and the last; points of every step"
    )
    rows.append(("pictures", f"made by a trained model, {shown}, {stills.side} px"))
    return [(name.replace("_", " "), value) for name, value in rows]
