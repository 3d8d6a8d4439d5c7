"""Float16 to float32, faster than NumPy's conversion."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

_VALUES_PER_STEP = 1 << 16  # float32: stays in a core's cache
_VALUES_PER_THREAD = 1 << 22
_SIGN_AND_VALUE = np.int32(-0x70000001)  # all bits but the three below the sign
# Moves the exponent of a float16, whose bias is 15, to that of a float32, 127.
_EXPONENT_SHIFT = np.float32(2.0**112)


def as_float32(rows: np.ndarray) -> np.ndarray:
    """Returns finite values as float32; those that are float32 uncopied.

    NumPy converts 0.3 billion values a second. Here the bits of a float16 are moved to
    where a float32 has them, and one product, which is exact, corrects the exponent:
    each step is one instruction for many values, in all cores.
    """
    if rows.dtype != np.float16:
        return np.asarray(rows, np.float32)
    rows = np.ascontiguousarray(rows)
    converted = np.empty(rows.shape, np.float32)
    halves, values = rows.reshape(-1).view(np.int16), converted.reshape(-1)
    threads = len(os.sched_getaffinity(0)) if len(values) > _VALUES_PER_THREAD else 1
    if threads == 1:
        _convert(halves, values)
        return converted
    parts = (np.array_split(halves, threads), np.array_split(values, threads))
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(_convert, *parts))
    return converted


def _convert(halves: np.ndarray, values: np.ndarray) -> None:
    bits = values.view(np.int32)
    for start in range(0, len(halves), _VALUES_PER_STEP):
        step = slice(start, start + _VALUES_PER_STEP)
        # The sign is extended into 16 bits and stays at the top; then three copies of
        # it are cleared from where the exponent of a float32 begins.
        np.left_shift(halves[step], 13, out=bits[step], dtype=np.int32)
        np.bitwise_and(bits[step], _SIGN_AND_VALUE, out=bits[step])
        np.multiply(values[step], _EXPONENT_SHIFT, out=values[step])
