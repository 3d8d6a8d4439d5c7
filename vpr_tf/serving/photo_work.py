"""How large photos are, by their headers: what decoding them takes."""

from __future__ import annotations

import binascii

from vpr_tf.photos import InvalidEntryError, read_header_by

# Photos of cameras have some hundred parts before their pixels. What has more is
# costly to read for the process that answers: it counts as large.
_MOST_READS = 20_000


class _ManyPartsError(Exception):
    """A photo has so many parts that its size is not looked for."""


def num_pixels(content: bytes | str, max_pixels: int) -> int:
    """Returns the pixels of a photo; 0 if it will be refused before it is decoded.

    One of very many parts counts as one of `max_pixels`, without reading them all.

    Args:
        content: The file, or base64 of it, of which only what is needed is decoded.
        max_pixels: Larger photos are refused.
    """
    num_bytes = len(content)
    if isinstance(content, str):
        num_bytes = num_bytes // 4 * 3 - content[-2:].count("=")

    num_reads = 0

    def read(offset: int, length: int) -> bytes:
        nonlocal num_reads
        num_reads += 1
        if num_reads > _MOST_READS:
            raise _ManyPartsError
        if isinstance(content, bytes):
            return content[offset : offset + length]
        # Three bytes are four characters.
        first, last = offset // 3, -(-(offset + length) // 3)
        found = binascii.a2b_base64(content[4 * first : 4 * last])
        return found[offset - 3 * first :][:length]

    try:
        header = read_header_by(read, num_bytes)
    except _ManyPartsError:
        return max_pixels
    except (InvalidEntryError, ValueError):
        return 0
    found = header.height * header.width
    return found if found <= max_pixels else 0
