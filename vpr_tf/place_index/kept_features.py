"""Key points of the photos of a segment on disk, memory-mapped."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import google_crc32c
import numpy as np

from vpr_tf.place_index.layout import index_path
from vpr_tf.place_index.manifest_parts import KeptLocalFeatures
from vpr_tf.place_index.packed_features import (
    FeatureRows,
    PackedFeatures,
    StoredFeaturesError,
)
from vpr_tf.search import IndexMismatchError
from vpr_tf.stored_files import StoredFile, read_npy

_LOG = logging.getLogger("vpr_tf")
LOCAL_FOLDER = "local"
TABLE_FILE, CONTENT_FILE = "table.npy", "features.bin"
_NOT_KEPT = -1  # points of a photo without
_ROW = np.dtype(
    [
        ("start", "<i8"),  # byte of the content
        ("num_bytes", "<i8"),
        ("num_points", "<i4"),
        ("image_height", "<i4"),
        ("image_width", "<i4"),
        ("photo_height", "<i4"),
        ("photo_width", "<i4"),
        ("tolerance_px", "<f4"),
        ("scale", "<f4"),
        ("crc32c", "<u4"),
    ]
)


@dataclass(frozen=True, eq=False)
class PhotoFeatures:
    """Key points of photos, and what found them.

    Attributes:
        kept: What found them.
        rows: One for each photo.
    """

    kept: KeptLocalFeatures
    rows: FeatureRows


class StoredFeatures:
    """The key points of a segment; each photo's are compared when they are read.

    Args:
        folder: What `write_features` wrote.
        table: Facts of each photo.
        problem: What is wrong with all; empty if nothing is.
    """

    def __init__(self, folder: Path, table: np.ndarray, problem: str = "") -> None:
        self._folder, self._table, self._problem = folder, table, problem
        self._content: np.ndarray | None = None

    @classmethod
    def open(cls, folder: Path, num_rows: int) -> StoredFeatures:
        """Opens what `write_features` wrote.

        Raises:
            OSError: The table cannot be read.
            StoredFeaturesError: It is none.
        """
        try:
            table = read_npy(folder / TABLE_FILE)
        except ValueError as error:
            raise StoredFeaturesError(str(error)) from error
        if table.dtype != _ROW or table.shape != (num_rows,):
            raise StoredFeaturesError(
                f"{folder / TABLE_FILE} holds {table.dtype} of shape {table.shape}"
            )
        return cls(folder, table)

    @classmethod
    def of_segment(
        cls, segment: Path, files: Mapping[str, StoredFile], num_rows: int
    ) -> StoredFeatures | None:
        """Opens those of a segment; damaged ones say so when they are read.

        Args:
            segment: Its folder.
            files: Its files by path; of the key points the small one is compared.
            num_rows: Its photos.
        """
        names = [f"{LOCAL_FOLDER}/{name}" for name in (TABLE_FILE, CONTENT_FILE)]
        if not any(name in files for name in names):
            return None
        problem = "the manifest does not name them all"
        try:
            if all(name in files for name in names):
                table, content = (index_path(segment, name) for name in names)
                problem = files[names[0]].problem(table) or ""
                problem = problem or files[names[1]].problem(content, "size") or ""
            if not problem:
                return cls.open(segment / LOCAL_FOLDER, num_rows)
        except (OSError, IndexMismatchError, StoredFeaturesError) as error:
            problem = str(error)
        return cls(segment / LOCAL_FOLDER, np.zeros(num_rows, _ROW), problem)

    def __len__(self) -> int:
        return len(self._table)

    def packed(self, row: int) -> PackedFeatures | None:
        """See `FeatureRows`."""
        if self._problem:
            raise StoredFeaturesError(
                f"the key points in {self._folder} are damaged: {self._problem}"
            )
        facts = self._table[row]
        if facts["num_points"] == _NOT_KEPT:
            return None
        start, num_bytes = int(facts["start"]), int(facts["num_bytes"])
        content = self._mapped()[max(start, 0) : start + num_bytes].tobytes()
        sizes = [
            int(facts[name])
            for name in ("image_height", "image_width", "photo_height", "photo_width")
        ]
        scale, tolerance_px = float(facts["scale"]), float(facts["tolerance_px"])
        is_possible = (
            min(start, num_bytes, int(facts["num_points"])) >= 0
            and min(sizes) > 0
            and 0 < scale <= 1  # of descriptors of length 1
            and 0 < tolerance_px < math.inf
        )
        if not is_possible or google_crc32c.value(content) != facts["crc32c"]:
            raise StoredFeaturesError(
                f"the key points of row {row} in {self._folder} are damaged"
            )
        return PackedFeatures(
            int(facts["num_points"]),
            (sizes[0], sizes[1]),
            (sizes[2], sizes[3]),
            tolerance_px,
            scale,
            content,
        )

    def _mapped(self) -> np.ndarray:
        if self._content is None:
            path = self._folder / CONTENT_FILE
            is_empty = not path.stat().st_size  # which cannot be mapped
            self._content = (
                np.zeros(0, np.uint8) if is_empty else np.memmap(path, np.uint8, "r")
            )
        return self._content


def write_features(folder: Path, features: FeatureRows) -> None:
    """Writes key points, photo by photo; damaged ones are not kept.

    Args:
        folder: New.
        features: One for each photo.
    """
    folder.mkdir(parents=True)
    table = np.zeros(len(features), _ROW)
    num_damaged = start = 0
    with (folder / CONTENT_FILE).open("wb") as file:
        for row in range(len(features)):
            try:
                packed = features.packed(row)
            except StoredFeaturesError:
                packed, num_damaged = None, num_damaged + 1
            if packed is None:
                table[row]["num_points"] = _NOT_KEPT
                continue
            file.write(packed.content)
            table[row] = (
                start,
                len(packed.content),
                packed.num_points,
                *packed.image_size,
                *packed.photo_size,
                packed.tolerance_px,
                packed.scale,
                google_crc32c.value(packed.content),
            )
            start += len(packed.content)
    np.save(folder / TABLE_FILE, table, allow_pickle=False)
    if num_damaged:
        _LOG.warning(
            "The key points of %d photos are damaged and no longer kept: add these "
            "photos again.",
            num_damaged,
        )
