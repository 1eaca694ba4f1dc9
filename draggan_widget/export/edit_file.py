"""An edit as one JSON file that reproduces its drag: start latent, settings, points, mask and result.

The file holds the seed of the start latent, or the latent itself bit for bit if it came from no seed. It holds every
`drag()` of the record as a segment: its settings, and each edit with the step from which it was pursued.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from draggan_widget.engine.config import NEVER, DragConfig
from draggan_widget.engine.edit import Edit
from draggan_widget.engine.record import DragRecord
from draggan_widget.engine.replay import Segment, split_segments
from draggan_widget.errors import ExportError
from draggan_widget.export import json_values
from draggan_widget.export.comparison import Result, make_result, pack_result, unpack_result
from draggan_widget.export.writing import (
    check_ending,
    check_file,
    check_version,
    damaged,
    file_place,
    not_read,
    write_file,
)
from draggan_widget.inspection.records import require_steps

SCHEMA = "draggan-widget edit"
VERSION = 2  # version 1 had one config for all drags
LARGEST_FILE = 64 << 20  # bytes; a drag with a hundred masks of 1024 px has 1 MB
MOST_DRAGS = 10_000
MOST_CHANGES = 20_000  # of all drags together; a drag that is changed at each of its steps for an hour has as many
MOST_STEPS = NEVER + 1  # of one drag: the largest cap and the start
NAMES = ("schema", "version", "generator", "start", "config", "edit", "drags", "masks", "result", "versions")


@dataclass(frozen=True)
class SavedGenerator:
    """The generator of a saved edit.

    Attributes:
        name: name that the user loaded it by.
        family: "stylegan2", ...
        sha256: sha256 of its weights.
        image_size: (height, width) of its pictures, px; None if the record was read without its generator.
        latent_size: (num_ws, w_dim); None if unknown.
    """

    name: str | None
    family: str | None
    sha256: str | None
    image_size: tuple[int, int] | None
    latent_size: tuple[int, int] | None


@dataclass(frozen=True, eq=False)
class SavedEdit:
    """Content of an edit's file.

    Attributes:
        generator: the generator that the edit was made with.
        seed: seed of the start latent; None if `ws` holds the latent.
        truncation_psi: truncation psi of the start latent.
        label: class of a conditional generator, or None.
        ws: the start latent if it came from no seed, else None.
        config: settings of the next drag, and of segments that hold none.
        edit: the edit at the time of saving.
        segments: the drags that were made, in order; empty before the first drag.
        result: where they ended; None before the first drag.
        versions: versions of draggan-widget and torch.
    """

    generator: SavedGenerator
    seed: int | None
    truncation_psi: float
    label: int | None
    ws: Float[np.ndarray, "1 num_ws w_dim"] | None
    config: DragConfig
    edit: Edit
    segments: tuple[Segment, ...]
    result: Result | None
    versions: dict[str, str]

    @property
    def first(self) -> Edit:
        """The edit with which the first drag began."""
        return self.segments[0].edits[0][1] if self.segments else self.edit


def make_saved_edit(record: DragRecord, edit: Edit | None = None, generator: SavedGenerator | None = None) -> SavedEdit:
    """Collect what the file of a record's edit will hold.

    Args:
        record: record of a drag; its `about` comes from a session or from `about_drag`.
        edit: the current edit; None: the edit of the last step.
        generator: the generator; None: the one that the record names.

    Raises:
        RecordError: the record is empty.
        ExportError: the record's `about` holds no settings.
    """
    record = require_steps(record)
    about, first = record.about, record.steps[0]
    if not isinstance(about.get("config"), dict):
        raise ExportError(
            "the record's about has no config; expected all settings; make it DragRecord(about_drag(generator, config))"
        )
    given = about.get("seed") is None
    return SavedEdit(
        generator=generator or _recorded_generator(record),
        seed=about.get("seed"),  # pyright: ignore[reportArgumentType]
        truncation_psi=about.get("truncation_psi") if about.get("truncation_psi") is not None else 1.0,  # pyright: ignore[reportArgumentType]
        label=about.get("label"),  # pyright: ignore[reportArgumentType]
        ws=first.ws.detach().float().cpu().numpy() if given else None,
        config=DragConfig().replace(**about["config"]),  # pyright: ignore[reportCallIssue]
        edit=record.steps[-1].edit if edit is None else edit,
        segments=split_segments(record.steps),
        result=make_result(record),
        versions=dict(about.get("versions", {})),  # pyright: ignore[reportCallIssue, reportArgumentType]
    )


def _recorded_generator(record: DragRecord) -> SavedGenerator:
    about, first = record.about, record.steps[0]
    known = {name: about.get(key) for name, key in (("name", "generator"), ("family", "family"), ("sha256", "sha256"))}
    size = None if first.generator is None else first.generator.image_size
    return SavedGenerator(**known, image_size=size, latent_size=(first.ws.shape[1], first.ws.shape[2]))  # pyright: ignore[reportArgumentType]


def save_edit(saved: SavedEdit | DragRecord, path: str | Path) -> Path:
    """Write an edit, or the edit of a record, to a .json file, whole or not at all.

    Args:
        saved: the record of a drag, or an edit from `load_edit`.
        path: .json file.

    Raises:
        ExportError: the path does not end in .json, the record's `about` holds no settings, there are too many drags or
            changes of the edit, or the file cannot be written.
        RecordError: the record is empty.

    Examples:
        >>> from draggan_widget import DragSession, Edit, load_edit
        >>> session = DragSession("heads", seed=3)
        >>> session.edit = Edit([(78, 78)], [(62, 79)])
        >>> step = session.step(2)
        >>> load_edit(save_edit(session.record, "edit.json")).seed
        3
    """
    path = file_place(path)
    check_ending(path, "edits", (".json",))
    edit = make_saved_edit(saved) if isinstance(saved, DragRecord) else saved
    try:
        _check_counts(len(edit.segments), sum(len(segment.edits) for segment in edit.segments), 0)
    except ValueError as error:
        raise ExportError(f"the edit cannot be saved: {error}; save a shorter record") from error
    content = _pack(edit)
    try:
        data = json.dumps(content, indent=1, allow_nan=False).encode("ascii")
    except (TypeError, ValueError) as error:
        raise ExportError(f"the edit does not fit JSON ({error}); expected plain finite values") from error
    return write_file(path, lambda file: file.write(data))


def _pack(saved: SavedEdit) -> dict[str, Any]:
    packer, generator = json_values.EditPacker(), saved.generator
    edit = packer.edit(saved.edit)
    drags = [
        {
            "steps": segment.count,
            "ended": segment.ended,
            "config": None if segment.config is None else dict(vars(segment.config)),
            "edits": [{"step": index, "edit": packer.edit(change)} for index, change in segment.edits],
        }
        for segment in saved.segments
    ]
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "generator": {field.name: getattr(generator, field.name) for field in fields(generator)},
        "start": {
            "seed": saved.seed,
            "truncation_psi": saved.truncation_psi,
            "label": saved.label,
            "ws": None if saved.ws is None else json_values.pack_latent(saved.ws),
        },
        "config": dict(vars(saved.config)),
        "edit": edit,
        "drags": drags,
        "masks": packer.masks,
        "result": pack_result(saved.result),
        "versions": saved.versions,
    }


def load_edit(path: str | Path) -> SavedEdit:
    """Read a file that `save_edit` or `DragSession.save` wrote.

    Raises:
        ExportError: the file is missing, is another file, damaged, or of a newer version; the text names the place.

    Examples:
        >>> from draggan_widget import DragSession, Edit
        >>> session = DragSession("heads", seed=3)
        >>> session.edit = Edit([(78, 78)], [(62, 79)])
        >>> step = session.step(2)
        >>> load_edit(session.save("edit.json")).seed
        3
    """
    path = file_place(path)
    check_file(path)
    content = _read(path)
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise ExportError(f"{path} is not a saved edit; expected a file written by DragSession.save or save_edit")
    check_version(path, content.get("version"), VERSION)
    try:
        return _unpack(json_values.as_object(content, "the file", NAMES))
    except (ValueError, RecursionError) as error:
        raise damaged(path, "edit", str(error)) from error


def _read(path: Path) -> object:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
        if len(data) > LARGEST_FILE:
            raise ValueError(f"over {LARGEST_FILE} bytes")
        return json.loads(data.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except OSError as error:
        raise not_read(path, error) from error
    except (ValueError, RecursionError) as error:
        raise damaged(path, "edit", error) from error


def _refuse_constant(constant: str) -> object:
    raise ValueError(f"{constant} is not a finite number")


def _check_counts(drags: int, changes: int, masks: int) -> None:
    """Check how much a file holds, before any of it is unpacked.

    Raises:
        ValueError: it is too much.
    """
    bounds = (
        (drags, "drags", MOST_DRAGS),
        (changes, "changes of the edit", MOST_CHANGES),
        (masks, "masks", MOST_CHANGES + 1),
    )
    for found, what, most in bounds:
        if found > most:
            raise ValueError(f"there are {found} {what}; expected at most {most}")


def _count_changes(drags: list) -> int:
    lists = [drag.get("edits") for drag in drags if isinstance(drag, dict)]
    return sum(len(edits) for edits in lists if isinstance(edits, list))


def _unpack(content: Any) -> SavedEdit:
    drags = json_values.as_list(content["drags"], "drags")
    _check_counts(len(drags), _count_changes(drags), len(json_values.as_list(content["masks"], "masks")))
    masks = json_values.unpack_masks(json_values.as_list(content["masks"], "masks"))
    start = json_values.as_object(content["start"], "start", ("seed", "truncation_psi", "label", "ws"))
    seed, label, ws = start["seed"], start["label"], start["ws"]
    if (seed is None) == (ws is None):
        raise ValueError("start has " + ("neither seed nor ws" if seed is None else "both seed and ws"))
    versions = content["versions"]
    if not isinstance(versions, dict) or not all(isinstance(one, str) for one in versions.values()):
        raise ValueError(f"versions is {json_values.shorten(versions)}; expected an object of texts")
    return SavedEdit(
        generator=_unpack_generator(content["generator"]),
        seed=None if seed is None else json_values.as_count(seed, "seed"),
        truncation_psi=json_values.as_number(start["truncation_psi"], "truncation_psi"),
        label=None if label is None else json_values.as_count(label, "label"),
        ws=None if ws is None else json_values.unpack_latent(ws),
        config=_unpack_config(content["config"]),
        edit=json_values.unpack_edit(content["edit"], masks),
        segments=tuple(_unpack_segment(drag, masks, content["version"]) for drag in drags),
        result=unpack_result(content["result"]),
        versions=versions,
    )


def _unpack_generator(value: object) -> SavedGenerator:
    made = json_values.as_object(value, "generator", [field.name for field in fields(SavedGenerator)])
    name, family, sha256 = (json_values.as_text(made[what], what) for what in ("name", "family", "sha256"))
    return SavedGenerator(name, family, sha256, _unpack_size(made, "image_size"), _unpack_size(made, "latent_size"))


def _unpack_size(made: Mapping[str, Any], what: str) -> tuple[int, int] | None:
    if made[what] is None:
        return None
    first, second = json_values.as_list(made[what], what, 2)
    return json_values.as_count(first, what), json_values.as_count(second, what)


def _unpack_config(value: object) -> DragConfig:
    if not isinstance(value, dict):
        raise ValueError(f"config is {json_values.shorten(value)}; expected an object of settings")
    return DragConfig().replace(**value)


def _unpack_segment(value: object, masks: list[np.ndarray], version: int) -> Segment:
    drag = json_values.as_object(value, "a drag", ("steps", "ended", "edits", *(("config",) if version > 1 else ())))
    config = None if drag.get("config") is None else _unpack_config(drag["config"])
    count, edits = json_values.as_count(drag["steps"], "steps", MOST_STEPS), []
    if not isinstance(drag["ended"], bool):
        raise ValueError(f"ended is {json_values.shorten(drag['ended'])}; expected true or false")
    for change in json_values.as_list(drag["edits"], "edits"):
        entry = json_values.as_object(change, "a change of the edit", ("step", "edit"))
        edits.append((json_values.as_count(entry["step"], "step"), json_values.unpack_edit(entry["edit"], masks)))
    starts = [index for index, _ in edits]
    if not edits or starts[0] != 0 or starts != sorted(set(starts)) or starts[-1] >= count:
        raise ValueError(
            f"a drag of {count} steps has edits at steps {json_values.shorten(starts)}; expected rising from 0"
        )
    if not all(len(edit) for _, edit in edits):
        raise ValueError("a drag pursued an edit without points; expected at least one")
    return Segment(count, drag["ended"], tuple(edits), config)
