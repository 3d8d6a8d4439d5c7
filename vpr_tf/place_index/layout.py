"""Names in an index folder; what bears another one is not of this program."""

from __future__ import annotations

import re
from pathlib import Path

from vpr_tf.search import IndexMismatchError
from vpr_tf.stored_paths import StoredPathError, inside

MANIFEST_FILE = "manifest.json"
SIGNATURE_FILE = "manifest.sig"
SEGMENTS_FOLDER = "segments"
ENCODER_FOLDER = "encoder"
ONNX_COPY = f"{ENCODER_FOLDER}/encoder.onnx"
CLASSIFIER_FOLDER = "classifier"
TUNING_FOLDER = "tuning"
_SEGMENT = re.compile(rf"{SEGMENTS_FOLDER}/([0-9]{{8}})")
_REMOVED_FILE = re.compile(r"removed-([0-9]{8})\.npy")


def segment_name(generation: int) -> str:
    """Returns the path of the segment that a change may write."""
    return f"{SEGMENTS_FOLDER}/{generation:08d}"


def removed_file_name(generation: int) -> str:
    """Returns the path of the list of removed rows that a change may write."""
    return f"removed-{generation:08d}.npy"


def generation_of(name: str) -> int | None:
    """Returns the change that wrote a segment or a list of removed rows.

    None for all other paths, relative to the index.
    """
    found = _SEGMENT.fullmatch(name) or _REMOVED_FILE.fullmatch(name)
    return int(found[1]) if found else None


def index_path(folder: Path, *names: str) -> Path:
    """Returns a path in an index; see `inside`.

    Raises:
        IndexMismatchError: It leads out of the index, or something on the way is a
            link.
    """
    try:
        return inside(folder, *names)
    except StoredPathError as error:
        raise IndexMismatchError(str(error)) from error


def misfit(path: Path, reason: object) -> IndexMismatchError:
    """Returns the error of a file that is not what an index holds, as its maker has it.

    Checksums say that nothing changed since; they can be made to fit by anyone.
    """
    return IndexMismatchError(
        f"{path} cannot be part of an index, though its checksum fits: {reason}. Get "
        "the index from whoever made it once more, or build it again."
    )
