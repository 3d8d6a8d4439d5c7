"""Adds photos to an index, in a process of its own: the builder's encoder is large."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any

from vpr_tf.extraction.errors import ImageSizeError
from vpr_tf.photos import InvalidEntryError, image_header_of
from vpr_tf.place_index import PlaceIndex
from vpr_tf.trusted_models import trusting_models

_ROW = re.compile(r"photo (\d+): ")


@dataclass(frozen=True)
class Addition:
    """Photos to add.

    Attributes:
        folder: The index.
        photos: JPEG or PNG files.
        columns: See `PhotoColumns`.
        replace: Whether photos of the same keys are replaced.
        max_pixels: Of one photo.
        trusted: Whether the encoder is loaded whatever it holds.
    """

    folder: str
    photos: list[bytes]
    columns: dict[str, Any]
    replace: bool
    max_pixels: int
    trusted: bool


@dataclass(frozen=True)
class Added:
    """The index after an addition.

    Attributes:
        generation: Changes so far.
        num_photos: Photos that can be found.
    """

    generation: int
    num_photos: int


class UnusablePhotoError(ValueError):
    """A photo that cannot be described; nothing was added."""


def add_photos(addition: Addition) -> Added:
    """Describes photos as `vpr index add` does, and adds them all, or none.

    Raises:
        UnusablePhotoError: One cannot be described; its key, and why.
        ValueError: The index cannot describe photos, or cannot be changed.
    """
    keys = addition.columns["keys"]
    for key, content in zip(keys, addition.photos, strict=True):
        try:
            header = image_header_of(content)
        except InvalidEntryError as error:
            raise UnusablePhotoError(f"{key}: {error}") from None
        if header.height * header.width > addition.max_pixels:
            raise UnusablePhotoError(
                f"{key}: image has more than {addition.max_pixels:,} pixels"
            )
    index = _opened(addition.folder)
    with trusting_models(addition.trusted):
        extractor = index.extractor()
    try:
        descriptors = extractor.extract(addition.photos)
    except (InvalidEntryError, ImageSizeError) as error:
        text = _ROW.sub(lambda row: f"{keys[int(row[1])]}: ", str(error), count=1)
        raise UnusablePhotoError(text) from None
    manifest = index.add(
        descriptors, replace_existing=addition.replace, **addition.columns
    )
    return Added(manifest.generation, manifest.num_photos)


@functools.lru_cache(maxsize=1)
def _opened(folder: str) -> PlaceIndex:
    return PlaceIndex.open(folder)
