"""Errors that stop a drag: numbers that are no longer finite, and memory that ran out."""

import re

import torch

from draggan_widget.errors import DragError


class NotFinite(DragError):
    """NaN or infinity in the loss, gradient, feature map or picture.

    Attributes:
        last_good: index of the newest step whose latent can be used.
    """

    def __init__(self, what: str, step: int, last_good: int):
        super().__init__(
            f"the {what} of step {step} holds NaN or infinity; the latent of step {last_good} is kept: "
            "go on from it with a lower learning_rate"
        )
        self.last_good = last_good


def explain_out_of_memory(error: BaseException, step: int) -> DragError | None:
    """An error of torch that memory ran out, in plain words with a remedy; None for any other error."""
    text = str(error)
    if not (isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in text):
        return None
    asked = re.search(r"ried to allocate ([\d.]+ ?\w+)", text)
    needed = asked.group(1) if asked else "more than is free"
    return DragError(
        f"memory ran out after step {step}: {needed} more was needed; the latent of step {step} is kept. "
        "A lower block in DragConfig, no mask, or closing other sessions lowers the need; then start again"
    )
