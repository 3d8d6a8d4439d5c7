"""Writes legacy `.pth` files without torch, for tests."""

import collections
import io
import pickle
import struct
import sys
import types
from pathlib import Path

import numpy as np

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
STORAGE_NAMES = {"<f4": "FloatStorage", "<f2": "HalfStorage", "<i8": "LongStorage"}


class Storage:
    """Elements of a storage; `declared_size` lies about their number."""

    def __init__(self, key, values, type_name=None, declared_size=None):
        self.key = key
        self.values = values
        self.type_name = type_name or STORAGE_NAMES[values.dtype.str]
        self.declared_size = values.size if declared_size is None else declared_size


class Tensor:
    """Pickles as torch's tensor: a call of `_rebuild_tensor_v2`."""

    def __init__(self, storage, shape, strides, offset=0):
        self.arguments = (storage, offset, shape, strides, False, {})

    def __reduce__(self):
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        return rebuild, self.arguments


def fake_torch(monkeypatch):
    """Lets pickle write names of torch; reading does not need it."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in (*STORAGE_NAMES.values(), "BFloat16Storage"):
        storage_type = type(name, (), {"__module__": "torch"})
        setattr(torch, name, storage_type)

    def _rebuild_tensor_v2(*arguments):
        raise AssertionError("must not be called")

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


def contiguous(key, array):
    """A tensor with a storage of its own."""
    strides = tuple(stride // array.itemsize for stride in array.strides)
    return Tensor(Storage(key, array.reshape(-1)), array.shape, strides)


def legacy_bytes(content, storages):
    """Returns the bytes of a legacy file that holds any picklable content."""
    file = io.BytesIO()
    for header in (
        MAGIC_NUMBER,
        1001,
        {"protocol_version": 1001, "little_endian": True, "type_sizes": {}},
    ):
        pickle.dump(header, file, protocol=2)
    pickler = pickle.Pickler(file, protocol=2)
    torch = sys.modules.get("torch")

    def persistent_id(item):
        if not isinstance(item, Storage):
            return None
        kind = getattr(torch, item.type_name)
        return ("storage", kind, item.key, "cpu", item.declared_size, None)

    pickler.persistent_id = persistent_id
    pickler.dump(content)
    pickle.dump([storage.key for storage in storages], file, protocol=2)
    for storage in storages:
        file.write(struct.pack("<q", storage.declared_size))
        file.write(storage.values.tobytes())
    return file.getvalue()


def write_state_dict(path: Path, state_dict: dict[str, np.ndarray]) -> None:
    """Writes arrays as a legacy state dict."""
    tensors = collections.OrderedDict(
        (name, contiguous(str(number), np.ascontiguousarray(array)))
        for number, (name, array) in enumerate(state_dict.items())
    )
    storages = [tensor.arguments[0] for tensor in tensors.values()]
    path.write_bytes(legacy_bytes(tensors, storages))
