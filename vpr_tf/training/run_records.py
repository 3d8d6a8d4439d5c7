"""What a run writes of its steps and epochs, and how much of it is whole."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import google_crc32c

from vpr_tf.atomic_files import replace_file, write_json
from vpr_tf.disk_errors import with_path
from vpr_tf.stored_values import StoredValueError, from_stored, read_json
from vpr_tf.training.errors import TrainingError
from vpr_tf.training.run_folder import RunFolder

_LOSSES_HEADER = "step,epoch,group,loss\n"


@dataclass(frozen=True)
class _Metrics:
    """What must be in `metrics.json`; `savedmodel` stands in it when the run ended."""

    run: dict[str, Any] = field(default_factory=dict)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    tests: dict[str, dict[str, Any]] = field(default_factory=dict)
    savedmodel: str | None = None

    def __post_init__(self) -> None:
        for number, record in enumerate(self.epochs):
            if record.get("epoch") != number:
                raise StoredValueError(f"`epochs[{number}]` is of another epoch")


def read_metrics(path: Path) -> dict[str, Any]:
    """Reads `metrics.json`; of a run that wrote none yet, it is empty.

    Returns:
        `run`, `epochs`, `tests`, and of a run that ended `savedmodel`.

    Raises:
        TrainingError: It is damaged.
    """
    content: dict[str, Any] = {"run": {}, "epochs": [], "tests": {}}
    try:
        known = read_json(path)
        from_stored(_Metrics, known, more=True)
    except FileNotFoundError:
        return content
    except ValueError as error:
        raise TrainingError(
            f"{path} is damaged: {error}. Put it back from a copy, or start a new run "
            "without --resume."
        ) from error
    return content | known


@dataclass(frozen=True)
class RunRecords:
    """How far the records of a run go.

    Attributes:
        losses: The lines of the steps from the first on, until one is not whole.
        num_lines: Lines of `losses.csv`, whole or not.
        num_epochs: Epochs in `metrics.json`.
    """

    losses: list[str]
    num_lines: int
    num_epochs: int

    @classmethod
    def read(cls, run: RunFolder) -> RunRecords:
        """Reads what a run wrote.

        Raises:
            TrainingError: `metrics.json` is damaged.
        """
        lines = _lines(run.losses_file)
        num_epochs = len(read_metrics(run.metrics_file)["epochs"])
        return cls(_whole(lines), max(len(lines) - 1, 0), num_epochs)

    def problem(self, step: int, epoch: int, crc32c: int | None) -> str | None:
        """Returns what a checkpoint lacks to be gone on from, or None.

        Args:
            step: Steps done at the checkpoint.
            epoch: Epochs done at the checkpoint.
            crc32c: Of the losses of the steps; None of a run that did not store it.
        """
        if len(self.losses) < step:
            return f"losses.csv is not whole after step {len(self.losses)}"
        if crc32c is not None and _crc32c(self.losses[:step]) != crc32c:
            return "losses.csv was changed"
        if self.num_epochs < epoch:
            return f"metrics.json ends after {self.num_epochs} epoch(s)"
        return None


class LossesFile:
    """Appends one line a step; a resumed run cuts it at its checkpoint.

    Args:
        path: The file.
        step: Keep the lines of this many steps, 0 for a new file.

    Attributes:
        crc32c: Checksum of the lines.
    """

    def __init__(self, path: Path, step: int = 0) -> None:
        kept = _whole(_lines(path))[:step]
        with replace_file(path) as temporary:
            temporary.write_text("".join([_LOSSES_HEADER, *kept]))
        self.crc32c = _crc32c(kept)
        self._path = path
        self._file: TextIO = path.open("a")

    def append(self, step: int, epoch: int, group_id: int, loss: float) -> None:
        """Adds a line; nine digits give a float32 back exactly."""
        line = f"{step},{epoch},{group_id},{loss:.9g}\n"
        with with_path(self._path):
            self._file.write(line)
        self.crc32c = google_crc32c.extend(self.crc32c, line.encode())

    def flush(self) -> None:
        """Hands the lines to the system, as must happen before a checkpoint."""
        with with_path(self._path):
            self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        with with_path(self._path):
            self._file.close()


class MetricsFile:
    """`metrics.json`: facts of the run, epochs, tests; rewritten in whole each time.

    Args:
        path: The file; what it holds is read first.

    Raises:
        TrainingError: It is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.content = read_metrics(path)

    def set_run(self, facts: dict[str, Any]) -> None:
        """Records what the run trains on."""
        self.content["run"] = facts
        self._write()

    def set_epoch(self, record: dict[str, Any]) -> None:
        """Records an epoch, in place of it and of later ones."""
        self.drop_epochs(record["epoch"])
        self.content["epochs"].append(record)
        self._write()

    def drop_epochs(self, first_epoch: int) -> None:
        """Forgets the epochs from one on, which a resumed run repeats."""
        self.content["epochs"] = [
            record for record in self.content["epochs"] if record["epoch"] < first_epoch
        ]

    def set_tests(self, tests: dict[str, Any], savedmodel: str | None) -> None:
        """Records the final results, and the export if there is one: the run ended."""
        self.content["tests"] = tests
        self.content["savedmodel"] = savedmodel
        self._write()

    def _write(self) -> None:
        write_json(self._path, self.content)


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        return []
    with path.open(errors="replace", newline="\n") as file:
        return list(file)


def _whole(lines: list[str]) -> list[str]:
    """Returns the lines of steps, from the first on, until one is not whole."""
    whole: list[str] = []
    if lines[:1] == [_LOSSES_HEADER]:
        for number, line in enumerate(lines[1:], start=1):
            if not _is_of_step(line, number):
                break
            whole.append(line)
    return whole


def _is_of_step(line: str, step: int) -> bool:
    fields = line.removesuffix("\n").split(",")
    if not line.endswith("\n") or len(fields) != 4 or fields[0] != str(step):
        return False
    try:
        return math.isfinite(float(fields[3]))
    except ValueError:
        return False


def _crc32c(lines: list[str]) -> int:
    return int(google_crc32c.value("".join(lines).encode()))
