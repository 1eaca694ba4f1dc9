"""The .npz file of a `DragRecord`: plain arrays and a JSON text, nothing pickled."""

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from draggan_widget.arrays import DAMAGE, read_npz
from draggan_widget.engine.config import DragConfig
from draggan_widget.engine.edit import Edit
from draggan_widget.engine.step import DragStep
from draggan_widget.engine.termination import Ending
from draggan_widget.errors import ConfigError, EditError, RecordError
from draggan_widget.files import check_readable, read_remedy, write_atomically, write_remedy
from draggan_widget.generators.generator import Generator

T = TypeVar("T")
Loaded = tuple[dict[str, object], list[DragStep], Float[Tensor, "steps num_ws w_dim"]]  # about, steps, every latent
ENDINGS: tuple[str, ...] = get_args(Ending)
LARGEST_INDEX = 2**31 - 1  # of a step in its drag
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
        RecordError: the file does not exist, is not a record, is truncated or was altered, or does not fit the
            generator.
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
        version = arrays["version"]
        if version.shape != () or version.dtype.kind not in "iu" or int(version) < 1:
            raise ValueError(f"its schema version is {_shorten(version)}; expected a whole number from 1 to {VERSION}")
        if int(version) > VERSION:
            raise RecordError(f"{path} has schema version {int(version)}; this version reads up to {VERSION}")
        about, steps, ws = _unpack(arrays, generator)
    except DAMAGE as error:
        raise RecordError(
            f"{path} is damaged or not a record ({type(error).__name__}: {error}); expected a file written by "
            "DragRecord.save; take another copy"
        ) from error
    if generator is not None:
        _check_fit(path, steps, ws, generator)
    return about, steps, ws


def _unpack(arrays: dict[str, np.ndarray], generator: Generator | None) -> Loaded:
    meta = _as_object(json.loads(str(arrays["meta"])), "meta", ("about", "edits", "steps"))
    edits = [_unpack_edit(edit, arrays.get(f"mask_{k}"), k) for k, edit in enumerate(_as_list(meta["edits"], "edits"))]
    listed = _as_list(meta["steps"], "steps")
    configs = [None if c is None else _unpack_config(c) for c in _as_list(meta.get("configs", [None]), "configs")]
    settings = _as_list(meta.get("settings", [0] * len(listed)), "settings")
    if len(settings) != len(listed):
        raise ValueError(f"settings name those of {len(settings)} steps; expected {len(listed)}")
    about = _as_object(meta["about"], "about", ())
    ws = _unpack_latents(arrays["ws"], len(listed), generator)
    tables = {
        name: _as_table(arrays[name], name, len(listed), axes)
        for name, axes in (("handles", (2,)), ("tracking_error", ()), ("motion_losses", ()), ("gradient_norms", ()))
        if name in arrays or name in ("handles", "tracking_error")
    }
    steps: list[DragStep] = []
    for position, value in enumerate(listed):
        step = _as_object(value, f"step {position}", ("index", "edit", "loss", "ended", "seconds"))
        edit = edits[_as_count(step["edit"], f"edit of step {position}", len(edits) - 1)]
        config = configs[_as_count(settings[position], f"settings of step {position}", len(configs) - 1)]
        handles, errors = _unpack_points(tables, position, len(edit))
        if step["ended"] is not None and step["ended"] not in ENDINGS:
            raise ValueError(f"ended of step {position} is {_shorten(step['ended'])}; expected {', '.join(ENDINGS)}")
        steps.append(
            DragStep(
                index=_as_count(step["index"], f"index of step {position}", LARGEST_INDEX),
                ws=ws[position : position + 1],
                edit=edit,
                handles=tuple((float(x), float(y)) for x, y in handles),
                tracking_error=tuple(float(error) for error in errors),
                loss=_as_loss(step["loss"], f"loss of step {position}"),
                ended=step["ended"],
                seconds=_as_number(step["seconds"], f"seconds of step {position}", least=0.0),
                generator=generator,
                config=config,
                mask_loss=_as_loss(step.get("mask_loss"), f"mask_loss of step {position}"),
                **_unpack_losses(tables, position, step, len(edit)),
            )
        )
    return about, steps, ws


def _unpack_points(tables: dict[str, np.ndarray], position: int, points: int) -> tuple[np.ndarray, np.ndarray]:
    """The handles and the tracking errors of a step with so many points."""
    handles, errors = (tables[name][position, :points] for name in ("handles", "tracking_error"))
    if not len(handles) == len(errors) == points:
        raise ValueError(f"step {position} has {len(handles)} handles and {len(errors)} errors for {points} points")
    for name, values in (("handles", handles), ("tracking_error", errors)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} of step {position} hold NaN or infinity; expected finite numbers")
    return handles, errors


def _unpack_latents(ws: np.ndarray, count: int, generator: Generator | None) -> Float[Tensor, "steps num_ws w_dim"]:
    if ws.ndim != 3:
        raise ValueError(f"ws has shape {ws.shape}; expected (steps, num_ws, w_dim)")
    if len(ws) != count:
        raise ValueError(f"{len(ws)} latents for {count} steps")
    if ws.dtype.kind != "f":
        raise ValueError(f"ws is of type {ws.dtype}; expected floating-point numbers")
    values = torch.from_numpy(ws)
    if generator is not None:
        values = values.to(generator.device, generator.dtype)
    if not bool(torch.isfinite(values).all()):  # after the conversion: a large float64 is infinity in float32
        raise ValueError("ws holds NaN or infinity; expected finite numbers")
    return values


def _unpack_edit(value: object, mask: np.ndarray | None, number: int) -> Edit:
    edit = _as_object(value, f"edit {number}", ("handles", "targets"))
    locked = _as_list(edit.get("locked", []), f"locked of edit {number}")
    if not all(isinstance(one, bool) for one in locked):
        raise ValueError(f"locked of edit {number} is {_shorten(locked)}; expected true or false for each point")
    for what in ("handles", "targets"):
        for point in _as_list(edit[what], f"{what} of edit {number}"):
            for place in _as_list(point, f"{what} of edit {number}"):
                _as_number(place, f"{what} of edit {number}")
    return Edit(edit["handles"], edit["targets"], mask, locked)


def _unpack_config(value: object) -> DragConfig:
    return DragConfig().replace(**_as_object(value, "a config", ()))


def _check_fit(path: Path, steps: list[DragStep], ws: Tensor, generator: Generator) -> None:
    """Check that latents, points, masks and supervised blocks are those of the generator.

    Raises:
        RecordError: one is not.
    """
    remedy = "load it with the generator that made it, or without one"
    due = (generator.num_ws, generator.w_dim)
    if steps and ws.shape[1:] != due:
        found = f"its latents (num_ws, w_dim) are {tuple(ws.shape[1:])}; expected {due}"
        raise RecordError(f"{path} does not fit {generator.name}: {found}; {remedy}")
    try:
        for edit in {id(step.edit): step.edit for step in steps}.values():
            edit.check(generator.image_size)
        for config in {id(step.config): step.config for step in steps}.values():
            if config is not None:
                generator.block_size(config.block)
    except (EditError, ConfigError) as error:
        raise RecordError(f"{path} does not fit {generator.name}: {error}; {remedy}") from error


def _unpack_losses(tables: dict[str, np.ndarray], position: int, step: dict[str, Any], points: int) -> dict[str, Any]:
    """Loss terms and gradient norms, which only steps with a loss have, and only in files from version 2 on."""
    if step["loss"] is None or "motion_losses" not in tables:
        return {}
    motion, norms = tables["motion_losses"][position, :points], tables["gradient_norms"][position]
    if len(motion) < points:
        raise ValueError(f"step {position} has {len(motion)} motion losses for {points} points")
    # NaN stands for a point at rest, and for what a record from an older file does not have.
    if np.isinf(motion).any() or np.isinf(norms).any():
        raise ValueError(f"the losses or gradient norms of step {position} are infinite; expected finite numbers")
    return {"motion_losses": tuple(map(float, motion)), "gradient_norms": tuple(map(float, norms))}


def _as_table(values: np.ndarray, name: str, steps: int, axes: tuple[int, ...]) -> np.ndarray:
    """An array of numbers with one row for each step: (steps, columns, *axes)."""
    if values.ndim != 2 + len(axes) or values.shape[0] != steps or values.shape[2:] != axes:
        due = ", ".join(map(str, (steps, "points" if name != "gradient_norms" else "num_ws", *axes)))
        raise ValueError(f"{name} has shape {values.shape}; expected ({due})")
    if values.dtype.kind != "f":
        raise ValueError(f"{name} is of type {values.dtype}; expected floating-point numbers")
    return values


def _as_object(value: object, what: str, names: Iterable[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is {_shorten(value)}; expected an object")
    for name in names:
        if name not in value:
            raise ValueError(f"{what} has no {name!r}")
    return value


def _as_list(value: object, what: str) -> list:
    if not isinstance(value, list):
        raise ValueError(f"{what} is {_shorten(value)}; expected a list")
    return value


def _as_count(value: object, what: str, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError(f"{what} is {_shorten(value)}; expected a whole number from 0 to {most}")
    return value


def _as_number(value: object, what: str, least: float = -math.inf) -> float:
    fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not fits or not least <= value <= sys.float_info.max or value < -sys.float_info.max:  # pyright: ignore[reportOperatorIssue]
        bound = "" if least == -math.inf else f" of at least {least:g}"
        raise ValueError(f"{what} is {_shorten(value)}; expected a finite number{bound}")
    return float(value)  # pyright: ignore[reportArgumentType]


def _as_loss(value: object, what: str) -> float | None:
    return None if value is None else _as_number(value, what)


def _shorten(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
