"""Parts of JPEG and PNG files that Pillow does not look at, and TensorFlow refuses.

After the pixels of a JPEG libjpeg reads on to the end marker, and an error there makes
TensorFlow refuse the file; Pillow is content once all rows are there. Where libjpeg
only runs out of data within a segment, TensorFlow takes the pixels.

Reference: ITU-T T.81 annex B; `jdmarker.c` of libjpeg-turbo; W3C PNG specification.
"""

from __future__ import annotations

import re
import zlib

_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")  # restarts are among the pixels
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_TEM, _FIRST_FRAME, _JPG, _SOI, _EOI, _DNL = 0x01, 0xC0, 0xC8, 0xD8, 0xD9, 0xDC
_APP0, _APP14, _COM = 0xE0, 0xEE, 0xFE
# Of application data, comments and the like libjpeg reads the length.
_SKIPPED = frozenset((*range(_APP0, 0xF0), _COM, _DNL))
# Others are refused at once.
_KNOWN = frozenset((*_SKIPPED, *range(_FIRST_FRAME, 0xDE))) - {_JPG, _SOI}
_READ_OF_APP = 14  # bytes of those that say how colours are stored
_PNG_START = 8
_ANCILLARY = 0x20  # of a chunk's first letter: libpng does without it


def check_jpeg_end(content: bytes, scan_start: int) -> None:
    """Follows the segments after the only scan of a JPEG to the end marker.

    Args:
        content: Of the file.
        scan_start: Where the coded pixels begin.

    Raises:
        ValueError: A segment is damaged or does not belong there.
    """
    position = scan_start
    while found := _MARKER.search(content, position):
        marker, position = found[1][0], found.end()
        if marker == _EOI:
            return
        if marker == _TEM or _is_before_restart(content, marker, position):
            continue
        end = _after_segment(content, marker, position)
        if end is None:
            return
        position = end
    if not content.endswith(b"\xff"):
        raise ValueError("its end marker is missing")


def check_png_checksums(content: bytes) -> None:
    """Compares the checksums of a PNG, of all chunks that cannot be done without.

    Raises:
        ValueError: One is wrong, or the last chunk is missing.
    """
    view, position, kind = memoryview(content), _PNG_START, b""
    while kind != b"IEND":
        end = position + 8 + int.from_bytes(view[position : position + 4], "big")
        kind = bytes(view[position + 4 : position + 8])
        if end + 4 > len(content):
            raise ValueError("its last chunk is missing")
        checksum = int.from_bytes(view[end : end + 4], "big")
        is_wrong = zlib.crc32(view[position + 4 : end]) != checksum
        if is_wrong and not kind[0] & _ANCILLARY:
            raise ValueError(f"wrong checksum of its chunk {kind!r}")
        position = end + 4


def _is_before_restart(content: bytes, marker: int, position: int) -> bool:
    """Whether a decoder that looks for the next restart passes over a marker."""
    if marker >= _FIRST_FRAME:
        return False
    following = _MARKER.search(content, position)
    end = following.start() if following else len(content)
    return _RESTART.search(content, position, end) is not None


def _after_segment(content: bytes, marker: int, start: int) -> int | None:
    """Returns where the segment of a marker ends; None if the file ends before.

    Raises:
        ValueError: It may not be there, or what is to be skipped is not there.
    """
    length = int.from_bytes(content[start : start + 2], "big")
    end = start + max(length, 2)
    to_read = max(length, 2)
    if marker in _SKIPPED:
        is_read = marker in (_APP0, _APP14)
        to_read = min(to_read, 2 + _READ_OF_APP) if is_read else 2
    if marker in _KNOWN and start + to_read > len(content):
        return None
    if marker not in _SKIPPED or end > len(content):
        raise ValueError(f"damaged after its pixels, at marker 0x{marker:02x}")
    return end
