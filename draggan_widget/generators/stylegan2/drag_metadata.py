"""Settings and mean features for drags that a checkpoint of ours may hold beside a StyleGAN2's weights.

Its metadata may hold, as text, `drag_defaults`, a JSON object of plain numbers and text, and `drag_rows`, a whole
number; its tensors may include `mean.BLOCK.features` of any block. `DragConfig` explains and bounds the settings.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor

from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.checkpoints.json_config import is_number
from draggan_widget.checkpoints.stylegan2.config import StyleGAN2Config
from draggan_widget.checkpoints.unpickling.byte_source import brief
from draggan_widget.errors import CheckpointError

DRAG_ROWS = 6  # official
REMEDY = "convert or fetch it again"


@dataclass(frozen=True)
class DragMetadata:
    """Settings and mean features for drags; where the checkpoint holds none, the family's defaults.

    Attributes:
        drag_defaults: the generator's own `DragConfig` values (lengths in px of its picture).
        drag_rows: number of rows of ws, from the first, that a drag may move.
        means: block -> mean feature map (`Generator.mean_features`).
    """

    drag_defaults: Mapping[str, float | int | str] = field(default_factory=dict)
    drag_rows: int = DRAG_ROWS
    means: Mapping[int, Float[Tensor, "_ _ _"]] = field(default_factory=dict)

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, config: StyleGAN2Config, name: str) -> "DragMetadata":
        """Read it from a checkpoint whose tensors fit the config.

        Raises:
            CheckpointError: a text has another form.
        """
        meta, held = checkpoint.meta, enumerate(config.mean_shapes)
        found = cls(means={block: checkpoint.tensors[key] for block, key in held if key in checkpoint.tensors})
        if "drag_defaults" in meta:
            found = dataclasses.replace(found, drag_defaults=_parse_defaults(meta["drag_defaults"], name))
        if "drag_rows" in meta:
            found = dataclasses.replace(found, drag_rows=_parse_rows(meta["drag_rows"], config.num_ws, name))
        return found

    def to(self, like: Tensor) -> "DragMetadata":
        """The same, the maps on the device and in the dtype of the tensor `like`."""
        return dataclasses.replace(self, means={block: mean.to(like) for block, mean in self.means.items()})


NO_METADATA = DragMetadata()


def _parse_defaults(text: str, name: str) -> dict[str, float | int | str]:
    try:
        defaults = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{name}: its drag_defaults are not JSON ({error}); expected an object of numbers and text; {REMEDY}"
        ) from error
    if not isinstance(defaults, dict):
        raise CheckpointError(
            f"{name}: its drag_defaults are {brief(defaults)}; expected an object of numbers and text; {REMEDY}"
        )
    for key, value in defaults.items():
        if not (is_number(value) or isinstance(value, str)):
            raise CheckpointError(
                f"{name}: {brief(key)} of its drag_defaults is {brief(value)}; expected a number or text; {REMEDY}"
            )
    return defaults


def _parse_rows(text: str, num_ws: int, name: str) -> int:
    allowed = {str(count): count for count in range(1, num_ws + 1)}
    if text not in allowed:
        raise CheckpointError(
            f"{name}: its drag_rows are {brief(text)}; expected a whole number from 1 to {num_ws}; {REMEDY}"
        )
    return allowed[text]
