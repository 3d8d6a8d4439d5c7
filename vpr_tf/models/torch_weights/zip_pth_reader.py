"""Reads the content of a `.pth` file in torch's zip format, without torch.

Since version 1.6 torch writes a zip archive of one folder, `<name>/data.pkl` with the
object and `<name>/data/<key>` with the raw bytes of each storage. Members are stored
as they are, so that their bytes can be read from the file itself.
"""

from __future__ import annotations

import struct
import zipfile
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from vpr_tf.models.torch_weights.checkpoint_tensors import (
    CheckpointError,
    Storages,
    short,
)
from vpr_tf.models.torch_weights.restricted_unpickler import unpickle

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED = 0x1
_UTF8_NAME = 0x800
# zipfile reads the directory at once; this is that of about 50,000 tensors.
_LONGEST_DIRECTORY_BYTES = 4 * 2**20


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
    if "data.pkl" not in members:
        raise CheckpointError(
            "The zip archive has no data.pkl: torch did not write it."
        )
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
    if signature != _LOCAL_SIGNATURE or name != info.orig_filename:
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
