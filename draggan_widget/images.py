"""Converts pictures from tensors to 8-bit arrays, and from those to JPEG and PNG."""

import io

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

SMALL_SIDE = 128  # px; a picture up to this size is shown enlarged, which also shows JPEG's blocks and blurred colours


def to_uint8(picture: Float[Tensor, "3 height width"]) -> UInt8[np.ndarray, "height width 3"]:
    """A picture with values in [-1, 1] as 8-bit RGB."""
    # Rounded on the picture's device, so that the copy to the CPU takes only 3 bytes a pixel.
    scaled = picture.detach().float().mul(127.5).add_(127.5).round_().clamp_(0, 255)
    return scaled.to(torch.uint8).permute(1, 2, 0).contiguous().cpu().numpy()


def encode(pixels: UInt8[np.ndarray, "height width 3"], mime: str, quality: int = 85) -> bytes:
    """Encode 8-bit RGB as a file.

    Args:
        pixels: the picture.
        mime: "image/jpeg", or "image/png" (lossless, at the fastest compression).
        quality: JPEG quality; a picture up to 128 px is always encoded at 95.

    Raises:
        ValueError: another `mime`.
    """
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    if mime == "image/jpeg" and max(image.size) <= SMALL_SIDE:
        image.save(buffer, "JPEG", quality=95, subsampling=0)
    elif mime == "image/jpeg":
        image.save(buffer, "JPEG", quality=quality)
    elif mime == "image/png":
        image.save(buffer, "PNG", compress_level=1)
    else:
        raise ValueError(f"mime is {mime!r}; expected 'image/jpeg' or 'image/png'")
    return buffer.getvalue()


def poster(pixels: UInt8[np.ndarray, "height width 3"], limit: int = 32 * 1024) -> bytes:
    """A small JPEG for saved notebooks: at most 384 px, and shrunk until it takes at most `limit` bytes or 32 px."""
    side = 384
    while True:
        image = Image.fromarray(pixels)
        image.thumbnail((side, side))
        data = encode(np.asarray(image), "image/jpeg", quality=70)
        if len(data) <= limit or side <= 32:
            return data
        side = side * 3 // 4
