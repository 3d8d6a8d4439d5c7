"""The file of predictions for a challenge whose ground truth its authors keep.

One line a query: its name, then those of its predictions, nearest first, with blanks
between. A name is that of the photo's file without folder and ending, the key by which
Mapillary names its photos.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from vpr_tf.atomic_files import replace_file
from vpr_tf.config import Protocol
from vpr_tf.evaluation.errors import EvaluationError
from vpr_tf.evaluation.results import EvaluationResult

SUBMISSION_FILE = "submission.txt"


def submitted_names(keys: np.ndarray) -> list[str]:
    """Returns the names of photos as a submission has them.

    Args:
        keys: Record keys, bytes.

    Raises:
        EvaluationError: Two photos have one name, or a name has a blank.
    """
    names = [PurePosixPath(bytes(key).decode()).stem for key in keys]
    check_names(names)
    return names


def check_names(names: Sequence[str]) -> None:
    """Checks that names can be told apart in a submission.

    Raises:
        EvaluationError: Two are the same, or one has a blank.
    """
    repeated = [name for name, count in Counter(names).items() if count > 1]
    blank = [name for name in names if len(name.split()) != 1 or name.startswith("#")]
    for wrong, what in (
        (repeated, "of one photo alone"),
        (blank, "without blanks, and not begin with #"),
    ):
        if wrong:
            raise EvaluationError(
                "A submission names photos by their files, without folder and ending, "
                f"and each name must be {what}. Received: {wrong[0]!r} "
                f"({len(wrong):,} such names). Take the photos as their authors name "
                "them."
            )


def check_submission(
    protocol: Protocol, method: str, *splits: Sequence[bytes] | np.ndarray
) -> None:
    """Checks, before anything is computed, that a submission can be written.

    Args:
        protocol: Of the set; nothing is checked where it has no submission.
        method: What is predicted; see `EvaluationResult`.
        splits: Record keys of the queries, and of the database.

    Raises:
        EvaluationError: Places are predicted, not photos, or names cannot be used.
    """
    if not protocol.num_submitted:
        return
    if method == "classification":
        raise EvaluationError(
            f"The protocol {protocol.name} submits database photos, and "
            "`evaluation.method` is classification, which predicts places. Use "
            "retrieval or narrowed."
        )
    for keys in splits:
        submitted_names(np.asarray(keys))


def write_submission(result: EvaluationResult, path: Path) -> None:
    """Writes the predictions of all queries.

    Args:
        result: Of a protocol with a submission.
        path: The file; it appears when it is complete.

    Raises:
        EvaluationError: See `submitted_names`.
    """
    queries = submitted_names(result.query_keys)
    with (
        replace_file(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="\n") as file,
    ):
        for row, name in enumerate(queries):
            file.write(" ".join([name, *_predicted(result, row)]) + "\n")


def _predicted(result: EvaluationResult, query: int) -> list[str]:
    """Returns the names of the first predictions of a query."""
    rows = result.predictions[query, : result.rule.num_submitted]
    keys = result.predicted_keys[query, : len(rows)][rows >= 0]
    return [PurePosixPath(bytes(key).decode()).stem for key in keys]
