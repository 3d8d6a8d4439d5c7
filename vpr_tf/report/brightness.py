"""How bright the images of a split are."""

from __future__ import annotations

import numpy as np

from vpr_tf.config import Preprocessing
from vpr_tf.data.image_batches import ImageBatches, SplitImages
from vpr_tf.data.prepared_dataset import SplitIndex
from vpr_tf.data.record_reading import damaged_records_named
from vpr_tf.terminal_bar import TerminalBar

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def mean_luma(
    split: SplitIndex, rows: np.ndarray | None = None, *, progress: bool = True
) -> np.ndarray:
    """Returns the mean luma of each image, 0 (black) to 1 (white), float64.

    Args:
        split: Record index of the images; each is decoded once, at its own size.
        rows: Which images, int64; None for all.
        progress: Whether to draw a progress bar.

    Raises:
        DamagedRecordError: A record cannot be read or decoded.
    """
    if rows is None:
        rows = np.arange(len(split))
    luma = np.full(len(split), np.nan)
    batches = ImageBatches(SplitImages(split), Preprocessing("native"))
    with (
        TerminalBar(
            total=len(rows), desc="brightness", unit=" images", disable=not progress
        ) as bar,
        damaged_records_named(split, lambda: rows[np.isnan(luma[rows])]),
    ):
        for images, record_ids in batches.read(rows):
            means = images.numpy().mean(axis=(1, 2), dtype=np.float64)
            luma[record_ids.numpy()] = means @ _LUMA
            bar.update(len(means))
    return luma[rows]
