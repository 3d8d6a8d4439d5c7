"""Faults of files: what a broken transfer, a shrunken export or a second copy leave.

Each takes the bytes of a photo and a random generator, and returns a JPEG file.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from data_prep.synthesize.faults.pixel_faults import PixelFault, as_bytes

FileFault = Callable[[bytes, np.random.Generator], bytes]
_QUALITY = 90
_GREY = 128  # what decoders fill in
_END = b"\xff\xd9"


def cut_data(content: bytes, rng: np.random.Generator) -> bytes:
    """Cuts off the end of the coded pixels, as a transfer does that breaks off.

    The end marker is there again, as after a repair: decoders fill the rest with grey.
    """
    start = content.rindex(b"\xff\xda")
    return content[: start + round((len(content) - start) * _kept(rng))] + _END


def grey_part(content: bytes, rng: np.random.Generator) -> bytes:
    """Saves anew what a decoder made of cut data: grey to the lower edge."""
    image = _image(content)
    image[round(_kept(rng) * len(image)) :] = _GREY
    return _jpeg(image)


def repeated_part(content: bytes, rng: np.random.Generator) -> bytes:
    """Repeats a band of the photo down to the lower edge, as a stuck buffer does."""
    image = _image(content)
    band = int(rng.choice([8, 16, 32])) * max(1, len(image) // 512)
    first = max(band, round(_kept(rng) * len(image)))
    rows = np.arange(first, len(image))
    image[first:] = image[first - band + (rows - first) % band]
    return _jpeg(image)


def too_small(content: bytes, rng: np.random.Generator) -> bytes:
    """Shrinks to a thumbnail of 32 to 64 pixels."""
    image = Image.fromarray(_image(content))
    scale = rng.integers(32, 65) / max(image.size)
    size = [max(8, round(side * scale)) for side in image.size]
    return _jpeg(np.asarray(image.resize((size[0], size[1]))))


def exact_copy(content: bytes, _rng: np.random.Generator) -> bytes:
    """Returns the same bytes."""
    return content


def near_copy(content: bytes, rng: np.random.Generator) -> bytes:
    """Re-encodes, shrinks or crops a little, or all of it."""
    image = Image.fromarray(_image(content))
    width, height = image.size
    kind = int(rng.integers(4))
    if kind in (1, 3):
        cut = rng.uniform(0.01, 0.03, 4) * np.array([width, height, width, height])
        box = (cut[0], cut[1], width - cut[2], height - cut[3])
        image = image.crop(tuple(round(edge) for edge in box))  # type: ignore[arg-type]
    if kind in (2, 3):
        scale = rng.uniform(0.6, 0.9)
        width, height = image.size
        image = image.resize((round(width * scale), round(height * scale)))
    return _jpeg(np.asarray(image), int(rng.integers(60, 86)))


def of_pixels(fault: PixelFault) -> FileFault:
    """Returns the fault of a file that has a fault in its pixels."""

    def planted(content: bytes, rng: np.random.Generator) -> bytes:
        return _jpeg(as_bytes(fault(_image(content).astype(np.float32), rng)))

    return planted


def _kept(rng: np.random.Generator) -> float:
    """Returns the share of a photo that is left."""
    return float(rng.uniform(0.25, 0.85))


def _image(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.array(image.convert("RGB"))


def _jpeg(image: np.ndarray, quality: int = _QUALITY) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
