"""A built index in a folder of its own, beside the descriptors that it was built of."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpr_tf.atomic_files import new_folder
from vpr_tf.search.descriptors import Descriptors
from vpr_tf.search.errors import IndexMismatchError
from vpr_tf.search.index_kinds import INDEX_KINDS
from vpr_tf.search.search_index import SearchIndex
from vpr_tf.stored_files import StoredFile, store_folder
from vpr_tf.stored_paths import StoredPathError, files_inside, inside
from vpr_tf.stored_values import from_stored, read_json

_DESCRIPTION_FILE = "index.json"
_FORMAT_VERSION = 3


def save_index(
    index: SearchIndex, folder: str | Path, descriptors_fingerprint: str
) -> Path:
    """Writes a folder without the descriptors; replaces a former one.

    Args:
        index: The index.
        folder: Folder to write; appears under its name when complete.
        descriptors_fingerprint: Identity of the descriptors: encoder, images and all
            that determines them.

    Raises:
        OSError: There is something else, or no space.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with new_folder(folder) as unfinished:
        index.write(unfinished)
        files = {name: file.sha256 for name, file in store_folder(unfinished).items()}
        description = {
            "format_version": _FORMAT_VERSION,
            "kind": index.kind,
            "settings": index.settings,
            "num_images": index.num_images,
            "descriptor_dim": index.descriptor_dim,
            "descriptors_fingerprint": descriptors_fingerprint,
            "files": files,
        }
        text = json.dumps(description, indent=2) + "\n"
        (unfinished / _DESCRIPTION_FILE).write_text(text)
        _delete_former(folder)
        unfinished.rename(folder)
    return folder


def _delete_former(folder: Path) -> None:
    """Deletes an index, whole or damaged, and nothing else."""
    is_index = folder.is_dir() and inside(folder, _DESCRIPTION_FILE).is_file()
    if is_index and not folder.is_symlink():
        shutil.rmtree(folder)


def load_saved_index(
    folder: str | Path, descriptors: Descriptors, descriptors_fingerprint: str
) -> SearchIndex:
    """Reads an index of any kind that `save_index` wrote.

    Args:
        folder: The folder.
        descriptors: The descriptors that it was built of.
        descriptors_fingerprint: Their identity.

    Raises:
        IndexMismatchError: The folder is damaged, or is of other descriptors.
    """
    folder = Path(folder)
    description = _read_description(folder)
    expected = {
        "num_images": descriptors.shape[0],
        "descriptor_dim": descriptors.shape[1],
        "descriptors_fingerprint": descriptors_fingerprint,
    }
    for name, value in expected.items():
        if getattr(description, name) != value:
            raise IndexMismatchError(
                f"The index {folder} is of other descriptors: {name} must be {value}. "
                f"Received: {getattr(description, name)}. Build it again."
            )
    # A damaged file could crash the library that reads it.
    if not _is_intact(folder, description.files):
        raise IndexMismatchError(
            f"The files of the index {folder} are not those that were written. Build "
            "it again."
        )
    kind = description.kind
    if kind not in INDEX_KINDS:
        raise IndexMismatchError(
            f"{folder} holds an index of the unknown kind {kind!r}; known are "
            f"{', '.join(INDEX_KINDS)}. Build it again."
        )
    return INDEX_KINDS[kind].read(folder, descriptors, description.settings)


def _is_intact(folder: Path, sha256s: dict[str, str]) -> bool:
    try:
        paths = {inside(folder, name): sha256 for name, sha256 in sha256s.items()}
        held = set(files_inside(folder))
    except StoredPathError:
        return False
    return held == {*paths, folder / _DESCRIPTION_FILE} and not any(
        StoredFile(path.stat().st_size, 0, sha256).problem(path, "sha256")
        for path, sha256 in paths.items()
    )


@dataclass(frozen=True)
class _Description:
    kind: str
    settings: dict[str, Any]
    num_images: int
    descriptor_dim: int
    descriptors_fingerprint: str
    files: dict[str, str]


def _read_description(folder: Path) -> _Description:
    path = folder / _DESCRIPTION_FILE
    try:
        inside(folder, _DESCRIPTION_FILE)
        content = read_json(path)
        version = content.get("format_version") if isinstance(content, dict) else None
        if version == _FORMAT_VERSION:
            return from_stored(_Description, content, more=True)
    except (OSError, ValueError) as error:
        raise IndexMismatchError(f"No index at {folder}: {error}") from error
    raise IndexMismatchError(
        f"{path} has format_version {version!r}; this program reads "
        f"{_FORMAT_VERSION}. Build the index again."
    )
