"""A `DragRecord` as one .npz file: plain arrays and a JSON text, nothing pickled."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from draggan_widget.arrays import DAMAGE, read_npz
from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.edit import Edit
from draggan_widget.engine.record import DragRecord, so_far
from draggan_widget.engine.step import DragStep
from draggan_widget.errors import RecordError
from draggan_widget.files import write_atomically

if TYPE_CHECKING:
    from draggan_widget.generators.generator import Generator

T = TypeVar("T")
SCHEMA = "draggan-widget record"
VERSION = 2  # 1: without loss terms, gradient norms and the settings of each drag


def save_record(record: DragRecord, path: Path) -> Path:
    """Write a record as it is now; the name gets .npz where it has no such ending."""
    record = so_far(record)
    path = path if path.suffix == ".npz" else path.with_name(path.name + ".npz")
    edits: list[Edit] = []
    numbers = [_number(edits, step.edit) for step in record.steps]
    configs: list[DragConfig | None] = []
    settings = [_number(configs, step.config) for step in record.steps]
    meta = _meta(record, edits, numbers) | {"configs": [_plain(config) for config in configs], "settings": settings}
    arrays: dict[str, Any] = {
        "schema": np.array(SCHEMA),
        "version": np.array(VERSION),
        "meta": np.array(json.dumps(meta)),
        "ws": record.ws,
        "handles": record.handles,
        "tracking_error": record.tracking_error,
        "motion_losses": record.motion_losses,
        "gradient_norms": record.gradient_norms,
        **{f"mask_{k}": edit.mask for k, edit in enumerate(edits) if edit.mask is not None},
    }
    try:
        write_atomically(path, lambda file: np.savez(file, **arrays))
    except OSError as error:
        raise RecordError(f"{path} cannot be written ({error}); choose another folder or free some space") from error
    return path


def _number(known: list[T], one: T) -> int:
    """Place of an edit, or of settings, in the list of different ones; steps share most of them."""
    if not known or known[-1] != one:
        known.append(one)
    return len(known) - 1


def _plain(config: DragConfig | None) -> dict[str, Any] | None:
    return None if config is None else dict(vars(config))


def _meta(record: DragRecord, edits: list[Edit], numbers: list[int]) -> dict[str, Any]:
    return {
        "about": record.about,
        "edits": [{"handles": edit.handles, "targets": edit.targets, "locked": edit.locked} for edit in edits],
        "steps": [
            {
                "index": s.index,
                "edit": number,
                "loss": s.loss,
                "mask_loss": s.mask_loss,
                "ended": s.ended,
                "seconds": s.seconds,
            }
            for s, number in zip(record.steps, numbers, strict=True)
        ],
    }


def load_record(path: Path, generator: "Generator | None") -> DragRecord:
    """Read what `save_record` wrote."""
    try:
        arrays = read_npz(path)
        if "schema" not in arrays or str(arrays["schema"]) != SCHEMA:
            raise RecordError(f"{path} is not a record of a drag; expected a file written by DragRecord.save")
        if int(arrays["version"]) > VERSION:
            raise RecordError(f"{path} has schema version {int(arrays['version'])}; this version reads up to {VERSION}")
        return _record(arrays, generator)
    except FileNotFoundError as error:
        raise RecordError(f"{path} does not exist; expected a file written by DragRecord.save") from error
    except DAMAGE as error:
        raise RecordError(
            f"{path} is damaged or not a record ({type(error).__name__}: {error}); expected a file written by "
            "DragRecord.save; take another copy"
        ) from error


def _record(arrays: dict[str, np.ndarray], generator: "Generator | None") -> DragRecord:
    meta = json.loads(str(arrays["meta"]))
    edits = [
        Edit(edit["handles"], edit["targets"], arrays.get(f"mask_{k}"), edit.get("locked", ()))
        for k, edit in enumerate(meta["edits"])
    ]
    configs = [None if c is None else DragConfig(**c) for c in meta.get("configs", [None])]
    settings = meta.get("settings", [0] * len(meta["steps"]))
    ws = torch.from_numpy(arrays["ws"])
    if len(ws) != len(meta["steps"]):
        raise ValueError(f"{len(ws)} latents for {len(meta['steps'])} steps")
    if generator is not None:
        ws = ws.to(generator.device, generator.dtype)
    record = DragRecord(meta["about"])
    for position, step in enumerate(meta["steps"]):
        edit = edits[step["edit"]]
        handles = arrays["handles"][position, : len(edit)]
        errors = arrays["tracking_error"][position, : len(edit)]
        if not len(handles) == len(errors) == len(edit):
            raise ValueError(
                f"step {position} has {len(handles)} handles and {len(errors)} errors for {len(edit)} points"
            )
        record.append(
            DragStep(
                index=int(step["index"]),
                ws=ws[position : position + 1],
                edit=edit,
                handles=tuple((float(x), float(y)) for x, y in handles),
                tracking_error=tuple(float(error) for error in errors),
                loss=None if step["loss"] is None else float(step["loss"]),
                ended=step["ended"],
                seconds=float(step["seconds"]),
                generator=generator,
                config=configs[settings[position]],
                mask_loss=None if step.get("mask_loss") is None else float(step["mask_loss"]),
                **_losses(arrays, position, step, len(edit)),
            )
        )
    return record


def _losses(arrays: dict[str, np.ndarray], position: int, step: dict[str, Any], points: int) -> dict[str, Any]:
    """What only steps with a loss have, and only files from version 2 on."""
    if step["loss"] is None or "motion_losses" not in arrays:
        return {}
    motion, norms = arrays["motion_losses"][position, :points], arrays["gradient_norms"][position]
    return {"motion_losses": tuple(map(float, motion)), "gradient_norms": tuple(map(float, norms))}
