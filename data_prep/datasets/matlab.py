"""The `dbStruct` of a MATLAB file: names and UTM positions of database and queries."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from data_prep.errors import DataPrepError
from vpr_tf.stored_values import StoredValueError, parse_json

_READER = Path(__file__).with_name("matlab_reader.py")
_LARGEST_BYTES = 256 << 20  # the largest published one has a few MB
_MOST_SECONDS = 600


class PlacedNames(NamedTuple):
    """Names of photos, and UTM east and north of each, metres as text."""

    names: list[str]
    positions: list[tuple[str, str]]


def read_db_struct(path: Path) -> tuple[PlacedNames, PlacedNames]:
    """Reads names and positions of database and queries.

    The file comes from a stranger: a program of its own reads it, see
    `matlab_reader.py`; what it holds are numbers and text, nothing of it is run.

    Args:
        path: A `.mat` file of version 5, with the variable `dbStruct`.

    Returns:
        The database, then the queries.

    Raises:
        DataPrepError: It is no such file.
    """
    answer = _answer(path)
    if "problem" in answer:
        raise _wrong(path, answer["problem"])
    found = []
    for what in ("database", "queries"):
        names, utm_m = answer[what]["names"], answer[what]["utm_m"]
        if len(names) != len(utm_m):
            raise _wrong(
                path,
                f"{len(names):,} {what} have names and {len(utm_m):,} have positions",
            )
        positions = [(repr(east), repr(north)) for east, north in utm_m]
        found.append(PlacedNames(names, positions))
    return found[0], found[1]


def _answer(path: Path) -> dict[str, Any]:
    """Returns what the reader says of a file."""
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise _wrong(path, "it is too large")
        done = subprocess.run(
            [sys.executable, "-I", "-W", "ignore", str(_READER), str(path.resolve())],
            capture_output=True,
            timeout=_MOST_SECONDS,
            check=False,
        )
        answer = parse_json(done.stdout) if done.returncode == 0 else None
    except (OSError, StoredValueError, subprocess.TimeoutExpired) as error:
        raise _wrong(path, f"it cannot be read ({error})") from error
    if not isinstance(answer, dict):
        raise _wrong(path, "it is damaged: reading it ended the program that read it")
    return answer


def _wrong(path: Path, why: str) -> DataPrepError:
    return DataPrepError(f"{path} is no list of photos: {why}. Get the file again.")
