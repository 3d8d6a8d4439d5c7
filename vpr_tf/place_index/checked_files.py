"""Files of an index, compared with what was written before they are opened."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from vpr_tf.place_index.layout import index_path
from vpr_tf.place_index.manifest import RESTORE, EncoderIdentity
from vpr_tf.search import IndexMismatchError
from vpr_tf.stored_files import StoredFile
from vpr_tf.stored_paths import StoredPathError, files_inside


def check_file(
    folder: Path, name: str, file: StoredFile, *, size_only: bool = False
) -> None:
    """Compares a file of an index with what was written.

    Args:
        folder: The index, or a folder in it.
        name: Path of the file in it.
        file: What it must be.
        size_only: Whether its content is left out.

    Raises:
        IndexMismatchError: It is missing, damaged or a link.
    """
    path = index_path(folder, name)
    problem = file.problem(path, "size" if size_only else "crc32c")
    if problem:
        raise IndexMismatchError(f"{path} is damaged: it {problem}. {RESTORE}")


def check_folder(folder: Path, part: str, names: Collection[str]) -> None:
    """Looks for what is not of an index in a folder that a library opens as a whole.

    Args:
        folder: The index.
        part: Path of the folder in it.
        names: The files that the folder may hold, by path relative to the index.

    Raises:
        IndexMismatchError: There is a link, or another file.
    """
    try:
        paths = files_inside(folder, part)
    except StoredPathError as error:
        raise IndexMismatchError(str(error)) from error
    for path in paths:
        if path.relative_to(folder).as_posix() not in names:
            raise IndexMismatchError(
                f"{path} does not belong to the index. Move it elsewhere."
            )


def checked_encoder_path(
    folder: Path, encoder: EncoderIdentity, files: Mapping[str, StoredFile]
) -> Path:
    """Returns the path of an encoder that an index keeps.

    Raises:
        IndexMismatchError: A file is missing, damaged, a link or not of the index.
    """
    for name, file in files.items():
        check_file(folder, name, file)
    path = index_path(folder, str(encoder.file))
    part = path.parent.relative_to(folder).as_posix()
    check_folder(folder, part, files)
    return path
