"""Reads the `dbStruct` of a MATLAB file and prints it as JSON: a program of its own.

scipy reads the format in compiled code that a damaged file can end with a segmentation
fault, so `matlab.py` lets this program read, which may end in any way. It imports
nothing of the project: it starts quickly.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

import numpy as np

MOST_MEMORY_BYTES = 8 << 30  # a damaged file may ask for any
_NUM_FIELDS = 5  # that are read; the first is the name of the set


class WrongFileError(ValueError):
    """The file holds something else."""


def read(path: str) -> dict[str, Any]:
    """Returns names and UTM positions of database and queries.

    Raises:
        WrongFileError: A field is missing or of another kind.
        Exception: Whatever scipy raises on a damaged file.
    """
    from scipy.io import loadmat

    struct = loadmat(path, variable_names=["dbStruct"]).get("dbStruct")
    is_struct = isinstance(struct, np.ndarray) and struct.dtype.names is not None
    if not is_struct or struct.size != 1 or len(struct.dtype.names) < _NUM_FIELDS:
        raise WrongFileError("it has no struct `dbStruct` of five fields or more")
    fields = tuple(struct.item())
    return {
        what: {"names": _texts(what, fields[names]), "utm_m": _pairs(what, fields[utm])}
        for what, names, utm in (("database", 1, 2), ("queries", 3, 4))
    }


def _texts(what: str, cells: Any) -> list[str]:
    """Returns the texts of a cell array, each in an array of its own."""
    texts = []
    for cell in np.ravel(cells):
        while isinstance(cell, np.ndarray) and cell.size == 1:
            cell = cell.item()
        if not isinstance(cell, str) or not cell:
            raise WrongFileError(f"a name of the {what} is no text")
        texts.append(cell)
    return texts


def _pairs(what: str, utm: Any) -> list[list[float]]:
    """Returns east and north of each photo."""
    numbers = np.asarray(utm)
    is_numeric = numbers.dtype.kind in "fiu" and numbers.ndim == 2
    if not is_numeric or numbers.shape[0] != 2 or not np.isfinite(numbers).all():
        raise WrongFileError(f"the positions of the {what} are no 2 x n finite numbers")
    found: list[list[float]] = numbers.T.astype(float).tolist()
    return found


def main() -> None:
    """Prints what the file of the command line holds, or what is wrong with it."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    try:
        answer = read(sys.argv[1])
    except WrongFileError as error:
        answer = {"problem": str(error)}
    except Exception as error:  # of scipy, which names no list of them
        answer = {"problem": f"it cannot be read ({error})"}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
