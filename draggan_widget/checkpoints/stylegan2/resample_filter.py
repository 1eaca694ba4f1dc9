"""The up-sampling filter of a StyleGAN2 as taps and as tensors.

The filter is the outer product of its taps, of sum 1. NVIDIA's code stores it with both axes or, from eight taps on,
with one; other people's files hold shorter ones with one axis, too.
"""

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from draggan_widget.checkpoints.stylegan2.config import MAX_TAPS

TOLERANCE = 1e-2  # relative to the largest entry: filters may be stored in half precision or bfloat16
MAX_WHOLE_TAP = 1000


def filter_matrix(taps: Sequence[float]) -> Float[Tensor, "taps taps"]:
    """The outer product of the taps, of sum 1."""
    # Plain numbers: torch.outer of tensors without values ("meta") would import torch's compiler, two seconds of work.
    total = sum(taps) ** 2
    return torch.tensor([[along * down / total for along in taps] for down in taps], dtype=torch.float32)


def as_matrix(stored: Tensor) -> Tensor:
    """A stored filter with both axes; one that has them is returned as it is."""
    if stored.ndim == 2:
        return stored
    line = stored.to(torch.promote_types(stored.dtype, torch.float32))
    return torch.outer(line, line)


def has_filter_shape(stored: Tensor) -> bool:
    """Whether a tensor has one axis, or two of the same length, and at most `MAX_TAPS` entries along each."""
    return 1 <= stored.ndim <= 2 and 1 <= stored.shape[0] <= MAX_TAPS and stored.shape[0] == stored.shape[-1]


def is_filter(stored: Tensor, taps: Sequence[float]) -> bool:
    """Whether a stored filter is that of these taps, up to the rounding of half precision."""
    expected = filter_matrix(taps).double()
    if not has_filter_shape(stored) or len(stored) != len(taps):
        return False
    return bool((_on_cpu(stored) - expected).abs().max() <= TOLERANCE * expected.abs().max())


def taps_of(filters: Iterable[Tensor]) -> list[float] | None:
    """The taps of stored filters, as small whole numbers where they are such.

    None where these are not filters of sum 1, differ, or are not the outer product of taps.
    """
    filters = list(filters)
    if not filters or not all(has_filter_shape(stored) and stored.is_floating_point() for stored in filters):
        return None
    line = _on_cpu(filters[0]).sum(0)
    if not bool(line.isfinite().all()) or abs(float(line.sum()) - 1) > TOLERANCE:
        return None
    candidates = (_as_whole(line.tolist()), line.tolist())
    return next((taps for taps in candidates if all(is_filter(stored, taps) for stored in filters)), None)


def _on_cpu(stored: Tensor) -> Tensor:
    return as_matrix(stored.detach().cpu().double())  # on MPS there are no doubles


def _as_whole(taps: list[float]) -> list[float]:
    least = min(abs(tap) for tap in taps if abs(tap) > 1e-6)
    scaled = [tap / least for tap in taps]
    whole = [round(tap) for tap in scaled]
    near = all(abs(tap - number) <= 1e-2 for tap, number in zip(scaled, whole, strict=True))
    return [*whole] if near and max(map(abs, whole)) <= MAX_WHOLE_TAP else taps
