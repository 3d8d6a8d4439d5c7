"""How much of the pixels of an image file is there, whatever its end marker says.

Decoders fill in what a file has lost and say nothing, or warn without a name. Here the
coded blocks are counted, without computing a pixel: of JPEG files only where the
decoded image or the data look as if something was lost, since it takes a second a
megabyte. Of progressive JPEG files scans are counted; what the last one lost is not
seen.

Reference: ITU-T T.81 annexes B and F (JPEG), W3C PNG specification.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

_PNG_START = b"\x89PNG"
_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
# Of each pass of an interlaced PNG: first column and row, step across and down.
_ADAM7 = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)

_BASELINE, _PROGRESSIVE = frozenset((0xC0, 0xC1)), frozenset((0xC2,))
_DHT, _SOS, _DRI, _EOI = 0xC4, 0xDA, 0xDD, 0xD9
_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_BLOCK = 8
_SCAN_START = b"\xff\xda"
_HOLE = bytes(32)  # coded pixels hold no such run unless they are all the same
_IN_A_BLOCK = 64  # coefficients
_BITS = 8  # of a coefficient, roughly; those of its scans are counted
_NO_CODE = (0, 0)


def lost_text(content: bytes, pixels: np.ndarray | None = None) -> str:
    """Returns how much of an image is missing; empty where nothing is.

    Args:
        content: See `lost_share`.
        pixels: Likewise.
    """
    lost = lost_share(content, pixels)
    return f"{lost:.0%} of its pixels are missing" if lost else ""


def lost_share(
    content: bytes, pixels: np.ndarray | None = None, *, whole_rows: bool = False
) -> float:
    """Returns the share of an image that is missing.

    Args:
        content: Of a JPEG or PNG file.
        pixels: The decoded image `(height, width[, channels])` as it is stored, of any
            size; a JPEG file whose pixels show nothing suspicious is taken as whole.
            None looks in any case.
        whole_rows: Takes a JPEG file as whole that can have lost no more than a part of
            its last row of blocks: many photos of the night have one dark block.
    """
    try:
        if content.startswith(_PNG_START):
            there, total = _png_bytes(content)
        elif pixels is None or _is_suspicious(content, pixels, whole_rows):
            there, total = _jpeg_blocks(content)
        else:
            return 0.0
    except (IndexError, KeyError, ValueError, ZeroDivisionError):
        return 0.0  # the header is damaged; decoders say so
    # Of a header that says zero pixels there is nothing to miss.
    return (total - there) / total if there < total and total > 0 else 0.0


def _is_suspicious(content: bytes, pixels: np.ndarray, whole_rows: bool) -> bool:
    """Whether the last block or row is flat, bytes were zeroed, or scans are many.

    Where data ends too early, decoders go on with the last colour.
    """
    if _HOLE in content or content.count(_SCAN_START) > 1:
        return True
    height, width = (size // _BLOCK * _BLOCK for size in pixels.shape[:2])
    left = 0 if whole_rows else max(width - _BLOCK, 0)
    last = pixels[max(height - _BLOCK, 0) : height, left:width]
    return bool(np.ptp(last.reshape(-1, *pixels.shape[2:]), axis=0).max(initial=0) < 4)


# === PNG ===


def _png_bytes(content: bytes) -> tuple[int, int]:
    """Returns how many bytes of pixels there are, and how many there should be."""
    width, height = (int.from_bytes(content[i : i + 4], "big") for i in (16, 20))
    bits, colour, interlaced = content[24], content[25], content[28]
    pixel_bits = bits * _PNG_SAMPLES[colour]
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    total = 0
    for left, top, across, down in passes:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * pixel_bits // 8))
    inflate, there = zlib.decompressobj(), 0
    try:
        for data in _png_data(content):
            there += len(inflate.decompress(data))
    except zlib.error:
        return min(there, total - 1), total
    return there, total


def _png_data(content: bytes) -> Iterator[bytes]:
    """Yields the data of the pixels, in pieces so that damage is found where it is."""
    position = 8
    while position + 8 <= len(content):
        length = int.from_bytes(content[position : position + 4], "big")
        kind = content[position + 4 : position + 8]
        if kind == b"IDAT":
            data = content[position + 8 : position + 8 + length]
            yield from (data[i : i + 1024] for i in range(0, len(data), 1024))
        position += 12 + length


# === JPEG ===


@dataclass
class _Frame:
    """What the segments before a scan say.

    Attributes:
        height: Pixels.
        width: Pixels.
        sampling: Horizontal and vertical factors of each component, by its number.
        tables: Huffman tables by class and number: for every 16 bits the bits of the
            code, and its symbol.
        restart_interval: MCUs between restart markers; 0 is none.
        is_progressive: Whether coefficients come in several scans.
        left: Of progressive images, bits of each coefficient that are still missing,
            by component.
    """

    height: int = 0
    width: int = 0
    sampling: dict[int, tuple[int, int]] = field(default_factory=dict)
    tables: dict[tuple[int, int], list[tuple[int, int]]] = field(default_factory=dict)
    restart_interval: int = 0
    is_progressive: bool = False
    left: dict[int, list[int]] = field(default_factory=dict)


def _jpeg_blocks(content: bytes) -> tuple[int, int]:
    """Returns how many coded units there are, and how many there should be."""
    frame, position, there, total = _Frame(), 2, 0, 0
    while position + 4 <= len(content):
        if content[position] != 0xFF or content[position + 1] == 0xFF:
            position += 1
            continue
        marker, position = content[position + 1], position + 2
        if marker == _EOI:
            break
        if marker in _WITHOUT_LENGTH:
            continue
        length = int.from_bytes(content[position : position + 2], "big")
        body = content[position + 2 : position + length]
        position += length
        if marker == _SOS:
            end = _SCAN_END.search(content, position)
            stop = end.start() if end else len(content)
            data = content[position:stop]
            if frame.is_progressive and _HOLE in data:
                return position + data.index(_HOLE), len(content)
            found, wanted = _scan_units(frame, body, data)
            there, total, position = there + found, total + wanted, stop
        else:
            _read_segment(frame, marker, body)
    if frame.is_progressive:
        bits = [bit for component in frame.left.values() for bit in component]
        wanted = _BITS * len(bits)
        return wanted - sum(bits), wanted
    return there, max(total, 1)


def _read_segment(frame: _Frame, marker: int, body: bytes) -> None:
    if marker in _BASELINE | _PROGRESSIVE:
        frame.height = int.from_bytes(body[1:3], "big")
        frame.width = int.from_bytes(body[3:5], "big")
        for i in range(6, 6 + 3 * body[5], 3):
            frame.sampling[body[i]] = body[i + 1] >> 4, body[i + 1] & 15
        frame.is_progressive = marker in _PROGRESSIVE
        frame.left = {name: [_BITS] * _IN_A_BLOCK for name in frame.sampling}
    elif marker == _DRI:
        frame.restart_interval = int.from_bytes(body[:2], "big")
    elif marker == _DHT and not frame.is_progressive:
        while body:
            counts = body[1:17]
            symbols = body[17 : 17 + sum(counts)]
            frame.tables[body[0] >> 4, body[0] & 15] = _huffman_table(counts, symbols)
            body = body[17 + sum(counts) :]


def _huffman_table(counts: bytes, symbols: bytes) -> list[tuple[int, int]]:
    """Returns length and symbol of the code that any 16 bits begin with."""
    lengths = [length for length, count in enumerate(counts, 1) for _ in range(count)]
    table = []
    for length, symbol in zip(lengths, symbols, strict=True):
        table += [(length, symbol)] * (1 << (16 - length))
    return table + [_NO_CODE] * ((1 << 16) - len(table))


def _scan_units(frame: _Frame, header: bytes, data: bytes) -> tuple[int, int]:
    """Returns how many MCUs of a scan there are, and how many there should be."""
    names = header[1 : 1 + 2 * header[0] : 2]
    if frame.is_progressive:
        first, last, low_bit = header[-3], header[-2], header[-1] & 15
        for name in names:
            for i in range(first, last + 1):
                frame.left[name][i] = low_bit
        return 0, 0
    tables = header[2 : 2 + 2 * header[0] : 2]
    blocks = []
    for name, number in zip(names, tables, strict=True):
        across, down = frame.sampling[name] if len(names) > 1 else (1, 1)
        pair = frame.tables[0, number >> 4], frame.tables[1, number & 15]
        blocks += [pair] * (across * down)
    total = _num_mcus(frame, names)
    interval = frame.restart_interval or total
    there = 0
    for piece in _RESTART.split(data):
        wanted = min(interval, total - there)
        found = _count_mcus(piece.replace(b"\xff\0", b"\xff"), blocks, wanted)
        there += found
        if found < wanted:
            break
    return there, total


def _num_mcus(frame: _Frame, names: bytes) -> int:
    most_across = max(across for across, _ in frame.sampling.values())
    most_down = max(down for _, down in frame.sampling.values())
    if len(names) > 1:
        width, height = frame.width, frame.height
        wide, high = _BLOCK * most_across, _BLOCK * most_down
    else:
        across, down = frame.sampling[names[0]]
        width = -(-frame.width * across // most_across)
        height = -(-frame.height * down // most_down)
        wide = high = _BLOCK
    return -(-width // wide) * -(-height // high)


def _count_mcus(
    data: bytes,
    blocks: list[tuple[list[tuple[int, int]], list[tuple[int, int]]]],
    wanted: int,
) -> int:
    """Returns how many MCUs can be read before the data ends or makes no sense.

    Zeros in place of lost data are read as codes, so what follows a hole counts only
    when every MCU is there and the data ends with the last one.
    """
    padded = np.frombuffer(data + bytes(4), np.uint8).astype(np.uint32)
    windows = (padded[:-3] << 16 | padded[1:-2] << 8 | padded[2:-1]).tolist()
    hole_bits, end_bits = 8 * data.find(_HOLE), 8 * len(data)
    bit, before_hole = 0, wanted
    for mcu in range(wanted):
        if hole_bits >= 0 and before_hole == wanted and bit > hole_bits:
            before_hole = max(mcu - 1, 0)
        for direct, others in blocks:
            bit = _after_block(windows, bit, end_bits, direct, others)
            if bit > end_bits:
                return min(mcu, before_hole)
    is_exact = end_bits - bit < 16
    return wanted if is_exact else before_hole


def _after_block(
    windows: list[int],
    bit: int,
    end_bits: int,
    direct: list[tuple[int, int]],
    others: list[tuple[int, int]],
) -> int:
    """Returns the bit after a block; one beyond the end if there is no such block."""
    coefficient, table = 0, direct
    while coefficient < _IN_A_BLOCK and bit < end_bits:
        length, symbol = table[windows[bit >> 3] >> (8 - (bit & 7)) & 0xFFFF]
        if not length:
            break
        bit += length + (symbol & 15)
        if table is direct:
            coefficient, table = 1, others
        elif symbol == 0:
            return bit
        else:
            coefficient += (symbol >> 4) + 1
    return bit if coefficient >= _IN_A_BLOCK else end_bits + 1
