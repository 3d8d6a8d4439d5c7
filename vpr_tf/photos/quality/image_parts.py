"""Parts of an image that are lost, or covered by something near."""

from __future__ import annotations

import numpy as np

from vpr_tf.photos.image_completeness import lost_share
from vpr_tf.photos.quality.decoded_photo import DecodedPhoto

# Decoders fill in one colour, or smear or repeat the last block or two of rows.
_PERIODS_PX = (8, 16, 32)
_EQUAL_ROWS = 0.5  # mean difference in grey levels; of a camera's rows it is above 1
_BLACK = 24  # grey level; decoders fill in grey where data is lost
_PLAIN_DETAIL = 24  # of `detail`: noise has up to 20
_PLAIN_STEP = 6  # grey levels from a cell to the one below
_TALL_SHARE = 0.7  # of the height; sky or road alone are less


def damaged_share(photo: DecodedPhoto) -> float:
    """Returns the share of an image whose data is lost.

    It is counted in the file, or seen in the pixels, where a damaged image was saved
    again: rows that repeat themselves down to the lower edge.
    """
    grey = photo.stored_grey
    repeated = (_repeated_share(grey, period) for period in _PERIODS_PX)
    return max(lost_share(photo.content, grey, whole_rows=True), *repeated)


def _repeated_share(grey: np.ndarray, period_px: int) -> float:
    """Returns the share of the rows, from below, that equal those a period above.

    Where all rows do, nothing was lost: the whole is one colour. Nor is a black bar
    lost data, as of a video or where a bonnet was masked.
    """
    below, above = grey[period_px:], grey[:-period_px]
    differences = np.maximum(below, above) - np.minimum(below, above)
    is_other = differences.mean(axis=1)[::-1] >= _EQUAL_ROWS
    num_rows = int(is_other.argmax()) if is_other.any() else 0
    is_bar = grey[len(grey) - num_rows :].max(initial=0) <= _BLACK
    return 0.0 if is_bar else num_rows / len(grey)


def occluded_share(brightness: np.ndarray, detail: np.ndarray) -> float:
    """Returns the share of the columns that one plain thing covers from low to high.

    Args:
        brightness: See `maps.py`.
        detail: Likewise.
    """
    plain = detail <= _PLAIN_DETAIL
    steps = np.abs(np.diff(brightness.astype(np.int16), axis=0)) <= _PLAIN_STEP
    longest = run = plain[0].astype(int)
    for row, is_smooth in zip(plain[1:], steps, strict=True):
        run = np.where(row, np.where(is_smooth, run, 0) + 1, 0)
        longest = np.maximum(longest, run)
    covered = np.pad(longest >= _TALL_SHARE * len(plain), 1)
    # A seam of its panels does not end a lorry.
    covered[1:-1] |= covered[:-2] & covered[2:]
    return float(covered[1:-1].mean())
