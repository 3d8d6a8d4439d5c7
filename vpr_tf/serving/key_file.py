"""The keys of the users of a service: a file of their hashes.

A key is 256 random bits, so that its sha256 tells nothing of it: slow hashes are for
what people think up. Keys themselves are nowhere stored; whoever lost one gets another.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import fcntl
import hashlib
import hmac
import json
import logging
import os
import re
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpr_tf.atomic_files import replace_file
from vpr_tf.stored_values import StoredValueError, from_stored, parse_json

_LOG = logging.getLogger("vpr_tf.serving")
QUERY, METRICS, ADMIN = "query", "metrics", "admin"
ROLES = (QUERY, METRICS, ADMIN)
MOST_KEYS = 1000
DEFAULT_RATE = 60.0
MOST_RATE = 1e6
_FORMAT_VERSION = 1
_MOST_BYTES = 1 << 20
_START = "vpr_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH = re.compile(r"[0-9a-f]{64}")
_READABLE, _WRITABLE = 0o044, 0o022


class KeyFileError(ValueError):
    """A file of keys that cannot be used, or a key that cannot be made."""


@dataclass(frozen=True)
class Key:
    """What is known of a key.

    Attributes:
        name: Of its user.
        role: `query` asks, `metrics` reads figures, `admin` may do all.
        sha256: Of the key, in hexadecimal.
        photos_per_minute: How many may be sent.
        created: When, ISO 8601 in UTC.
    """

    name: str
    role: str
    sha256: str
    photos_per_minute: float
    created: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise KeyFileError(
                "The name of a key must be 1 to 64 letters, digits, points, - and _. "
                f"Received: {self.name[:80]!a}"
            )
        if self.role not in ROLES:
            raise KeyFileError(
                f"The role of a key must be {', '.join(ROLES)}. Received: "
                f"{self.role[:80]!a}"
            )
        if not 0 < self.photos_per_minute <= MOST_RATE:
            raise KeyFileError(
                f"The photos a minute must be above 0, at most {MOST_RATE:g}. "
                f"Received: {self.photos_per_minute}"
            )
        if not _HASH.fullmatch(self.sha256):
            raise KeyFileError(f"The key {self.name} has no sha256.")


def read_keys(path: Path) -> list[Key]:
    """Returns the keys of a file.

    A file that others may read is warned of: it says who has keys. One that they may
    write is refused: they could give themselves a key.

    Raises:
        KeyFileError: It is missing, damaged, or others may write it.
    """
    try:
        with path.open("rb") as file:
            _check_mode(path, os.fstat(file.fileno()))
            text = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise KeyFileError(
            f"The keys in {path} cannot be read: {error.strerror}. Make a key by `vpr "
            f"keys add --file {path} --name NAME`."
        ) from error
    try:
        return _parse(text)
    except (KeyFileError, StoredValueError, ValueError) as error:
        raise KeyFileError(
            f"{path} is no file of keys: {error}. Restore it, or delete it and make "
            "new keys by `vpr keys add`."
        ) from error


def _parse(text: bytes) -> list[Key]:
    if len(text) > _MOST_BYTES:
        raise KeyFileError(f"it has more than {_MOST_BYTES} bytes")
    content = parse_json(text)
    if not isinstance(content, dict) or content.get("format_version") != 1:
        raise KeyFileError(f"it must have format_version {_FORMAT_VERSION}")
    entries = content.get("keys")
    if not isinstance(entries, list) or len(entries) > MOST_KEYS:
        raise KeyFileError(f"it must have at most {MOST_KEYS} `keys`")
    keys = [from_stored(Key, one, f"keys[{row}]") for row, one in enumerate(entries)]
    names = [key.name for key in keys]
    if len(set(names)) < len(names):
        raise KeyFileError("two keys have the same name")
    return keys


def _check_mode(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise KeyFileError(f"{path} must be a file.")
    if status.st_mode & _WRITABLE or status.st_uid not in (0, os.geteuid()):
        raise KeyFileError(
            f"Others can write {path}, and could give themselves a key. Make it yours "
            f"and forbid them by `chmod 600 {path}`."
        )
    if status.st_mode & _READABLE:
        _LOG.warning("Others can read who has keys: forbid it by `chmod 600 %s`.", path)


def add_key(path: Path, name: str, role: str, photos_per_minute: float) -> str:
    """Makes a key and notes its hash; the file is made if it is missing.

    Args:
        path: The file of keys.
        name: Of the user.
        role: See `Key`.
        photos_per_minute: See `Key`.

    Returns:
        The key, which is stored nowhere.

    Raises:
        KeyFileError: The file is damaged, or has a key of that name; or name, role or
            rate cannot be.

    Example:
        >>> from pathlib import Path
        >>> from vpr_tf.serving.key_file import add_key, find_key, read_keys
        >>> text = add_key(Path("keys.json"), "phone", "query", 60)
        >>> find_key(read_keys(Path("keys.json")), text).name
        'phone'
    """
    text = _START + secrets.token_urlsafe(32)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    key = Key(name, role, _hash(text), photos_per_minute, now)
    with _locked(path.parent):
        keys = read_keys(path) if path.exists() else []
        if any(other.name == name for other in keys):
            raise KeyFileError(
                f"{path} has a key of the name {name} already. Remove it first by `vpr "
                f"keys remove --file {path} --name {name}`, or choose another name."
            )
        if len(keys) == MOST_KEYS:
            raise KeyFileError(f"{path} has {MOST_KEYS} keys, as many as it can hold.")
        _write(path, [*keys, key])
    return text


def remove_key(path: Path, name: str) -> Key:
    """Removes a key, which running services refuse from now on.

    Raises:
        KeyFileError: The file is missing or damaged, or has no such key.
    """
    with _locked(path.parent):
        keys = read_keys(path)
        for key in keys:
            if key.name == name:
                _write(path, [other for other in keys if other is not key])
                return key
    raise KeyFileError(
        f"{path} has no key of the name {name[:80]!a}. `vpr keys list --file {path}` "
        "names them."
    )


def find_key(keys: list[Key], text: str) -> Key | None:
    """Returns what is known of a key; None if nothing.

    All are compared, in constant time.

    Args:
        keys: Of a file.
        text: The key, as a user sent it.
    """
    digest, found = _hash(text), None
    for key in keys:
        if hmac.compare_digest(key.sha256, digest):
            found = key
    return found


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _write(path: Path, keys: list[Key]) -> None:
    content: dict[str, Any] = {"format_version": _FORMAT_VERSION}
    content["keys"] = [dataclasses.asdict(key) for key in keys]
    with replace_file(path) as temporary:
        temporary.chmod(0o600)
        temporary.write_text(json.dumps(content, indent=2) + "\n")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lets one process at a time change the keys of a folder."""
    try:
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise KeyFileError(
            f"There is no folder {folder} for keys: {error.strerror}. Make it."
        ) from error
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)
