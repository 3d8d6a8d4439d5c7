"""Changes to stored arrays: other types, shapes, values, headers and bytes."""

from __future__ import annotations

import io
import math
import random
from typing import Any

import numpy as np

from benchmarks.hostile.mutations import mutated_bytes
from benchmarks.hostile.watch import ABSOLUTE_OUTSIDE

_DTYPES = (
    *("<f8", "<f4", "<f2", ">i8", ">f4", "<i2", "<i8", "<u8", "|S3", "|S40", "<U3"),
    *("?", "<c16", "|V4", "<M8[s]", "|u1", "<i4"),
)
_SHAPES: tuple[tuple[int, ...], ...] = ((), (0,), (1,), (3,), (40, 1), (4, 2), (500,))
_EXTREME: tuple[Any, ...] = (
    *(0, -1, 1, 2, 7, 60, 61, 127, 2**15 - 1, 2**31 - 1, -(2**31), 2**63 - 1),
    *(-(2**63), math.nan, math.inf, -math.inf, 1e300, -1e-300, 90.0, 181.0, 1e9),
)
_KEYS = (b"", b"\xff\xfe", b"..", b"../outside/secret.txt", b"\x1b[31m", b"a\nb", b"a")
_HEADERS = (
    "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
    "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }",
    "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (True,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1e3,), }",
    f"__import__('os').system('touch {ABSOLUTE_OUTSIDE}/made')",
    "(" * 3000,
    "[" * 90 + "]" * 90,
    "9" * 9000,
)
# A pickle that would run `os.system`, as an array of objects holds it.
_PICKLE = f"cos\nsystem\n(S'touch {ABSOLUTE_OUTSIDE}/made'\ntR.".encode()


def changed_array(rng: random.Random, data: bytes) -> bytes:
    """Returns the bytes of a `.npy` file with a change of any sort."""
    which = rng.random()
    if which < 0.15:
        return mutated_bytes(rng, data)
    if which < 0.25:
        return _with_header(rng.choice(_HEADERS)) + _PICKLE
    values = np.load(io.BytesIO(data), allow_pickle=False)
    if which < 0.45:
        return npy_bytes(_of_type(values, rng.choice(_DTYPES)))
    if which < 0.6:
        return npy_bytes(np.resize(values, rng.choice(_SHAPES)))
    return npy_bytes(_other_values(rng, values))


def _of_type(values: np.ndarray, dtype: str) -> np.ndarray:
    """Returns values as another type; zeros where they cannot be of it."""
    try:
        with np.errstate(all="ignore"):
            return values.astype(dtype, casting="unsafe")
    except (ValueError, TypeError, OverflowError):
        return np.zeros(values.shape, dtype)


def npy_bytes(values: np.ndarray) -> bytes:
    """Returns the bytes of a `.npy` file."""
    file = io.BytesIO()
    np.save(file, values, allow_pickle=False)
    return file.getvalue()


def _other_values(rng: random.Random, values: np.ndarray) -> np.ndarray:
    """Returns an array of the same type and shape: some or all rows are others."""
    changed = values.copy()
    flat = changed.reshape(-1)
    if not flat.size:
        return changed
    which = rng.random()
    if which < 0.2:
        return flat[::-1].reshape(values.shape).copy()
    if which < 0.4:
        flat[rng.randrange(flat.size)] = flat[rng.randrange(flat.size)]
        return changed
    places = rng.choice(([rng.randrange(flat.size)], list(range(flat.size))))
    value = rng.choice(_KEYS) if values.dtype.kind == "S" else rng.choice(_EXTREME)
    flat[places] = _of_type(np.array(value), str(values.dtype))
    return changed


def _with_header(text: str) -> bytes:
    header = text.encode() + b"\n"
    size = len(header).to_bytes(4, "little")
    return b"\x93NUMPY\x02\x00" + size + header
