"""Reads the content of a `.pth` file in the format before torch 1.6, without torch.

The legacy format is a row of pickles (magic number, protocol version, system
information, the object, the keys of the storages) followed by the storages: a count of
elements and the raw bytes of each.
"""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

from vpr_tf.models.torch_weights.checkpoint_tensors import (
    CheckpointError,
    Storage,
    Storages,
    short,
)
from vpr_tf.models.torch_weights.restricted_unpickler import unpickle

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL_VERSION = 1001


def read_legacy_content(file: BinaryIO, file_size: int) -> Any:
    """Reads the object; its tensors know where their storages lie.

    Args:
        file: The open file, at its start.
        file_size: Its length in bytes.

    Raises:
        CheckpointError: The file is not of the legacy format, or names anything
            but weights and plain data.
        Exception: Many kinds, when it is damaged.
    """
    if unpickle(file, file_size) != _MAGIC_NUMBER:
        raise CheckpointError("The file does not start with torch's magic number.")
    if unpickle(file, file_size) != _PROTOCOL_VERSION:
        raise CheckpointError(f"The protocol version must be {_PROTOCOL_VERSION}.")
    system = unpickle(file, file_size)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise CheckpointError("Only files of little-endian machines can be read.")
    storages = Storages()
    content = unpickle(file, file_size, storages.persistent_load)
    keys = unpickle(file, file_size)
    if not isinstance(keys, list) or sorted(map(_as_text, keys)) != sorted(
        storages.by_key
    ):
        raise CheckpointError("The list of storages differs from those of the tensors.")
    for key in keys:
        _find_storage(file, file_size, storages.by_key[key])
    return content


def _as_text(key: Any) -> str:
    if not isinstance(key, str):
        raise CheckpointError("A key of a storage must be a text.")
    return key


def _find_storage(file: BinaryIO, file_size: int, storage: Storage) -> None:
    (size,) = struct.unpack("<q", file.read(8))
    if size != storage.size:
        raise CheckpointError(
            f"Storage {short(storage.key)} has {size} elements, its tensors declare "
            f"{storage.size}."
        )
    storage.position = file.tell()
    if storage.num_bytes > file_size - storage.position:
        raise CheckpointError(
            f"Storage {short(storage.key)} declares {storage.num_bytes} bytes, but the "
            f"file ends after {file_size - storage.position}. It is truncated or "
            "damaged."
        )
    file.seek(storage.position + storage.num_bytes)
