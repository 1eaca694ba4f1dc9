"""Writes a session to a file, and opens one from a file."""

import dataclasses
import warnings
from pathlib import Path

import torch

from draggan_widget.engine.keep import Keep
from draggan_widget.engine.replay import Replay
from draggan_widget.errors import DragganError, ExportError
from draggan_widget.export.edit_file import SavedEdit, SavedGenerator, load_edit, make_saved_edit, save_edit
from draggan_widget.generators.generator import Generator
from draggan_widget.session.controller import Controller
from draggan_widget.session.history import Snapshot
from draggan_widget.session.snapshots import latent_state, seed_state, with_edit


class SavedReplay(Replay):
    """A replay with the contents of its file.

    Attributes:
        saved: the contents of the file.
    """

    def __init__(self, saved: SavedEdit):
        last = saved.segments[-1].edits[-1][1]
        super().__init__(saved.segments, None if saved.edit == last else saved.edit)
        self.saved = saved


def save(controller: Controller, path: str | Path) -> Path:
    """Write a session to a file; see `DragSession.save`."""
    with controller.lock:
        state, record, config = controller.state, controller.record, controller.config
        replay = controller.pending_replay()
        steps = type(record)(record.about, list(record.steps))
    if isinstance(replay, SavedReplay):  # steps that are still to be repeated must not be lost
        return save_edit(dataclasses.replace(replay.saved, config=config), path)
    made_with = _made_with(controller.generator)
    if len(steps):
        return save_edit(dataclasses.replace(make_saved_edit(steps, state.edit, made_with), config=config), path)
    given = state.seed is None
    bare = SavedEdit(
        generator=made_with,
        seed=state.seed,
        truncation_psi=state.truncation_psi,
        label=state.label,
        ws=state.origin.float().cpu().numpy() if given else None,
        config=config,
        edit=state.edit,
        segments=(),
        result=None,
        versions=dict(steps.about["versions"]),  # pyright: ignore[reportCallIssue, reportArgumentType]
    )
    return save_edit(bare, path)


def _made_with(generator: Generator) -> SavedGenerator:
    size = (generator.num_ws, generator.w_dim)
    return SavedGenerator(generator.name, generator.family, generator.sha256, generator.image_size, size)


def load(path: Path, generator: Generator) -> Controller:
    """The controller of a session opened from a file; see `DragSession.load`."""
    saved = _with_all_settings(load_edit(path))
    _check_sizes(path, saved, generator)
    _warn_of_other_weights(path, saved.generator, generator)
    try:
        fresh = _start_state(saved, generator)
    except DragganError as error:
        raise ExportError(f"{path} does not fit {generator.name}: {error}") from error
    state = dataclasses.replace(fresh, edit=saved.first, step=with_edit(fresh.step, saved.first))
    controller = Controller(generator, saved.config, state, Keep())
    if saved.segments:
        controller.replay = SavedReplay(saved)
    return controller


def _start_state(saved: SavedEdit, generator: Generator) -> Snapshot:
    if saved.seed is None:
        return latent_state(generator, torch.from_numpy(saved.ws), saved.truncation_psi)
    return seed_state(generator, saved.seed, saved.truncation_psi, saved.label)


def _with_all_settings(saved: SavedEdit) -> SavedEdit:
    """Give each drag its settings; an older file has one set for all. A file saved from it then says the same."""
    segments = (dataclasses.replace(s, config=s.config or saved.config) for s in saved.segments)
    return dataclasses.replace(saved, segments=tuple(segments))


def _check_sizes(path: Path, saved: SavedEdit, generator: Generator) -> None:
    made, size = saved.generator, (generator.num_ws, generator.w_dim)
    for what, theirs, ours in (
        ("pictures (height, width)", made.image_size, generator.image_size),
        ("latents (num_ws, w_dim)", made.latent_size, size),
    ):
        if theirs is not None and theirs != ours:
            raise ExportError(
                f"{path} was made with {made.name}, whose {what} are {theirs}; those of {generator.name} are {ours}; "
                "load it with the generator it was made with"
            )
    try:
        edits = [saved.edit, *(edit for segment in saved.segments for _, edit in segment.edits)]
        for edit in edits:
            edit.check(generator.image_size)
        for config in [saved.config, *(segment.config for segment in saved.segments if segment.config is not None)]:
            generator.block_size(config.block)
    except DragganError as error:
        raise ExportError(f"{path} does not fit {generator.name}: {error}") from error


def _warn_of_other_weights(path: Path, made: SavedGenerator, generator: Generator) -> None:
    ours = generator.sha256
    if made.sha256 is not None and ours is not None and made.sha256 != ours:
        warnings.warn(
            f"{path} was made with {made.name} (sha256 of its weights {made.sha256[:12]}...), and {generator.name} has "
            f"other weights ({ours[:12]}...): the drag will differ",
            stacklevel=4,
        )
