"""Tensors of a checkpoint file: views of storages that lie in the file."""

from __future__ import annotations

import dataclasses
import math
import zlib
from typing import Any, BinaryIO

import numpy as np

# BFloat16 is read as its upper half of a float32, see `_read_values`.
STORAGE_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}


_MOST_AXES = 16


class CheckpointError(ValueError):
    """A checkpoint file that is damaged, hostile or of an unknown kind."""


@dataclasses.dataclass
class Storage:
    """Elements that tensors view; only those that are needed are read.

    Attributes:
        key: Name in the file.
        dtype: NumPy's name, or `bfloat16`.
        size: Number of elements.
        position: First byte in the file, once known.
        crc32: Checksum of the bytes; None if the format has none.
        values: The elements, once read.
    """

    key: str
    dtype: str
    size: int
    position: int | None = None
    crc32: int | None = None
    values: np.ndarray | None = None

    @property
    def file_dtype(self) -> np.dtype:
        """How the elements lie in the file."""
        return np.dtype("<u2" if self.dtype == "bfloat16" else self.dtype)

    @property
    def num_bytes(self) -> int:
        """Length in the file."""
        return self.size * self.file_dtype.itemsize


@dataclasses.dataclass
class Tensor:
    """A view of a storage as the file describes it, not yet checked."""

    storage: Any
    offset: Any
    shape: Any
    strides: Any


class Storages:
    """The storages that a file's pickle names."""

    def __init__(self) -> None:
        self.by_key: dict[str, Storage] = {}

    def persistent_load(self, pid: Any) -> Storage:
        """Resolves a persistent id of torch, `("storage", type, key, device, size)`.

        Raises:
            CheckpointError: It is malformed or contradicts an earlier one.
        """
        if not isinstance(pid, tuple) or len(pid) not in (5, 6) or pid[0] != "storage":
            raise CheckpointError("It has a persistent object that is no storage.")
        _, dtype, key, _, size, *view = pid
        if view not in ([], [None]):
            raise CheckpointError("Views of storages (torch 0.3) cannot be read.")
        if (
            not (isinstance(dtype, str) and dtype in STORAGE_DTYPES.values())
            or not isinstance(key, str)
            or type(size) is not int
            or size < 0
        ):
            raise CheckpointError("It has a malformed storage.")
        storage = self.by_key.setdefault(key, Storage(key, dtype, size))
        if (storage.dtype, storage.size) != (dtype, size):
            raise CheckpointError(
                f"Storage {short(key)} is declared twice and differently."
            )
        return storage


def read_tensor(name: str, tensor: Tensor, file: BinaryIO) -> np.ndarray:
    """Reads a tensor; those that share a storage share memory.

    Args:
        name: Its name, for messages.
        tensor: The view, whose storage has a position.
        file: The open file.

    Returns:
        A read-only array. bfloat16 becomes float32.

    Raises:
        CheckpointError: The view does not fit its storage, or the bytes are damaged.
    """
    storage, shape, strides = tensor.storage, tensor.shape, tensor.strides
    if not (
        isinstance(storage, Storage)
        and _are_sizes((tensor.offset,))
        and _are_sizes(shape)
        and _are_sizes(strides)
        and len(shape) == len(strides)
    ):
        raise CheckpointError(f"Tensor {short(name)} is malformed.")
    count = math.prod(shape)
    last = tensor.offset + sum(
        (size - 1) * stride for size, stride in zip(shape, strides, strict=True)
    )
    if count > storage.size or (count and last >= storage.size):
        raise CheckpointError(
            f"Tensor {short(name)} of shape {shape} does not fit its storage of "
            f"{storage.size} elements."
        )
    values = _read_values(storage, file)
    if count == 0:
        return np.zeros(shape, values.dtype)
    return np.lib.stride_tricks.as_strided(
        values[tensor.offset :],
        shape,
        [stride * values.itemsize for stride in strides],
        writeable=False,
    )


def short(text: str) -> str:
    """Returns a name of the file fit for a message, whatever it holds."""
    return ascii(text[:80])[1:-1]


def _read_values(storage: Storage, file: BinaryIO) -> np.ndarray:
    if storage.values is None:
        if storage.position is None:
            raise CheckpointError(f"The file lacks the storage {short(storage.key)}.")
        file.seek(storage.position)
        data = file.read(storage.num_bytes)
        damaged = storage.crc32 is not None and zlib.crc32(data) != storage.crc32
        if damaged or len(data) != storage.num_bytes:
            raise CheckpointError(f"Storage {short(storage.key)} is damaged.")
        values = np.frombuffer(data, storage.file_dtype)
        if storage.dtype == "bfloat16":
            values = (values.astype("<u4") << 16).view("<f4")
        storage.values = values
    return storage.values


def _are_sizes(values: Any) -> bool:
    return (
        isinstance(values, tuple)
        and len(values) <= _MOST_AXES
        and all(type(value) is int and 0 <= value < 2**48 for value in values)
    )
