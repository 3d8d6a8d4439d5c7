"""Image files of every sort: bombs, cut, of two formats at once, and rare ones."""

from __future__ import annotations

import functools
import io
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image, PngImagePlugin

from benchmarks.hostile.inputs import Files
from benchmarks.hostile.mutations import mutated_bytes
from vpr_tf.config import Preprocessing
from vpr_tf.export.served_inputs import read_images
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.photos.photo_folder import scan_named_photos
from vpr_tf.photos.scan import PhotoSource, scan_chunk
from vpr_tf.photos.schema import MAX_PIXELS

IMAGES_AN_INPUT = 15
_ROUNDING = 1e-3  # of a resize
_PREPROCESSING = Preprocessing("square", 16)
_SIDES = (0, 1, 8, 9_999, 10_001, 65_535, 2**31 - 1, 2**32 - 1)
_SIZE_AT_PNG = 16
_MODES = {
    "JPEG": ("RGB", "L", "CMYK", "YCbCr"),
    "PNG": ("RGB", "RGBA", "L", "LA", "P", "1", "I;16"),
    "WEBP": ("RGB", "RGBA"),
    "GIF": ("P",),
    "TIFF": ("RGB", "L", "CMYK", "F"),
    "BMP": ("RGB",),
    "AVIF": ("RGB",),
    "PPM": ("RGB",),
}
_LARGEST_BOMB = 6_000_000  # pixels: the campaign decodes some of them


def make_images(rng: random.Random) -> Files:
    """Returns a folder of files `<number>.jpg`, and one that is good."""
    makers = [rng.choice(_MAKERS) for _ in range(IMAGES_AN_INPUT)]
    photos = {f"{n:02d}.jpg": make(rng) for n, make in enumerate(makers)}
    return {**photos, "good.jpg": _good_jpeg()}


@functools.cache
def _good_jpeg() -> bytes:
    return _saved(Image.new("RGB", (12, 12), (9, 99, 200)), "JPEG")


def read_images_of(folder: Path) -> list[str]:
    """Reads photos as `localize`, `build` and the served graph do.

    Each may be rejected, with a reason; the good one beside them may not.
    """
    paths = sorted(folder.glob("*.jpg"))
    good = len(paths) - 1
    photos = scan_named_photos(paths)
    described = _extractor().extract_files(photos, progress=False)
    found = described.photos
    problems = []
    if str(paths[good]).encode() not in found.paths.tolist():
        problems.append("the good photo beside them is rejected")
    if not np.isfinite(described.descriptors).all():
        problems.append("a descriptor is not finite")
    pixels = found.heights.astype(np.int64) * found.widths
    if not ((pixels > 0) & (pixels <= MAX_PIXELS)).all():
        problems.append(f"{pixels.max()} pixels are accepted")
    rows, served = _served()(tf.constant([path.read_bytes() for path in paths]))
    if good not in rows.numpy():
        problems.append("the good photo in their batch is not served")
    values = served.numpy()
    if not (np.abs(values - 0.5) <= 0.5 + _ROUNDING).all():
        problems.append("served pixels outside of [0, 1]")
    names = [path.name for path in paths]
    scan_chunk(PhotoSource(folder, False), names, decode=True)
    for _, reason in found.rejected:
        if not reason.strip():
            problems.append("rejected without a reason")
    if len(found.paths) == 1 and not problems:
        raise RejectedImageError("all photos but the good one are rejected")
    return problems


class RejectedImageError(ValueError):
    """All images were rejected, with reasons, as they may be."""


@functools.cache
def _extractor() -> FeatureExtractor:
    def mean_colour(images: Any) -> Any:
        return tf.math.l2_normalize(tf.reduce_mean(images, [1, 2]) + 0.01, axis=1)

    return FeatureExtractor(mean_colour, _PREPROCESSING, batch_size=2)


@functools.cache
def _served() -> Any:
    return tf.function(
        lambda files: tuple(read_images(files, _PREPROCESSING)),
        input_signature=[tf.TensorSpec([None], tf.string)],
    )


# === Making ===


def _saved(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def _picture(rng: random.Random, mode: str) -> Image.Image:
    width, height = rng.choice(((1, 1), (8, 8), (17, 5), (64, 48)))
    if mode == "I;16":
        pixels = np.frombuffer(rng.randbytes(2 * width * height), "<u2")
        return Image.fromarray(pixels.reshape(height, width))
    pixels = np.frombuffer(rng.randbytes(3 * width * height), np.uint8)
    image = Image.fromarray(pixels.reshape(height, width, 3))
    return image.convert("L").convert(mode) if mode == "LA" else image.convert(mode)


def _any_format(rng: random.Random) -> bytes:
    form = rng.choice(("JPEG", "JPEG", "PNG", "PNG", *_MODES))
    options: dict[str, Any] = {}
    if form == "JPEG":
        options = {"progressive": rng.random() < 0.3, "quality": rng.choice((1, 95))}
    if form in ("GIF", "PNG", "WEBP", "TIFF") and rng.random() < 0.2:
        frames = [_picture(rng, "RGB").resize((8, 8)) for _ in range(3)]
        return _saved(frames[0], form, save_all=True, append_images=frames[1:])
    return _saved(_picture(rng, rng.choice(_MODES[form])), form, **options)


def _damaged(rng: random.Random) -> bytes:
    return mutated_bytes(rng, _any_format(rng))


def _cut(rng: random.Random) -> bytes:
    data = _any_format(rng)
    return data[: rng.randint(0, len(data))]


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def _claiming_png(rng: random.Random) -> bytes:
    """A PNG whose header claims any size, depth and colour, with a right checksum."""
    depth, colour = rng.choice((1, 2, 4, 8, 16, 3)), rng.choice((0, 2, 3, 4, 6, 5))
    sides = rng.choice(_SIDES), rng.choice(_SIDES)
    header = struct.pack(">IIBBBBB", *sides, depth, colour, 0, 0, rng.choice((0, 1)))
    content = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header)
    if rng.random() < 0.5:
        content += _chunk(b"PLTE", bytes(rng.choice((3, 768, 4))))
    if rng.random() < 0.7:
        rows = zlib.compress(bytes(rng.choice((0, 10, 100_000))))
        content += _chunk(b"IDAT", rows)
    return content + (_chunk(b"IEND", b"") if rng.random() < 0.8 else b"")


def _claiming_jpeg(rng: random.Random) -> bytes:
    data = bytearray(_saved(_picture(rng, rng.choice(_MODES["JPEG"])), "JPEG"))
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    sides = (rng.choice(_SIDES) & 0xFFFF, rng.choice(_SIDES) & 0xFFFF)
    data[at + 5 : at + 9] = struct.pack(">HH", *sides)
    if rng.random() < 0.2:
        data[at + 9] = rng.choice((0, 1, 2, 4, 255))  # components
    return bytes(data)


def _flat_bomb(rng: random.Random) -> bytes:
    """A small file of very many pixels, all the same."""
    side = rng.choice((1000, 2000, int(_LARGEST_BOMB**0.5), 11_000, 22_000))
    if side > 10_000:  # beyond the limit: the header is refused before it is decoded
        row = bytes(1 + -(-side // 8))
        header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
        pixels = zlib.compress(row * 400, 9)
        content = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header)
        return content + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")
    image = Image.new(rng.choice(("1", "L", "RGB")), (side, rng.choice((1, 16, side))))
    return _saved(image, rng.choice(("PNG", "JPEG")), **{})


def _text_bomb(rng: random.Random) -> bytes:
    """A PNG or JPEG whose text, profile or EXIF data unpack to very much."""
    size = rng.choice((10**3, 10**6, 3 * 10**7))
    packed = zlib.compress(bytes(size), 9)
    which = rng.randrange(5)
    if which == 0:
        info = PngImagePlugin.PngInfo()
        info.add_text("a", "x" * min(size, 900_000), zip=True)
        return _saved(_picture(rng, "RGB"), "PNG", pnginfo=info)
    kind, data = rng.choice(
        (
            (b"zTXt", b"a\0\0" + packed),
            (b"iCCP", b"a\0\0" + packed),
            (b"iTXt", b"a\0\1\0\0\0" + packed),
            (b"eXIf", rng.randbytes(300)),
            (b"tRNS", rng.randbytes(300)),
            (b"acTL", struct.pack(">II", 2**31 - 1, 0)),
        )
    )
    png = _saved(_picture(rng, "RGB"), "PNG")
    if which < 4:
        return png[:33] + _chunk(kind, data) + png[33:]
    jpeg = _saved(_picture(rng, "RGB"), "JPEG")
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + struct.pack("<H", 65_535)
    entries = b"".join(
        struct.pack("<HHII", rng.randrange(65_536), 7, 2**31, rng.randrange(100))
        for _ in range(rng.choice((1, 100, 5000)))
    )
    block = (exif + entries)[:65_000]
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


def _polyglot(rng: random.Random) -> bytes:
    """A file that is of two formats, or has something else before or behind it."""
    other = rng.choice(
        (
            b"<script>alert(1)</script>",
            b"PK\x03\x04" + bytes(30),
            b"%PDF-1.4\n",
            b"#!/bin/sh\ntouch made\n",
            _any_format(rng),
            b"GIF89a" + bytes(20),
        )
    )
    data = _any_format(rng)
    which = rng.random()
    if which < 0.3:
        return other + data
    if which < 0.6:
        return data + other
    at = rng.choice((2, 8, 33, 12))
    return data[:at] + other + data[at:]


_MAKERS: tuple[Callable[[random.Random], bytes], ...] = (
    *(_any_format, _damaged, _damaged, _cut, _claiming_png, _claiming_jpeg),
    *(_text_bomb, _polyglot, _claiming_png, _claiming_jpeg, _damaged),
    *(_any_format, _damaged, _cut, _polyglot, _flat_bomb),
)
