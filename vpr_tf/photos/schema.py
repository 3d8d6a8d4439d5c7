"""The one declaration of what is stored of a photo: names, types and units.

From it derive the rows of scanning, the columns of a dataset's record index, the
features of its TFRecords, and the columns of the photos of an index. What photos belong
together is in the record index alone.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple, get_type_hints

import numpy as np

from vpr_tf.geo import UNKNOWN_HEADING_DEG, UNKNOWN_ZONE

# An image that claims more is not decoded: 57 bytes may claim 10^18 pixels.
MAX_PIXELS = 100_000_000


class ImageHeader(NamedTuple):
    """What the header of an image file says.

    Attributes:
        height: Stored pixels, before the orientation is applied.
        width: Likewise.
        exif_orientation: The EXIF tag, 1 to 8; 1 where there is none.
    """

    height: Annotated[int, "<i4"]
    width: Annotated[int, "<i4"]
    exif_orientation: Annotated[int, "|u1"]


class ImageMetadata(NamedTuple):
    """Where, in which direction and when a photo was taken.

    Whole numbers, because a float of a TFRecord is float32, which at 4,178,906 m north
    is off by up to 0.25 m. Before `complete_positions`, either position may be None.

    Attributes:
        utm_east_cm: Centimetres, never rounded up, so that the cell of an image,
            floor(position / M), is that of the decimal number it came with.
        utm_north_cm: Likewise.
        utm_zone: 10 is zone 10 north, -10 zone 10 south; 0, `LOCAL_ZONE`, local
            coordinates or, with latitude 0, an unknown position.
        latitude_e7: 1e-7 degrees; `UNKNOWN_DEGREES_E7` of local coordinates.
        longitude_e7: Likewise.
        heading_deg: Degrees clockwise from north, 0 to 360, both north;
            `UNKNOWN_HEADING_DEG` where unknown.
        timestamp: `YYYY[MM[DD[_hh[mm[ss]]]]]`, empty where unknown.
    """

    utm_east_cm: Annotated[int | None, "<i8"]
    utm_north_cm: Annotated[int | None, "<i8"]
    utm_zone: Annotated[int | None, "<i2"]
    latitude_e7: Annotated[int | None, "<i8"]
    longitude_e7: Annotated[int | None, "<i8"]
    heading_deg: Annotated[float, "<f4"]
    timestamp: Annotated[str, "|S15"]


class PhotoGroups(NamedTuple):
    """What photos belong together, where a table says it.

    Attributes:
        place_id: Number of the place that they show, 0 or more; `UNKNOWN_NUMBER` where
            unknown.
        sequence: Name of the drive that they are of; empty where unknown.
        frame: Number in the drive, 0 or more; `UNKNOWN_NUMBER` where unknown.
    """

    place_id: Annotated[int, "<i8"]
    sequence: Annotated[str, "|S64"]
    frame: Annotated[int, "<i4"]


UNKNOWN_NUMBER = -1
NO_GROUPS = PhotoGroups(UNKNOWN_NUMBER, "", UNKNOWN_NUMBER)
# Stands for the latitude and longitude of local coordinates.
UNKNOWN_DEGREES_E7 = int(np.iinfo(np.int64).min)
WITHOUT_POSITION = ImageMetadata(0, 0, UNKNOWN_ZONE, 0, 0, UNKNOWN_HEADING_DEG, "")


def _columns(declaration: type) -> dict[str, str]:
    hints = get_type_hints(declaration, include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items()}


# NumPy types by name, in the order in which they are stored.
METADATA_COLUMNS = _columns(ImageMetadata)
POSITION_COLUMNS = tuple(
    name for name in METADATA_COLUMNS if name not in ("heading_deg", "timestamp")
)
PHOTO_COLUMNS = _columns(ImageHeader) | METADATA_COLUMNS
GROUP_COLUMNS = _columns(PhotoGroups)
# A row of a scan: the end of its key among the keys of all rows, its file, the photo,
# what it belongs to.
ROW_DTYPE = np.dtype(
    [
        *(("key_end", "<i8"), ("file_size", "<i8")),
        *(PHOTO_COLUMNS | GROUP_COLUMNS).items(),
    ]
)
# In memory degrees are float64, and texts as wide as the longest.
TABLE_COLUMNS = {"key": "|S"} | {
    name.replace("_e7", "_deg"): (
        "<f8" if name.endswith("_e7") else "|S" if dtype.startswith("|S") else dtype
    )
    for name, dtype in METADATA_COLUMNS.items()
}


def table_columns(stored: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns columns as they are stored with their degrees as float64 or NaN."""
    return {
        name.replace("_e7", "_deg"): _degrees(values)
        if name.endswith("_e7")
        else values
        for name, values in stored.items()
    }


def _degrees(stored_e7: np.ndarray) -> np.ndarray:
    degrees = stored_e7 / 1e7
    degrees[stored_e7 == UNKNOWN_DEGREES_E7] = np.nan
    return degrees
