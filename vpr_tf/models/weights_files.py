"""Says what a file is that should hold weights, by its first bytes."""

from __future__ import annotations

from pathlib import Path

from vpr_tf.models.torch_weights.checkpoint_objects import CheckpointError

TORCH = "a checkpoint of torch"
SAFETENSORS = "a safetensors file"
KERAS = "a .keras file"
HDF5 = "an HDF5 file"
NPZ = "a file of NumPy arrays (.npz)"
_ZIP = "a zip archive"  # of which the first member tells nothing

_START_BYTES = 4096
_SAFETENSORS_START = 8  # bytes before the "{" of its header
_ZIP_NAME = slice(30, 286)  # of the first member
_KERAS_MEMBERS = (b"metadata.json", b"config.json", b"model.weights.h5")
_PAGE_STARTS = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<body", b"<!--")
_LFS_START = b"version https://git-lfs"
_SIGNATURES = (
    (b"\x89HDF\r\n\x1a\n", HDF5),
    (b"\x80", TORCH),  # a pickle
    (b"\x93NUMPY", "a NumPy array (.npy)"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x89PNG", "a PNG image"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
)
_REMEDIES = {
    TORCH: "Convert it first: vpr convert --checkpoint FILE --output NAME.keras.",
    SAFETENSORS: "Convert it first: vpr convert --checkpoint FILE --output NAME.keras.",
    KERAS: "Give it a name that ends in .keras and pass it where a .keras is taken.",
    HDF5: "Weights that Keras saved have a name that ends in .weights.h5.",
}


def check_weights_file(path: Path, *expected: str) -> str:
    """Checks that a file starts as a file of weights does, and returns its kind.

    Args:
        path: The file.
        expected: What it may be: some of `TORCH`, `SAFETENSORS`, `KERAS`, `HDF5`,
            `NPZ`.

    Raises:
        OSError: It cannot be read.
        CheckpointError: It is surely something else; the message says what, and what to
            do.
    """
    kind = weights_file_kind(path)
    if kind in expected or (kind == _ZIP and expected != (HDF5,)):
        return kind
    remedy = f" {_REMEDIES[kind]}" if kind in _REMEDIES else ""
    if len(expected) > 1:
        names = f"{', '.join(expected[:-1])} or {expected[-1]}"
    else:
        names = expected[0]
    raise CheckpointError(f"{path} must be {names}. Received: {kind}.{remedy}")


def weights_file_kind(path: Path) -> str:
    """Returns what a file is, for people.

    Args:
        path: The file.

    Returns:
        `TORCH` (also of any other pickle), `SAFETENSORS`, `KERAS`, `HDF5`, `NPZ`, or
        the words for anything else.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(_START_BYTES)
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if not start:
        return "an empty file; its download or copy failed, repeat it"
    if text.startswith(_PAGE_STARTS):
        return (
            "a web page, e.g. of a refused download; open the link in a browser and "
            "save the file itself"
        )
    if text.startswith(_LFS_START):
        return (
            "a Git LFS pointer, which stands for the file; run `git lfs pull` in its "
            "repository"
        )
    if start.startswith(b"PK\x03\x04"):
        return _zip_kind(start[_ZIP_NAME])
    if _is_text(start):
        return "a text file"
    if start[_SAFETENSORS_START : _SAFETENSORS_START + 1] == b"{":
        return SAFETENSORS
    known = (kind for sign, kind in _SIGNATURES if start.startswith(sign))
    return next(known, "a file of an unknown kind, or a damaged one")


def _zip_kind(name: bytes) -> str:
    if name.startswith(_KERAS_MEMBERS):
        return KERAS
    if b"/data.pkl" in name:
        return TORCH
    return NPZ if b".npy" in name else _ZIP


def _is_text(start: bytes) -> bool:
    """Whether bytes are UTF-8 without control characters; the end may be cut."""
    try:
        text = start.decode()
    except UnicodeDecodeError as error:
        if error.start < len(start) - 3:
            return False
        text = start[: error.start].decode()
    return all(character.isprintable() or character in "\n\r\t" for character in text)
