"""Arrays of a file, each checked when it is taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpr_tf.classification.errors import ClassificationError


@dataclass(frozen=True)
class StoredArrays:
    """Arrays by name.

    Attributes:
        arrays: As they were read.
        prefix: What stands before the names in the file, for messages.
    """

    arrays: dict[str, np.ndarray]
    prefix: str = ""

    def take(
        self,
        name: str,
        kinds: str,
        shape: tuple[int | None, ...],
        *,
        finite: bool = True,
    ) -> np.ndarray:
        """Returns an array.

        Args:
            name: Its name.
            kinds: Kinds of dtype that it may have, such as `iu` for whole numbers.
            shape: Its shape; None for any length.
            finite: Whether all numbers must be finite.

        Raises:
            ClassificationError: It is missing, of another type or shape, or holds NaN
                or infinity.
        """
        array = self._find(name)
        fits = array.dtype.kind in kinds and array.ndim == len(shape)
        lengths = zip(array.shape, shape, strict=False)
        if not fits or any(wanted not in (None, length) for length, wanted in lengths):
            raise ClassificationError(
                f"The array {self.prefix}{name} of the heads is damaged: it must have "
                f"the shape {shape} and a dtype of the kinds {kinds}. Received: "
                f"{array.shape}, {array.dtype}. Export the heads again."
            )
        if finite and array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ClassificationError(
                f"The array {self.prefix}{name} of the heads holds NaN or infinity."
            )
        return array

    def length(self, name: str) -> int:
        """Returns the length of an array, 0 of a single number.

        Raises:
            ClassificationError: It is missing.
        """
        shape = self._find(name).shape
        return shape[0] if shape else 0

    def _find(self, name: str) -> np.ndarray:
        if name not in self.arrays:
            raise ClassificationError(
                f"The heads lack the array {self.prefix}{name}. Export them again."
            )
        return self.arrays[name]
