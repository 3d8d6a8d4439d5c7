"""Small pictures of photos for a page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from PIL import Image

from vpr_tf.data.prepared_dataset import SplitIndex
from vpr_tf.data.record_reading import DamagedRecordError

_HEIGHT = 220  # pixels, nearly twice of what the page shows: sharp on any screen
_QUALITIES = (80, 65, 50, 35, 20)
_MOST_BYTES = 24_000  # of a picture


@dataclass(frozen=True)
class Shot:
    """A photo of a page.

    Attributes:
        row: Record of its split; -1 where there is none.
        key: Its name.
        picture: A data URI, or why there is none.
        text: What a page says of it.
        is_positive: Whether it lies near enough to the query.
    """

    row: int
    key: str
    picture: str
    text: str = ""
    is_positive: bool = False


def take_shot(
    split: SplitIndex, row: int, text: str = "", *, is_positive: bool = False
) -> Shot:
    """Returns a record as a photo of a page.

    Args:
        split: Index of the split.
        row: Record; -1 for none.
        text: What a page says of it.
        is_positive: Whether it lies near enough to the query.
    """
    if row < 0:
        return Shot(row, "", "no photo", text, is_positive)
    key = bytes(split.keys[row]).decode(errors="replace")
    try:
        picture = picture_uri(split, row)
    except DamagedRecordError:
        picture = "unreadable"
    return Shot(row, key, picture, text, is_positive)


def picture_uri(split: SplitIndex, row: int) -> str:
    """Returns a small JPEG of a record as a data URI.

    Args:
        split: Index of the split.
        row: Record.

    Raises:
        DamagedRecordError: The record or its image is damaged.
    """
    from vpr_tf.evaluation.pictures import fit_to_height
    from vpr_tf.evaluation.record_images import read_image

    return data_uri(fit_to_height(Image.fromarray(read_image(split, row)), _HEIGHT))


def data_uri(image: Image.Image) -> str:
    """Returns an image as a JPEG of at most some 24 kB, as a data URI."""
    for quality in _QUALITIES:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality, optimize=True)
        if file.tell() <= _MOST_BYTES:
            break
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
