"""What a checkpoint of ours may carry for drags, beside a StyleGAN2's weights.

In its metadata, as text: `drag_defaults`, a JSON object of plain numbers and text, and `drag_rows`, a whole number.
Among its tensors: `mean.BLOCK.features`, of any block. What a setting means, and between which bounds, `DragConfig`
says.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor

from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.checkpoints.stylegan2.config import real
from draggan_widget.checkpoints.unpickling.byte_source import brief
from draggan_widget.errors import CheckpointError
from draggan_widget.generators.stylegan2.config import StyleGAN2Config

DRAG_ROWS = 6  # official
MEAN = "mean."
REMEDY = "convert or fetch it again"


@dataclass(frozen=True)
class Carried:
    """What is said about drags; what is not said takes the family's default.

    Attributes:
        drag_defaults: the generator's own `DragConfig` values (lengths in px of its picture).
        drag_rows: how many first rows of ws a drag may move.
        means: block -> mean feature map (`Generator.mean_features`).
    """

    drag_defaults: Mapping[str, float | int | str] = field(default_factory=dict)
    drag_rows: int = DRAG_ROWS
    means: Mapping[int, Float[Tensor, "_ _ _"]] = field(default_factory=dict)

    @classmethod
    def of(cls, checkpoint: Checkpoint, config: StyleGAN2Config, name: str) -> "Carried":
        """Read it.

        Raises:
            CheckpointError: a text is of another form, or a map has another shape than its block.
        """
        meta, said = checkpoint.meta, cls()
        if "drag_defaults" in meta:
            said = dataclasses.replace(said, drag_defaults=_defaults(meta["drag_defaults"], name))
        if "drag_rows" in meta:
            said = dataclasses.replace(said, drag_rows=_rows(meta["drag_rows"], config.num_ws, name))
        return dataclasses.replace(said, means=_means(checkpoint.tensors, config, name))

    def to(self, like: Tensor) -> "Carried":
        """The same with the maps on the device and in the dtype of a tensor."""
        return dataclasses.replace(self, means={block: mean.to(like) for block, mean in self.means.items()})


NOTHING = Carried()


def is_carried(tensor: str) -> bool:
    """Whether a tensor of this name is no weight."""
    return tensor.startswith(MEAN)


def _defaults(text: str, name: str) -> dict[str, float | int | str]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{name}: its drag_defaults are no JSON ({error}); expected an object of numbers and text; {REMEDY}"
        ) from error
    if not isinstance(said, dict):
        raise CheckpointError(
            f"{name}: its drag_defaults are {brief(said)}; expected an object of numbers and text; {REMEDY}"
        )
    for key, value in said.items():
        if not (real(value) or isinstance(value, str)):
            raise CheckpointError(
                f"{name}: {brief(key)} of its drag_defaults is {brief(value)}; expected a number or text; {REMEDY}"
            )
    return said


def _rows(text: str, num_ws: int, name: str) -> int:
    allowed = {str(count): count for count in range(1, num_ws + 1)}
    if text not in allowed:
        raise CheckpointError(
            f"{name}: its drag_rows are {brief(text)}; expected a whole number from 1 to {num_ws}; {REMEDY}"
        )
    return allowed[text]


def _means(tensors: Mapping[str, Tensor], config: StyleGAN2Config, name: str) -> dict[int, Tensor]:
    blocks = {f"{MEAN}{block}.features": block for block in range(config.num_blocks)}
    for key in filter(is_carried, tensors):
        shape, real_numbers = tuple(tensors[key].shape), tensors[key].is_floating_point()
        due = (config.channels[blocks[key]], *config.block_size(blocks[key])) if key in blocks else None
        if shape != due or not real_numbers:
            expected = (
                f"real numbers of shape {due}" if due else f"{MEAN}BLOCK.features of block 0 to {len(blocks) - 1}"
            )
            raise CheckpointError(
                f"{name}: {brief(key)} holds {tensors[key].dtype} of shape {shape}; expected {expected}; {REMEDY}"
            )
    return {block: tensors[key] for key, block in blocks.items() if key in tensors}
