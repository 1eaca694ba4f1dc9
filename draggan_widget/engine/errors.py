"""What stops a drag from outside the method: numbers that are no longer finite, and memory that ran out."""

import re

import torch

from draggan_widget.errors import DragError


class NotFinite(DragError):
    """NaN or infinity in loss, gradient, features or picture.

    Attributes:
        last_good: index of the newest step whose latent can be trusted.
    """

    def __init__(self, what: str, step: int, last_good: int):
        super().__init__(
            f"the {what} of step {step} holds NaN or infinity; the latent of step {last_good} is kept: "
            "go on from it with a lower learning_rate"
        )
        self.last_good = last_good


def out_of_memory(error: BaseException, step: int) -> DragError | None:
    """The same error in words, with what lowers the need; None when it is another."""
    text = str(error)
    if not (isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in text):
        return None
    asked = re.search(r"ried to allocate ([\d.]+ ?\w+)", text)
    needed = asked.group(1) if asked else "more than is free"
    return DragError(
        f"memory ran out after step {step}: {needed} more was needed; the latent of step {step} is kept. "
        "A lower block in DragConfig, no mask, or closing other sessions lowers the need; then start again"
    )
