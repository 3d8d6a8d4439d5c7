"""The best weights of a run, compared with what was written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vpr_tf.stored_files import StoredFile
from vpr_tf.stored_paths import inside
from vpr_tf.stored_values import from_stored, read_json

BEST_WEIGHTS = Path("best") / "encoder.weights.h5"
BEST_INFO = Path("best") / "best.json"  # written after the weights


@dataclass(frozen=True)
class _Info:
    weights: StoredFile | None = None  # of runs of former versions it is not known


def checked_best_weights(run: Path) -> Path:
    """Returns the file with the best weights of a run, whose checksum fits.

    HDF5 has none of its own: a damaged file would give other descriptors.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is damaged, or a link leads to it.
    """
    weights, info = inside(run, str(BEST_WEIGHTS)), inside(run, str(BEST_INFO))
    if not weights.is_file():
        raise FileNotFoundError(
            f"The run {run} has no best model yet ({BEST_WEIGHTS} is missing). It is "
            "written after the first validation."
        )
    if not info.is_file():
        return weights
    try:
        expected = from_stored(_Info, read_json(info), more=True).weights
    except ValueError as error:
        raise ValueError(f"{info} is damaged: {error}. {_REMEDY}") from error
    problem = expected and expected.problem(weights)
    if problem:
        raise ValueError(f"{weights} is damaged: it {problem}. {_REMEDY}")
    return weights


_REMEDY = "Put the folder best/ back from a copy, or train again."
