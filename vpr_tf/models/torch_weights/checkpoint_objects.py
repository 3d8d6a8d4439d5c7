"""What a checkpoint's pickle is made of: tensors, storages and the names it may use.

Tensors are views of storages that lie in the file. No name is ever looked up, imported
or called: each stands for a function of this module that turns its arguments into
plain data.
"""

from __future__ import annotations

import dataclasses
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
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
_SCALAR_DTYPES = frozenset(
    ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
)
_LONGEST_SCALAR_BYTES = 8


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


@dataclass(frozen=True)
class Name:
    """A name in the pickle and what calling it gives."""

    name: str
    make: Callable[..., Any]


class Ignored:
    """Stands for an object that nothing here reads, e.g. a device."""


class ScalarDtype:
    """A NumPy dtype of a single number; its byte order comes in a BUILD."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.byte_order = "<"


def answer_name(module: str, name: str) -> Any:
    """Returns what stands for `module.name`.

    Raises:
        CheckpointError: The name has no place among weights and plain data.
    """
    if module == "torch" and name in STORAGE_DTYPES:
        return STORAGE_DTYPES[name]
    make = _MAKERS.get((module, name))
    if make is None:
        raise CheckpointError(
            f"The file names `{short(module)}.{short(name)}`, which is no part of "
            "weights and plain data. Nothing of it was run. Do not trust this file; "
            "if it is your own, save its state dict alone: "
            "torch.save(model.state_dict(), file)."
        )
    return Name(name, make)


def build(target: Any, state: Any) -> None:
    """Carries out BUILD, which sets the attributes of an object.

    Raises:
        CheckpointError: The object is none that torch would write so.
    """
    if isinstance(target, ScalarDtype):
        if (
            not isinstance(state, tuple)
            or len(state) < 2
            or state[1] not in tuple("<>|=")
        ):
            raise CheckpointError("It has a malformed dtype.")
        target.byte_order = state[1]
    elif not isinstance(target, (dict, Ignored)):  # attributes of those are not read
        raise CheckpointError("It sets the attributes of an object that has none.")


def _ordered_dict(pairs: Any = None) -> dict[Any, Any]:
    """Takes the pairs out of their list, so that none is copied twice."""
    made: dict[Any, Any] = {}
    if pairs is None:
        return made
    if not isinstance(pairs, list):
        raise CheckpointError("It has a dictionary of what is no list of pairs.")
    for key, value in pairs:
        check_key(key)
        made[key] = value
    pairs.clear()
    return made


def check_key(key: Any) -> None:
    """Checks a key of a dictionary; others could take for ever to hash.

    Raises:
        CheckpointError: It is neither a string nor a small number.
    """
    if not (isinstance(key, str) or (isinstance(key, int) and abs(key) < 2**31)):
        raise CheckpointError(
            f"Keys must be strings or whole numbers. Received: {type(key).__name__}"
        )


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    return Tensor(storage, offset, shape, strides)


def _first(data: Any, *_: Any) -> Any:
    return data


def _ignored(*_: Any) -> Ignored:
    return Ignored()


def _bytes(text: Any, encoding: Any) -> bytes:
    """Protocol 2 writes bytes as the encoding of a text."""
    if (
        not isinstance(text, str)
        or len(text) > _LONGEST_SCALAR_BYTES
        or encoding not in ("latin1", "latin-1")
    ):
        raise CheckpointError("It has bytes that are no number.")
    return text.encode("latin1")


def _scalar_dtype(code: Any, *_: Any) -> ScalarDtype:
    if not isinstance(code, str) or code not in _SCALAR_DTYPES:
        raise CheckpointError("It has a NumPy value that is no number.")
    return ScalarDtype(code)


def _scalar(dtype: Any, data: Any) -> Any:
    if not isinstance(dtype, ScalarDtype) or not isinstance(data, bytes):
        raise CheckpointError("It has a malformed NumPy number.")
    order = dtype.byte_order if dtype.byte_order in "<>" else "<"
    values = np.frombuffer(data, order + dtype.code)
    if values.size != 1:
        raise CheckpointError("It has a malformed NumPy number.")
    return values[0].item()


_MAKERS: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): _ordered_dict,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _first,
    ("torch._utils", "_rebuild_parameter_with_state"): _first,
    ("torch", "Size"): _first,
    ("torch", "device"): _ignored,
    ("argparse", "Namespace"): _ignored,
    ("numpy", "dtype"): _scalar_dtype,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("_codecs", "encode"): _bytes,
    # The hyper-parameters of Lightning are a dictionary.
    ("pytorch_lightning.utilities.parsing", "AttributeDict"): _ordered_dict,
    ("lightning.pytorch.utilities.parsing", "AttributeDict"): _ordered_dict,
    ("lightning_fabric.utilities.data", "AttributeDict"): _ordered_dict,
    ("lightning.fabric.utilities.data", "AttributeDict"): _ordered_dict,
}
