"""Reads checkpoints of any known format and kind, recognised by their content.

Since version 1.6 torch writes a zip archive of one folder, `<name>/data.pkl` with the
object and `<name>/data/<key>` with the raw bytes of each storage. Members are stored
as they are, so that their bytes can be read from the file itself. The legacy format is
a row of pickles (magic number, protocol version, system information, the object, the
keys of the storages) followed by the storages: a count of elements and the raw bytes.
"""

from __future__ import annotations

import struct
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from vpr_tf.models.torch_weights.checkpoint_objects import (
    CheckpointError,
    Storage,
    Storages,
    Tensor,
    read_tensor,
    short,
)
from vpr_tf.models.torch_weights.restricted_unpickler import unpickle
from vpr_tf.models.torch_weights.safetensors_reader import read_safetensors
from vpr_tf.models.torch_weights.state_dict import without_parallel_prefix
from vpr_tf.models.weights_files import SAFETENSORS, TORCH, check_weights_file

_ZIP_START = b"PK\x03\x04"  # of the archive and of each member in it
# CosPlace's and Divide&Classify's training checkpoints, Lightning's.
_ENCODER_KEYS = ("model_state_dict", "state_dict")
_HEADS_KEY = "classifiers_state_dict"
_DAMAGES = (
    zipfile.BadZipFile,
    NotImplementedError,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_ENCRYPTED = 0x1
_UTF8_NAME = 0x800
# zipfile reads the directory at once; this is that of about 50,000 tensors.
_LONGEST_DIRECTORY_BYTES = 4 * 2**20
# Of the legacy format.
_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL_VERSION = 1001


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds of a model.

    Attributes:
        state_dict: The encoder's arrays by name, in the order of the file.
        heads: The class centres of each group's head,
            `(num_classes, descriptor_dim)`; empty unless it is a training checkpoint.
    """

    state_dict: dict[str, np.ndarray]
    heads: list[np.ndarray] = field(default_factory=list)


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Reads a safetensors file or a `.pth` of torch, and nothing of it runs.

    A `.pth` may have either of torch's formats (zip or legacy) and be a bare state
    dict, a training checkpoint of CosPlace or Divide&Classify (`model_state_dict`,
    `classifiers_state_dict`) or one of Lightning (`state_dict`). A `module.` before
    every name is dropped. The suffix of the file does not matter.

    Args:
        path: The file.

    Returns:
        Arrays with the dtypes of the file; bfloat16 becomes float32. They are
        read-only.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: The file is of no such kind, damaged, or names anything
            but weights and plain data.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No checkpoint at {path}. Correct the path.")
    if check_weights_file(path, TORCH, SAFETENSORS) == SAFETENSORS:
        return Checkpoint(without_parallel_prefix(read_safetensors(path)))
    with path.open("rb") as file:
        is_zip = file.read(len(_ZIP_START)) == _ZIP_START
        file.seek(0)
        try:
            return _read_pth(file, path.stat().st_size, is_zip)
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from error
        except _DAMAGES as error:
            raise CheckpointError(
                f"{path} is not a readable checkpoint (.pth of torch or safetensors): "
                f"{str(error) or type(error).__name__}"
            ) from error


def read_one_tensor(path: Path) -> np.ndarray:
    """Reads a `.pth` in torch's zip format that holds one tensor and nothing else.

    Args:
        path: The file.

    Raises:
        OSError: It cannot be read.
        CheckpointError: It holds something else, or is damaged.
    """
    check_weights_file(path, TORCH)
    with path.open("rb") as file:
        try:
            content = read_zip_content(file, path.stat().st_size)
            if isinstance(content, Tensor):
                return read_tensor("the tensor", content, file)
        except _DAMAGES as error:
            raise CheckpointError(f"{path} is not a readable .pth: {error}") from error
    raise CheckpointError(
        f"{path} must hold one tensor. Received: {type(content).__name__}"
    )


def _read_pth(file: BinaryIO, file_size: int, is_zip: bool) -> Checkpoint:
    read_content = read_zip_content if is_zip else read_legacy_content
    content = read_content(file, file_size)
    if not isinstance(content, dict):
        raise CheckpointError(
            f"It must hold a state dict. Received: {type(content).__name__}"
        )
    encoder = next((content[key] for key in _ENCODER_KEYS if key in content), content)
    heads = content.get(_HEADS_KEY, []) if encoder is not content else []
    return Checkpoint(
        without_parallel_prefix(_read_state_dict(encoder, file)),
        _read_heads(heads, file),
    )


def _read_state_dict(state_dict: Any, file: BinaryIO) -> dict[str, np.ndarray]:
    if not isinstance(state_dict, dict) or not state_dict:
        raise CheckpointError("Its state dict is empty or none.")
    others = [
        str(name)
        for name, value in state_dict.items()
        if not (isinstance(name, str) and isinstance(value, Tensor))
    ]
    if others:
        raise CheckpointError(
            "It must hold a flat state dict, {name: tensor}, by itself or as "
            f"{' or '.join(_ENCODER_KEYS)}. No tensors by name are: "
            f"{', '.join(short(name) for name in others[:5])}. Save the encoder's "
            "state dict alone: torch.save(model.state_dict(), file)."
        )
    return {
        name: read_tensor(name, tensor, file) for name, tensor in state_dict.items()
    }


def _read_heads(heads: Any, file: BinaryIO) -> list[np.ndarray]:
    if not isinstance(heads, (list, tuple)):
        raise CheckpointError(f"`{_HEADS_KEY}` must be a list of state dicts.")
    centres = []
    for number, head in enumerate(heads):
        arrays = without_parallel_prefix(_read_state_dict(head, file))
        if list(arrays) != ["weight"] or arrays["weight"].ndim != 2:
            raise CheckpointError(
                f"Head {number} must hold one matrix, `weight`. Received: "
                f"{', '.join(f'{short(k)} {v.shape}' for k, v in arrays.items())}"
            )
        centres.append(arrays["weight"])
    return centres


@dataclass(frozen=True)
class _Member:
    """Bytes of a member inside the file."""

    position: int
    size: int
    crc32: int


def read_zip_content(file: BinaryIO, file_size: int) -> Any:
    """Reads the object; its tensors know where their storages lie.

    Args:
        file: The open file.
        file_size: Its length in bytes.

    Raises:
        CheckpointError: The archive is none that torch writes, or names anything
            but weights and plain data.
        Exception: Many kinds, when it is damaged.
    """
    members = _members(file, file_size)
    if "byteorder" in members and _bytes_of(file, members["byteorder"]) != b"little":
        raise CheckpointError("Only files of little-endian machines can be read.")
    storages = Storages()
    pickled = members["data.pkl"]
    file.seek(pickled.position)
    content = unpickle(file, pickled.position + pickled.size, storages.persistent_load)
    for key, storage in storages.by_key.items():
        member = members.get(f"data/{key}")
        if member is None:
            raise CheckpointError(f"The archive lacks the storage {short(key)}.")
        if member.size != storage.num_bytes:
            raise CheckpointError(
                f"Storage {short(key)} declares {storage.num_bytes} bytes, its member "
                f"has {member.size}."
            )
        storage.position, storage.crc32 = member.position, member.crc32
    return content


def _members(file: BinaryIO, file_size: int) -> dict[str, _Member]:
    """Finds the members by their names inside the archive's folder."""
    try:
        with zipfile.ZipFile(cast(Any, _BoundedFile(file, file_size))) as archive:
            infos, directory = archive.infolist(), archive.start_dir
    except OSError as error:  # a position before the start of the file
        raise CheckpointError(f"The zip directory is damaged: {error}") from error
    if not any(info.filename.endswith("/data.pkl") for info in infos):
        raise CheckpointError(
            "It is a zip archive that torch did not write: it has no data.pkl. "
            f"It holds {short(', '.join(info.filename for info in infos[:3]))}."
        )
    if any(info.filename.endswith("/constants.pkl") for info in infos):
        raise CheckpointError(
            "It is a TorchScript program. Save its weights alone: "
            "torch.save(module.state_dict(), file)."
        )
    members: dict[str, _Member] = {}
    folders = set()
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise CheckpointError("Members of the zip archive overlap.")
        member = _member(file, info)
        end = member.position + member.size
        if end > directory:
            raise CheckpointError(
                f"Member {short(info.filename)} declares {member.size} bytes, more "
                "than the file has."
            )
        folder, _, name = info.filename.partition("/")
        folders.add(folder)
        if name in members or not name or ".." in name.split("/"):
            raise CheckpointError(
                f"Member {short(info.filename)} of the zip archive has a name that "
                "torch does not give, or that occurs twice."
            )
        members[name] = member
    if len(folders) > 1:
        raise CheckpointError("The zip archive has more than one folder.")
    if "data.pkl" not in members:
        raise CheckpointError("Its data.pkl is not in the archive's folder.")
    return members


def _member(file: BinaryIO, info: zipfile.ZipInfo) -> _Member:
    if (
        info.compress_type != zipfile.ZIP_STORED
        or info.file_size != info.compress_size
        or info.flag_bits & _ENCRYPTED
    ):
        raise CheckpointError(
            f"Member {short(info.filename)} is compressed or encrypted; torch stores "
            "members as they are."
        )
    file.seek(info.header_offset)
    signature, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(
        file.read(_LOCAL_HEADER.size)
    )
    name = file.read(name_bytes).decode(
        "utf-8" if info.flag_bits & _UTF8_NAME else "cp437"
    )
    if signature != _ZIP_START or name != info.orig_filename:
        raise CheckpointError(
            f"Member {short(info.filename)} is not where it should be."
        )
    position = info.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
    return _Member(position, info.file_size, info.CRC)


def _bytes_of(file: BinaryIO, member: _Member) -> bytes:
    file.seek(member.position)
    return file.read(member.size)


class _BoundedFile:
    """Lets zipfile read no more than the file, nor a huge directory, has."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self.seek, self.tell = file.seek, file.tell
        self.seekable = file.seekable

    def read(self, count: int = -1) -> bytes:
        left = self._size - self._file.tell()
        count = left if count < 0 else count
        if count > min(left, _LONGEST_DIRECTORY_BYTES):
            raise CheckpointError(
                "The zip directory is larger than a checkpoint needs, or than the file."
            )
        return self._file.read(count)


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
