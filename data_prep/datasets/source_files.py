"""Files of a dataset, read with every field checked: they come from strangers."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_prep.errors import DataPrepError
from vpr_tf.atomic_files import scratch_folder
from vpr_tf.photos import PhotoSource
from vpr_tf.photos.file_kinds import SkippedFiles

_LONGEST_TEXT_BYTES = 64 << 20  # of a list that is read at once


def csv_rows(
    path: Path, columns: Sequence[str], more: Sequence[str] = ()
) -> Iterator[dict[str, str]]:
    """Yields the rows of a CSV file of a dataset.

    Args:
        path: The file, in UTF-8, with a header.
        columns: What it must have.
        more: What is taken as well where it is there; empty where it is not.

    Raises:
        DataPrepError: It cannot be read, lacks a column, or a row is too short.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [name.strip() for name in next(reader, [])]
            missing = [name for name in columns if name not in header]
            if missing:
                raise DataPrepError(
                    f"{path} must have the columns {', '.join(columns)}. Received: "
                    f"{', '.join(header) or 'no header'}. Get the file again."
                )
            places = {n: header.index(n) for n in (*columns, *more) if n in header}
            nothing = dict.fromkeys(more, "")
            for row in reader:
                if not row:
                    continue
                if len(row) != len(header):
                    raise DataPrepError(
                        f"{path}, line {reader.line_num}: the row has more or fewer "
                        "fields than the header. Get the file again."
                    )
                found = {name: row[place].strip() for name, place in places.items()}
                yield nothing | found
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataPrepError(
            f"{path} cannot be read: {reason}. Unpack the tables of the dataset again."
        ) from error


def text_lines(path: Path) -> list[str]:
    """Returns the lines of a text of a dataset that are not empty.

    Raises:
        DataPrepError: It cannot be read, or is no list of names by its size.
    """
    try:
        if path.stat().st_size > _LONGEST_TEXT_BYTES:
            raise DataPrepError(f"{path} is too large for a list. Get the file again.")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataPrepError(f"{path} cannot be read: {error}.") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def photos_in(source: Path, folder: str) -> Iterator[str]:
    """Yields the photos below a folder in sorted order, relative to the source.

    Args:
        source: The source folder.
        folder: Below it; files that are no photos by their names are left out. A list
            `<folder>_images_paths.txt` beside it says what its photos are.
    """
    with scratch_folder("datasets") as scratch:
        for path, _ in PhotoSource(source / folder).walk(scratch, SkippedFiles()):
            yield f"{folder}/{path}" if folder else path


def first_existing(source: Path, names: Sequence[str]) -> str | None:
    """Returns the first of several files or folders that is there."""
    return next((name for name in names if (source / name).exists()), None)
