"""The orientation tag of an EXIF block."""

from __future__ import annotations

import struct

_ORIENTATION_TAG = 0x0112
_SHORT = 3
_UPRIGHT = 1


def exif_orientation(tiff: bytes) -> int:
    """Returns the orientation, 1 to 8; a missing or damaged tag is 1, upright.

    Args:
        tiff: EXIF data from its byte-order mark on.
    """
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return _UPRIGHT
    magic, directory = struct.unpack_from(order + "HI", tiff, 2)
    if magic != 42 or directory + 2 > len(tiff):
        return _UPRIGHT
    (num_entries,) = struct.unpack_from(order + "H", tiff, directory)
    for entry in range(directory + 2, directory + 2 + 12 * num_entries, 12):
        if entry + 12 > len(tiff):
            break
        tag, kind, count, value = struct.unpack_from(order + "HHIH", tiff, entry)
        if tag == _ORIENTATION_TAG:
            valid = kind == _SHORT and count == 1 and 1 <= value <= 8
            return value if valid else _UPRIGHT
    return _UPRIGHT
