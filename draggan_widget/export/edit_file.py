"""An edit as one JSON file that reproduces its drag: start, settings, points and mask, and what came of it.

The start latent is named by its seed, or held bit for bit where it was given. A drag whose edit was changed on the way,
and one that was gone on with after it ended, are held whole: every edit with the step from which it was pursued, and
the settings of each drag.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.edit import Edit
from draggan_widget.engine.record import DragRecord
from draggan_widget.engine.replay import Segment, split_segments
from draggan_widget.errors import ExportError
from draggan_widget.export import json_values
from draggan_widget.export.comparison import Result, packed_result, result_of, unpacked_result
from draggan_widget.export.writing import check_version, damaged, ending_of, missing, put

SCHEMA = "draggan-widget edit"
VERSION = 2  # 1: one config for all drags
LARGEST_FILE = 64 << 20  # bytes; a drag with a hundred masks of 1024 px has 1 MB
PARTS = ("schema", "version", "generator", "start", "config", "edit", "drags", "masks", "result", "versions")


@dataclass(frozen=True)
class MadeWith:
    """The generator of a saved edit.

    Attributes:
        name: what the user called it.
        family: "stylegan2", ...
        sha256: of its weights.
        image_size: (height, width) of its picture, px; None where the record had no generator at hand.
        latent_size: (num_ws, w_dim); None likewise.
    """

    name: str | None
    family: str | None
    sha256: str | None
    image_size: tuple[int, int] | None
    latent_size: tuple[int, int] | None


@dataclass(frozen=True, eq=False)
class SavedEdit:
    """What an edit's file holds.

    Attributes:
        generator: what it was made with.
        seed: of the start latent; None where `ws` holds it.
        truncation_psi: of the start latent.
        label: class of a conditional generator, or None.
        ws: the start latent, where it came from no seed.
        config: settings of the next drag, and of those whose leg holds none.
        edit: the edit that stood when it was saved.
        legs: the drags that were made, in order; none where none was.
        result: what came of them, or None.
        versions: of draggan-widget and torch.
    """

    generator: MadeWith
    seed: int | None
    truncation_psi: float
    label: int | None
    ws: Float[np.ndarray, "1 num_ws w_dim"] | None
    config: DragConfig
    edit: Edit
    legs: tuple[Segment, ...]
    result: Result | None
    versions: dict[str, str]

    @property
    def first(self) -> Edit:
        """The edit the first drag began with."""
        return self.legs[0].edits[0][1] if self.legs else self.edit


def edit_of(record: DragRecord, edit: Edit | None = None, made_with: MadeWith | None = None) -> SavedEdit:
    """What a record's file will hold.

    Args:
        record: of a drag; `about` as a session or `about_drag` makes it.
        edit: what stands now; None: what the last step pursued.
        made_with: None: what the record says.

    Raises:
        ExportError: the record has no step, or does not say its settings.
    """
    if not record.steps:
        raise ExportError("the record has 0 steps; expected at least one; start a drag first")
    about, first = record.about, record.steps[0]
    if not isinstance(about.get("config"), dict):
        raise ExportError(
            "the record's about has no config; expected all settings; make it DragRecord(about_drag(generator, config))"
        )
    given = about.get("seed") is None
    return SavedEdit(
        generator=made_with or _made_with(record),
        seed=about.get("seed"),  # pyright: ignore[reportArgumentType]
        truncation_psi=about.get("truncation_psi") if about.get("truncation_psi") is not None else 1.0,  # pyright: ignore[reportArgumentType]
        label=about.get("label"),  # pyright: ignore[reportArgumentType]
        ws=first.ws.detach().float().cpu().numpy() if given else None,
        config=DragConfig().replace(**about["config"]),  # pyright: ignore[reportCallIssue]
        edit=record.steps[-1].edit if edit is None else edit,
        legs=split_segments(record.steps),
        result=result_of(record),
        versions=dict(about.get("versions", {})),  # pyright: ignore[reportCallIssue, reportArgumentType]
    )


def _made_with(record: DragRecord) -> MadeWith:
    about, first = record.about, record.steps[0]
    told = {name: about.get(key) for name, key in (("name", "generator"), ("family", "family"), ("sha256", "sha256"))}
    size = None if first.generator is None else first.generator.image_size
    return MadeWith(**told, image_size=size, latent_size=(first.ws.shape[1], first.ws.shape[2]))  # pyright: ignore[reportArgumentType]


def save_edit(saved: SavedEdit | DragRecord, path: str | Path) -> Path:
    """Write an edit, or the edit of a record, to a .json file, whole or not at all.

    Raises:
        ExportError: the name ends otherwise, or the file cannot be written.
    """
    path = Path(path)
    ending_of(path, "edits", (".json",))
    content = _packed(edit_of(saved) if isinstance(saved, DragRecord) else saved)
    try:
        data = json.dumps(content, indent=1, allow_nan=False).encode("ascii")
    except (TypeError, ValueError) as error:
        raise ExportError(f"the edit holds what JSON cannot ({error}); expected plain finite values") from error
    return put(path, lambda file: file.write(data))


def _packed(saved: SavedEdit) -> dict[str, Any]:
    packer, made = json_values.Packer(), saved.generator
    edit = packer.edit(saved.edit)
    drags = [
        {
            "steps": leg.count,
            "ended": leg.ended,
            "config": None if leg.config is None else dict(vars(leg.config)),
            "edits": [{"step": index, "edit": packer.edit(change)} for index, change in leg.edits],
        }
        for leg in saved.legs
    ]
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "generator": {field.name: getattr(made, field.name) for field in fields(made)},
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
        "result": packed_result(saved.result),
        "versions": saved.versions,
    }


def load_edit(path: str | Path) -> SavedEdit:
    """Read what `save_edit` wrote.

    Raises:
        ExportError: the file is no such file, damaged, or of a newer version; it says where.
    """
    path = Path(path)
    content = _read(path)
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise ExportError(f"{path} is no saved edit; expected a file written by DragSession.save or save_edit")
    check_version(path, content.get("version"), VERSION)
    try:
        return _unpacked(json_values.fields(content, "the file", PARTS))
    except (ValueError, RecursionError) as error:
        raise damaged(path, "edit", str(error)) from error


def _read(path: Path) -> object:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
        if len(data) > LARGEST_FILE:
            raise ValueError(f"over {LARGEST_FILE} bytes")
        return json.loads(data.decode("utf-8-sig"), parse_constant=_refuse)
    except FileNotFoundError as error:
        raise missing(path) from error
    except OSError as error:
        raise ExportError(f"{path} cannot be read ({error}); expected a file; check the path") from error
    except (ValueError, RecursionError) as error:
        raise damaged(path, "edit", error) from error


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no finite number")


def _unpacked(content: Any) -> SavedEdit:
    masks = json_values.unpack_masks(json_values.listed(content["masks"], "masks"))
    start = json_values.fields(content["start"], "start", ("seed", "truncation_psi", "label", "ws"))
    seed, label, ws = start["seed"], start["label"], start["ws"]
    if (seed is None) == (ws is None):
        raise ValueError("start has " + ("neither seed nor ws" if seed is None else "both seed and ws"))
    versions = content["versions"]
    if not isinstance(versions, dict) or not all(isinstance(one, str) for one in versions.values()):
        raise ValueError(f"versions is {json_values.brief(versions)}; expected an object of texts")
    return SavedEdit(
        generator=_unpacked_generator(content["generator"]),
        seed=None if seed is None else json_values.whole(seed, "seed"),
        truncation_psi=json_values.number(start["truncation_psi"], "truncation_psi"),
        label=None if label is None else json_values.whole(label, "label"),
        ws=None if ws is None else json_values.unpack_latent(ws),
        config=_config(content["config"]),
        edit=json_values.unpack_edit(content["edit"], masks),
        legs=tuple(_leg(drag, masks, content["version"]) for drag in json_values.listed(content["drags"], "drags")),
        result=unpacked_result(content["result"]),
        versions=versions,
    )


def _unpacked_generator(value: object) -> MadeWith:
    made = json_values.fields(value, "generator", [field.name for field in fields(MadeWith)])
    name, family, sha256 = (json_values.text(made[what], what) for what in ("name", "family", "sha256"))
    return MadeWith(name, family, sha256, _size(made, "image_size"), _size(made, "latent_size"))


def _size(made: Mapping[str, Any], what: str) -> tuple[int, int] | None:
    if made[what] is None:
        return None
    first, second = json_values.listed(made[what], what, 2)
    return json_values.whole(first, what), json_values.whole(second, what)


def _config(value: object) -> DragConfig:
    if not isinstance(value, dict):
        raise ValueError(f"config is {json_values.brief(value)}; expected an object of settings")
    return DragConfig().replace(**value)


def _leg(value: object, masks: list[np.ndarray], version: int) -> Segment:
    drag = json_values.fields(value, "a drag", ("steps", "ended", "edits", *(("config",) if version > 1 else ())))
    config = None if drag.get("config") is None else _config(drag["config"])
    count, edits = json_values.whole(drag["steps"], "steps"), []
    if not isinstance(drag["ended"], bool):
        raise ValueError(f"ended is {json_values.brief(drag['ended'])}; expected true or false")
    for change in json_values.listed(drag["edits"], "edits"):
        entry = json_values.fields(change, "a change of the edit", ("step", "edit"))
        edits.append((json_values.whole(entry["step"], "step"), json_values.unpack_edit(entry["edit"], masks)))
    places = [index for index, _ in edits]
    if not edits or places[0] != 0 or places != sorted(set(places)) or places[-1] >= count:
        raise ValueError(
            f"a drag of {count} steps has edits at steps {json_values.brief(places)}; expected rising from 0"
        )
    if not all(len(edit) for _, edit in edits):
        raise ValueError("a drag pursued an edit without points; expected at least one")
    return Segment(count, drag["ended"], tuple(edits), config)
