"""Reads tensors from a legacy `.pth` file without torch and without running it.

The legacy format, which torch wrote before version 1.6, is a row of pickles (magic
number, protocol version, system information, the object, the keys of the storages)
followed by the storages: a count of elements and the raw bytes of each. The object's
pickle may name ordered dictionaries, torch's functions that rebuild a tensor and
torch's storage types; these are answered by functions of this module. Any other name
is refused before anything of it is imported or called.
"""

from __future__ import annotations

import collections
import dataclasses
import math
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL_VERSION = 1001
# BFloat16 is read as its upper half of a float32, see `_materialize`.
_STORAGE_DTYPES = {
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


class CheckpointError(ValueError):
    """A checkpoint file that is damaged, hostile or of an unknown kind."""


@dataclasses.dataclass
class _Storage:
    """A storage that the object's pickle names; its data follow later in the file."""

    dtype: str
    size: int
    values: np.ndarray | None = None


@dataclasses.dataclass
class _Tensor:
    """A view of a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_state_dict(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a flat state dict from a legacy `.pth` file.

    Args:
        path: File written by `torch.save` in the format before torch 1.6.

    Returns:
        Arrays by name, in the order of the file. Half and single precision keep
        their dtype; bfloat16 becomes float32.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: The file is not of the legacy format, is damaged, asks for
            anything but tensors, or does not hold a flat mapping of tensors.
    """
    path = Path(path)
    if zipfile.is_zipfile(path):
        raise CheckpointError(
            f"{path} is a zip-format .pth (torch 1.6 or later), which this reader does "
            "not read. Save it again with "
            "torch.save(state_dict, file, _use_new_zipfile_serialization=False)."
        )
    with path.open("rb") as file:
        try:
            return _read(file, path.stat().st_size)
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from error
        except (
            pickle.UnpicklingError,
            AttributeError,
            EOFError,
            ImportError,
            IndexError,
            KeyError,
            MemoryError,
            OverflowError,
            RecursionError,
            TypeError,
            UnicodeDecodeError,
            ValueError,
            struct.error,
        ) as error:
            raise CheckpointError(
                f"{path} is not a readable legacy .pth file: {error}"
            ) from error


def _read(file: BinaryIO, file_size: int) -> dict[str, np.ndarray]:
    storages: dict[str, _Storage] = {}
    if _load(file, storages, file_size) != _MAGIC_NUMBER:
        raise CheckpointError("The file does not start with torch's magic number.")
    version = _load(file, storages, file_size)
    if version != _PROTOCOL_VERSION:
        raise CheckpointError(
            f"The protocol version must be {_PROTOCOL_VERSION}. Received: {version!r}"
        )
    system = _load(file, storages, file_size)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise CheckpointError("Only files of little-endian machines can be read.")
    tensors = _load(file, storages, file_size)
    if not isinstance(tensors, dict) or not all(
        isinstance(name, str) and isinstance(tensor, _Tensor)
        for name, tensor in dict.items(tensors)
    ):
        raise CheckpointError(
            "The file must hold a flat state dict, {name: tensor}. A training "
            "checkpoint holds it as one entry: save that entry alone."
        )
    for key in _storage_keys(_load(file, storages, file_size), storages):
        _read_storage(file, file_size, key, storages[key])
    return {name: _materialize(name, tensor) for name, tensor in dict.items(tensors)}


def _load(file: BinaryIO, storages: dict[str, _Storage], file_size: int) -> Any:
    return _TensorUnpickler(_BoundedFile(file, file_size), storages).load()


class _BoundedFile:
    """Refuses to read past the end, so that a declared size allocates nothing."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size

    def read(self, count: int) -> bytes:
        if count > self._size - self._file.tell():
            raise CheckpointError("The file is truncated or declares a wrong size.")
        return self._file.read(count)

    def readline(self) -> bytes:
        return self._file.readline()


class _TensorUnpickler(pickle.Unpickler):
    """Answers the names of torch itself and refuses all others."""

    def __init__(self, file: _BoundedFile, storages: dict[str, _Storage]) -> None:
        super().__init__(file)
        self._storages = storages

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _make_tensor()
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _make_parameter()
        if module == "torch" and name in _STORAGE_DTYPES:
            return _STORAGE_DTYPES[name]
        raise CheckpointError(
            f"The file asks for `{module}.{name}`, which is no part of a state dict "
            "of tensors. Nothing of it was run. Do not trust this file."
        )

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, size, view = pid
        if kind != "storage" or dtype not in _STORAGE_DTYPES.values():
            raise CheckpointError(f"Unknown persistent object: {kind!r}")
        if view is not None:
            raise CheckpointError("Views of storages (torch 0.3) cannot be read.")
        if not isinstance(key, str) or type(size) is not int or size < 0:
            raise CheckpointError(f"Malformed storage: key={key!r}, size={size!r}")
        storage = self._storages.setdefault(key, _Storage(dtype, size))
        if (storage.dtype, storage.size) != (dtype, size):
            raise CheckpointError(f"Storage {key} is declared twice and differently.")
        return storage


def _make_tensor() -> Callable[..., _Tensor]:
    # Made anew for each file: a pickle can set attributes of what it is given.
    def rebuild_tensor(
        storage: Any, offset: Any, shape: Any, strides: Any, *_: Any
    ) -> _Tensor:
        return _Tensor(storage, offset, shape, strides)

    return rebuild_tensor


def _make_parameter() -> Callable[..., Any]:
    def rebuild_parameter(data: Any, *_: Any) -> Any:
        return data

    return rebuild_parameter


def _storage_keys(keys: Any, storages: dict[str, _Storage]) -> list[str]:
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(storages):
        raise CheckpointError("The list of storages differs from those of the tensors.")
    return keys


def _read_storage(file: BinaryIO, file_size: int, key: str, storage: _Storage) -> None:
    (size,) = struct.unpack("<q", file.read(8))
    if size != storage.size:
        raise CheckpointError(
            f"Storage {key} has {size} elements, its tensors declare {storage.size}."
        )
    dtype = np.dtype("<u2" if storage.dtype == "bfloat16" else storage.dtype)
    if size * dtype.itemsize > file_size - file.tell():
        raise CheckpointError(
            f"Storage {key} declares {size * dtype.itemsize} bytes, but the file ends "
            f"after {file_size - file.tell()}. It is truncated or damaged."
        )
    storage.values = np.frombuffer(file.read(size * dtype.itemsize), dtype)


def _materialize(name: str, tensor: _Tensor) -> np.ndarray:
    storage, shape, strides = tensor.storage, tensor.shape, tensor.strides
    if not (
        isinstance(storage, _Storage)
        and _are_sizes((tensor.offset,))
        and _are_sizes(shape)
        and _are_sizes(strides)
        and len(shape) == len(strides)
    ):
        raise CheckpointError(f"Tensor {name} is malformed.")
    count = math.prod(shape)
    last = tensor.offset + sum(
        (size - 1) * stride for size, stride in zip(shape, strides, strict=True)
    )
    if count > storage.size or (count and last >= storage.size):
        raise CheckpointError(
            f"Tensor {name} of shape {shape} does not fit its storage of "
            f"{storage.size} elements."
        )
    if storage.values is None or count == 0:
        return np.zeros(shape, "<f4" if storage.dtype == "bfloat16" else storage.dtype)
    view = np.lib.stride_tricks.as_strided(
        storage.values[tensor.offset :],
        shape,
        [stride * storage.values.itemsize for stride in strides],
    )
    if storage.dtype == "bfloat16":
        return (view.astype("<u4") << 16).view("<f4")
    return view.copy()


def _are_sizes(values: Any) -> bool:
    return isinstance(values, tuple) and all(
        type(value) is int and value >= 0 for value in values
    )
