"""Parts of an image that are lost, or covered by something near."""

from __future__ import annotations

import numpy as np

from vpr_tf.photos.image_completeness import lost_share
from vpr_tf.photos.quality.decoded_photo import DecodedPhoto


def damaged_share(photo: DecodedPhoto) -> float:
    """Returns the share of an image whose data is lost."""
    return lost_share(photo.content, np.asarray(photo.stored))


def occluded_share(brightness: np.ndarray, detail: np.ndarray) -> float:
    """Returns the share of an image that one featureless thing covers.

    Args:
        brightness: See `maps.py`.
        detail: Likewise.
    """
    return float((detail < 8).mean())
