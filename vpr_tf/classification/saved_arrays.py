"""Heads as two files: `classifier.json` and `classifier.npz`, nothing pickled."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.atomic_files import replace_file, write_json
from vpr_tf.classification.errors import ClassificationError

FORMAT_VERSION = 1
INFO_FILE = "classifier.json"
ARRAYS_FILE = "classifier.npz"


def write_arrays(
    folder: Path, arrays: dict[str, np.ndarray], content: dict[str, Any]
) -> None:
    """Writes both files, the JSON file, which holds the other's checksum, last.

    Args:
        folder: Existing or new folder.
        arrays: By name; a slash makes parts.
        content: Of the JSON file, besides format and checksum.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ARRAYS_FILE
    with replace_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    write_json(
        folder / INFO_FILE,
        {"format_version": FORMAT_VERSION, **content, "sha256": checksum},
    )


def read_arrays(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Reads what `write_arrays` wrote.

    Raises:
        ClassificationError: A file is missing, damaged or of another format.
    """
    content = read_info(folder)
    path = folder / ARRAYS_FILE
    try:
        if hashlib.sha256(path.read_bytes()).hexdigest() != content.get("sha256"):
            raise ValueError("its checksum differs")
        with np.load(path, allow_pickle=False) as file:
            return dict(file), content
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise damaged(folder, error) from error


def read_info(folder: Path) -> dict[str, Any]:
    """Reads the JSON file alone.

    Raises:
        ClassificationError: It is missing, damaged or of another format.
    """
    path = folder / INFO_FILE
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except OSError as error:
        raise ClassificationError(
            f"No heads at {folder}: {INFO_FILE} is missing. A run keeps its heads in "
            "best/classifier when `evaluation.method` is classification."
        ) from error
    except ValueError as error:
        raise ClassificationError(f"{path} is not valid JSON: {error}") from error
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != FORMAT_VERSION:
        raise ClassificationError(
            f"{path} must have format_version {FORMAT_VERSION}. Received: {version!r}. "
            "Export the heads again."
        )
    return content


def damaged(folder: Path, error: Exception) -> ClassificationError:
    """Returns the error of heads that cannot be read."""
    return ClassificationError(
        f"Cannot read the heads {folder / ARRAYS_FILE}: {error}. Copy the folder "
        "again, or export it from its run."
    )


def part(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Returns the arrays whose names begin with a prefix, named without it."""
    return {
        name.removeprefix(prefix): value
        for name, value in arrays.items()
        if name.startswith(prefix)
    }
