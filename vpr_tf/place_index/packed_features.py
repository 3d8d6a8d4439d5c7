"""Key points of one photo in few bytes: a tenth of what they take in memory.

Pixels are kept to an eighth, descriptors as int8 with one scale a photo.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vpr_tf.matching import LocalFeatures

_PARTS_OF_PIXEL = 8
_LARGEST = 127  # of int8
_LARGEST_PIXEL = np.iinfo(np.uint16).max
_POINT_BYTES = 4


class StoredFeaturesError(ValueError):
    """Key points that an index keeps are damaged."""


@dataclass(frozen=True, eq=False)
class PackedFeatures:
    """Key points of one photo, as they lie on disk.

    Attributes:
        num_points: How many.
        image_size: See `LocalFeatures`.
        photo_size: Same.
        tolerance_px: Same.
        scale: What the descriptors are multiplied by.
        content: Points, then descriptors.
    """

    num_points: int
    image_size: tuple[int, int]
    photo_size: tuple[int, int]
    tolerance_px: float
    scale: float
    content: bytes

    @classmethod
    def of(cls, features: LocalFeatures) -> PackedFeatures:
        """Packs the key points of a photo."""
        pixels = np.rint(features.points_xy * _PARTS_OF_PIXEL)
        points = np.clip(pixels, 0, _LARGEST_PIXEL).astype("<u2")
        descriptors = features.descriptors
        scale = float(np.abs(descriptors).max(initial=0.0)) / _LARGEST or 1.0
        values = np.rint(descriptors / scale).astype(np.int8)
        return cls(
            len(features),
            features.image_size,
            features.size_of_photo,
            float(features.tolerance_px),
            scale,
            points.tobytes() + values.tobytes(),
        )

    def unpacked(self) -> LocalFeatures:
        """Returns the key points.

        Raises:
            StoredFeaturesError: The bytes are not those of so many points.
        """
        count, split = self.num_points, _POINT_BYTES * self.num_points
        dim, rest = divmod(len(self.content) - split, max(1, count))
        if dim < 0 or rest or (dim and not count):
            raise StoredFeaturesError(
                f"its {len(self.content)} bytes are not {count} key points"
            )
        points = np.frombuffer(self.content[:split], "<u2")
        values = np.frombuffer(self.content[split:], np.int8)
        descriptors = values.reshape(count, dim if count else 0) * np.float32(
            self.scale
        )
        lengths = np.linalg.norm(descriptors, axis=1, keepdims=True)
        return LocalFeatures(
            self.image_size,
            points.reshape(-1, 2).astype(np.float32) / _PARTS_OF_PIXEL,
            descriptors / np.maximum(lengths, 1e-12),
            self.tolerance_px,
            self.photo_size,
        )


class FeatureRows(Protocol):
    """Key points of photos, by row."""

    def __len__(self) -> int: ...

    def packed(self, row: int) -> PackedFeatures | None:
        """Returns those of a photo; None if none are kept of it.

        Raises:
            StoredFeaturesError: They are damaged.
        """


class NoFeatures:
    """Photos without key points.

    Args:
        count: How many.
    """

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def packed(self, row: int) -> None:
        """See `FeatureRows`."""


class JoinedFeatures:
    """The rows of several.

    Args:
        parts: In their order.
    """

    def __init__(self, parts: Iterable[FeatureRows]) -> None:
        self._parts = list(parts)
        self._ends = np.cumsum([len(part) for part in self._parts])

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def packed(self, row: int) -> PackedFeatures | None:
        """See `FeatureRows`."""
        number = int(np.searchsorted(self._ends, row, "right"))
        part = self._parts[number]
        return part.packed(row - int(self._ends[number]) + len(part))


class SelectedFeatures:
    """Some rows of others.

    Args:
        features: The others.
        rows: Their rows, in the order wanted.
    """

    def __init__(self, features: FeatureRows, rows: Sequence[int] | np.ndarray) -> None:
        self._features, self._rows = features, rows

    def __len__(self) -> int:
        return len(self._rows)

    def packed(self, row: int) -> PackedFeatures | None:
        """See `FeatureRows`."""
        return self._features.packed(int(self._rows[row]))
