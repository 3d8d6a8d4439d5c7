"""The `dbStruct` of a MATLAB file: names and UTM positions of database and queries."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_prep.errors import DataPrepError

_LARGEST_BYTES = 256 << 20  # the largest published one has a few MB
_NUM_FIELDS = 5  # that are read; the first is the name of the set


class PlacedNames(NamedTuple):
    """Names of photos, and UTM east and north of each, metres as text."""

    names: list[str]
    positions: list[tuple[str, str]]


def read_db_struct(path: Path) -> tuple[PlacedNames, PlacedNames]:
    """Reads names and positions of database and queries.

    The file comes from a stranger: what is read are numbers and text, nothing of it
    is run, and every field is checked.

    Args:
        path: A `.mat` file of version 5, with the variable `dbStruct`.

    Returns:
        The database, then the queries.

    Raises:
        DataPrepError: It is no such file.
    """
    fields = _fields(path)
    found = []
    for what, names, utm in (("database", 1, 2), ("queries", 3, 4)):
        placed = PlacedNames(
            _texts(path, what, fields[names]), _pairs(path, what, fields[utm])
        )
        if len(placed.names) != len(placed.positions):
            raise _wrong(
                path,
                f"{len(placed.names):,} {what} have names and "
                f"{len(placed.positions):,} have positions",
            )
        found.append(placed)
    return found[0], found[1]


def _fields(path: Path) -> tuple[Any, ...]:
    from scipy.io import loadmat

    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise _wrong(path, "it is too large")
        # Whatever the reader raises on a damaged file, of which it names no list.
        loaded = loadmat(str(path), variable_names=["dbStruct"])
    except DataPrepError:
        raise
    except Exception as error:
        raise _wrong(path, f"it cannot be read ({error})") from error
    struct = loaded.get("dbStruct")
    is_struct = isinstance(struct, np.ndarray) and struct.dtype.names is not None
    if not is_struct or struct.size != 1 or len(struct.dtype.names) < _NUM_FIELDS:
        raise _wrong(path, "it has no struct `dbStruct` of five fields or more")
    return tuple(struct.item())


def _texts(path: Path, what: str, cells: Any) -> list[str]:
    """Returns the texts of a cell array, each in an array of its own."""
    texts = []
    for cell in np.ravel(cells):
        while isinstance(cell, np.ndarray) and cell.size == 1:
            cell = cell.item()
        if not isinstance(cell, str) or not cell:
            raise _wrong(path, f"a name of the {what} is no text")
        texts.append(cell)
    return texts


def _pairs(path: Path, what: str, utm: Any) -> list[tuple[str, str]]:
    numbers = np.asarray(utm)
    is_numeric = numbers.dtype.kind in "fiu" and numbers.ndim == 2
    if not is_numeric or numbers.shape[0] != 2 or not np.isfinite(numbers).all():
        raise _wrong(path, f"the positions of the {what} are no 2 x n finite numbers")
    return [
        (repr(east), repr(north)) for east, north in numbers.T.astype(float).tolist()
    ]


def _wrong(path: Path, why: str) -> DataPrepError:
    return DataPrepError(f"{path} is no list of photos: {why}. Get the file again.")
