"""Finds the key points that an index keeps of its photos."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.atomic_files import write_json
from vpr_tf.matching import PhotoMatching
from vpr_tf.place_index.kept_features import (
    PhotoFeatures,
    StoredFeatures,
    write_features,
)
from vpr_tf.place_index.manifest_parts import KeptLocalFeatures
from vpr_tf.place_index.packed_features import JoinedFeatures, PackedFeatures
from vpr_tf.stored_values import read_json
from vpr_tf.terminal_bar import TerminalBar

_LOG = logging.getLogger("vpr_tf")
_PHOTOS_PER_BLOCK = 256
_SOURCE_FILE = "source.json"


def extract_local_features(
    matching: PhotoMatching,
    image: Callable[[int], np.ndarray],
    num_photos: int,
    folder: str | Path,
    source: dict[str, Any],
) -> PhotoFeatures:
    """Finds the key points of photos, or what a former run left to do.

    Of a photo that cannot be read nothing is kept.

    Args:
        matching: Finds them.
        image: Returns a photo by its number, RGB uint8 `(height, width, 3)`.
        num_photos: How many.
        folder: Where they lie until they are in an index; what a run on something else
            left there is deleted.
        source: What the photos are, JSON-ready.
    """
    folder = Path(folder)
    source = {**source, "matcher": matching.identity, "num_photos": num_photos}
    _claim(folder, source)
    parts = []
    with TerminalBar(total=num_photos, desc="key points", unit=" photos") as bar:
        for first in range(0, num_photos, _PHOTOS_PER_BLOCK):
            count = min(_PHOTOS_PER_BLOCK, num_photos - first)
            path = folder / f"{first:010d}"
            if path.exists():
                bar.update(count)
            else:
                unfinished = folder / "unfinished"
                shutil.rmtree(unfinished, ignore_errors=True)
                block = _Extracted(matching, image, first, count, bar)
                write_features(unfinished, block)
                unfinished.rename(path)
            parts.append(StoredFeatures.open(path, count))
    return PhotoFeatures(kept_by(matching), JoinedFeatures(parts))


def kept_by(matching: PhotoMatching) -> KeptLocalFeatures:
    """Returns what an index notes of what found its key points."""
    return KeptLocalFeatures(
        matching.matcher.name, matching.identity, matching.image_size
    )


def _claim(folder: Path, source: dict[str, Any]) -> None:
    try:
        is_same = read_json(folder / _SOURCE_FILE) == source
    except (OSError, ValueError):
        is_same = False
    if not is_same:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_json(folder / _SOURCE_FILE, source)


class _Extracted:
    """The key points of some photos, found one after the other."""

    def __init__(
        self,
        matching: PhotoMatching,
        image: Callable[[int], np.ndarray],
        first: int,
        count: int,
        bar: TerminalBar,
    ) -> None:
        self._matching, self._image = matching, image
        self._first, self._count, self._bar = first, count, bar

    def __len__(self) -> int:
        return self._count

    def packed(self, row: int) -> PackedFeatures | None:
        """See `FeatureRows`."""
        number = self._first + row
        self._bar.update()
        try:
            return PackedFeatures.of(self._matching.features(self._image(number)))
        except (OSError, ValueError) as error:
            _LOG.warning("No key points of photo %d: %s", number, error)
            return None
