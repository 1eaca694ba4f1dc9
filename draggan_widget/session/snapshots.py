"""The states of a session, made from a seed or a latent; no threads here."""

import dataclasses
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from draggan_widget.engine.config import python_scalar
from draggan_widget.engine.edit import Edit
from draggan_widget.engine.kept import Kept
from draggan_widget.engine.step import CurrentFeatures, DragStep
from draggan_widget.errors import ConfigError
from draggan_widget.generators.generator import Generator
from draggan_widget.session.history import Snapshot
from draggan_widget.torch_modes import in_own_modes

NOT_FINITE = "ws holds NaN, infinity or no floating-point numbers; expected finite numbers"


def initial_step(generator: Generator, ws: Tensor, edit: Edit) -> DragStep:
    """A latent before any drag; its handles are where the edit has them."""
    return DragStep(
        index=0,
        ws=ws,
        edit=edit,
        handles=edit.handles,
        tracking_error=(0.0,) * len(edit),
        loss=None,
        ended=None,
        seconds=0.0,
        generator=generator,
    )


def with_edit(step: DragStep, edit: Edit) -> DragStep:
    """The step under another edit: points of its own edit keep their tracked handles, new points are untracked.

    Why a drag was over holds for the edit that it followed, and for no other.
    """
    left = list(zip(step.edit.handles, step.handles, step.tracking_error, strict=True))
    handles, errors = [], []
    for handle in edit.handles:
        known = next((entry for entry in left if entry[0] == handle), None)
        if known is not None:
            left.remove(known)
        handles.append(handle if known is None else known[1])
        errors.append(0.0 if known is None else known[2])
    ended = step.ended if edit == step.edit else None
    return dataclasses.replace(step, edit=edit, handles=tuple(handles), tracking_error=tuple(errors), ended=ended)


def start_state(
    generator: Generator,
    ws: Float[Tensor, "1 num_ws w_dim"],
    seed: int | None,
    truncation_psi: float,
    label: int | None,
) -> Snapshot:
    """A start without points and with an empty record."""
    return Snapshot(seed, truncation_psi, label, ws, Edit(), initial_step(generator, ws, Edit()), ())


def seed_state(generator: Generator, seed: int, truncation_psi: float, label: int | None = None) -> Snapshot:
    """The start from a seed.

    Raises:
        ConfigError: seed, truncation or label is out of range.
    """
    seed, truncation_psi, label = python_scalar(seed), python_scalar(truncation_psi), python_scalar(label)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise ConfigError(f"seed is {seed!r}; expected a whole number from 0 to 2**32 - 1")
    if not (isinstance(truncation_psi, (int, float)) and -2.0 <= truncation_psi <= 2.0):
        raise ConfigError(f"truncation_psi is {truncation_psi!r}; expected a number from -2 to 2 (1: none, 0.7: usual)")
    ws = generator.ws_from_seed(seed, truncation_psi, label)
    return start_state(generator, ws, seed, float(truncation_psi), label)


@in_own_modes
def latent_state(generator: Generator, ws: Any, truncation_psi: float) -> Snapshot:
    """The start from a given latent: an array or tensor (num_ws, w_dim), or one row (w_dim,), which all rows repeat.

    Axes of length 1 may stand before either.

    Raises:
        ConfigError: the latent has another shape, or holds something else than finite floating-point numbers.
    """
    try:
        tensor = torch.as_tensor(np.asarray(ws) if not isinstance(ws, Tensor) else ws).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(f"ws is of type {type(ws).__name__}; expected an array of numbers") from error
    rows, width = generator.num_ws, generator.w_dim
    if tuple(tensor.shape) not in ((rows, width), (1, rows, width), (width,), (1, width), (1, 1, width)):
        raise ConfigError(
            f"ws has shape {tuple(tensor.shape)}; {generator.name} expects {(1, rows, width)}, {(rows, width)}, or one "
            f"row {(width,)} for all"
        )
    if tensor.is_meta:
        raise ConfigError("ws is on 'meta', without values; make it without the default device 'meta'")
    if not tensor.is_floating_point():
        raise ConfigError(NOT_FINITE)
    copied = tensor.to(generator.device, generator.dtype).expand(1, rows, width).clone()
    if not bool(torch.isfinite(copied).all()):  # after the conversion: a large float64 is infinity in float32
        raise ConfigError(NOT_FINITE)
    return start_state(generator, copied, None, truncation_psi, None)


def restarted(state: Snapshot, generator: Generator) -> Snapshot:
    """The start of a state with the weights of `generator`; points stay."""
    if state.seed is None:
        fresh = latent_state(generator, state.origin, state.truncation_psi)
    else:
        fresh = seed_state(generator, state.seed, state.truncation_psi, state.label)
    return dataclasses.replace(fresh, edit=state.edit, step=with_edit(fresh.step, state.edit))


def with_generator(state: Snapshot, generator: Generator) -> Snapshot:
    """A state drawn by `generator`, without the maps and references that older weights computed."""
    if state.step.generator is generator:
        return state
    step = dataclasses.replace(
        state.step, generator=generator, current=CurrentFeatures(None), kept=Kept(), references=None
    )
    return dataclasses.replace(state, step=step)
