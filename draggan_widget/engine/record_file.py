"""The .npz file of a `DragRecord`: plain arrays and a JSON text, nothing pickled."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from draggan_widget.arrays import DAMAGE, read_npz
from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.edit import Edit
from draggan_widget.engine.step import DragStep
from draggan_widget.errors import RecordError
from draggan_widget.files import check_readable, read_remedy, write_atomically, write_remedy
from draggan_widget.generators.generator import Generator

T = TypeVar("T")
Loaded = tuple[dict[str, object], list[DragStep], Float[Tensor, "steps num_ws w_dim"]]  # about, steps, every latent
SCHEMA = "draggan-widget record"
VERSION = 2  # version 1 had no loss terms, no gradient norms and no settings of each drag


def save_record(
    path: Path, about: Mapping[str, object], steps: Sequence[DragStep], tables: Mapping[str, np.ndarray]
) -> Path:
    """Write the steps of a record.

    Args:
        path: path of the file; it gets the ending .npz if it has another.
        about: how the record was made.
        steps: every step.
        tables: ws, handles, tracking_error, motion_losses and gradient_norms of these steps, as `DragRecord` has them.

    Returns:
        The path of the file that was written.

    Raises:
        RecordError: the file cannot be written.
    """
    if path.suffix != ".npz" and path.name not in ("", ".."):  # those two name a folder, which no ending makes a file
        path = path.with_name(f"{path.name}.npz")
    edits: list[Edit] = []
    edit_numbers = [_index_of(edits, step.edit) for step in steps]
    configs: list[DragConfig | None] = []
    config_numbers = [_index_of(configs, step.config) for step in steps]
    meta = {
        "about": about,
        "edits": [{"handles": edit.handles, "targets": edit.targets, "locked": edit.locked} for edit in edits],
        "steps": [_pack_step(step, number) for step, number in zip(steps, edit_numbers, strict=True)],
        "configs": [None if config is None else dict(vars(config)) for config in configs],
        "settings": config_numbers,
    }
    arrays: dict[str, Any] = {
        "schema": np.array(SCHEMA),
        "version": np.array(VERSION),
        "meta": np.array(json.dumps(meta)),
        **tables,
        **{f"mask_{k}": edit.mask for k, edit in enumerate(edits) if edit.mask is not None},
    }
    try:
        write_atomically(path, lambda file: np.savez(file, **arrays))
    except OSError as error:
        raise RecordError(f"{path} cannot be written ({error}); {write_remedy(error, path)}") from error
    return path


def _index_of(found: list[T], value: T) -> int:
    """Index of an edit or of settings in the list of those found so far; most steps share the last one."""
    if not found or found[-1] != value:
        found.append(value)
    return len(found) - 1


def _pack_step(step: DragStep, edit_number: int) -> dict[str, Any]:
    return {
        "index": step.index,
        "edit": edit_number,
        "loss": step.loss,
        "mask_loss": step.mask_loss,
        "ended": step.ended,
        "seconds": step.seconds,
    }


def load_record(path: Path, generator: Generator | None) -> Loaded:
    """Read what `save_record` wrote.

    Args:
        path: path of the file.
        generator: the generator that made the record, or None.

    Returns:
        How the record was made, its steps, and the latents of all steps.

    Raises:
        RecordError: the file does not exist, is not a record, is truncated or was altered.
    """
    try:
        check_readable(path)
    except FileNotFoundError as error:
        raise RecordError(
            f"{path} does not exist; expected a file written by DragRecord.save; {read_remedy(error, path)}"
        ) from error
    except OSError as error:
        raise RecordError(
            f"{path} cannot be read ({error}); expected a file written by DragRecord.save; {read_remedy(error, path)}"
        ) from error
    try:
        arrays = read_npz(path)
        if "schema" not in arrays or str(arrays["schema"]) != SCHEMA:
            raise RecordError(f"{path} is not a record of a drag; expected a file written by DragRecord.save")
        if int(arrays["version"]) > VERSION:
            raise RecordError(f"{path} has schema version {int(arrays['version'])}; this version reads up to {VERSION}")
        return _unpack(arrays, generator)
    except DAMAGE as error:
        raise RecordError(
            f"{path} is damaged or not a record ({type(error).__name__}: {error}); expected a file written by "
            "DragRecord.save; take another copy"
        ) from error


def _unpack(arrays: dict[str, np.ndarray], generator: Generator | None) -> Loaded:
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
    steps: list[DragStep] = []
    for position, step in enumerate(meta["steps"]):
        edit = edits[step["edit"]]
        handles = arrays["handles"][position, : len(edit)]
        errors = arrays["tracking_error"][position, : len(edit)]
        if not len(handles) == len(errors) == len(edit):
            raise ValueError(
                f"step {position} has {len(handles)} handles and {len(errors)} errors for {len(edit)} points"
            )
        steps.append(
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
                **_unpack_losses(arrays, position, step, len(edit)),
            )
        )
    return meta["about"], steps, ws


def _unpack_losses(arrays: dict[str, np.ndarray], position: int, step: dict[str, Any], points: int) -> dict[str, Any]:
    """Loss terms and gradient norms, which only steps with a loss have, and only in files from version 2 on."""
    if step["loss"] is None or "motion_losses" not in arrays:
        return {}
    motion, norms = arrays["motion_losses"][position, :points], arrays["gradient_norms"][position]
    return {"motion_losses": tuple(map(float, motion)), "gradient_norms": tuple(map(float, norms))}
