"""Losses of all steps as CSV, metrics of all epochs as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TextIO

from vpr_tf.atomic_files import replace_file, write_json

_LOSSES_HEADER = "step,epoch,group,loss\n"


class LossesFile:
    """Appends one line a step; a resumed run cuts it at its checkpoint.

    Args:
        path: The file.
        step: Keep the lines of this many steps, 0 for a new file.
    """

    def __init__(self, path: Path, step: int = 0) -> None:
        lines = path.read_text().splitlines(keepends=True) if path.is_file() else []
        with replace_file(path) as temporary:
            temporary.write_text("".join([_LOSSES_HEADER, *lines[1 : step + 1]]))
        self._file: TextIO = path.open("a")

    def append(self, step: int, epoch: int, group_id: int, loss: float) -> None:
        """Adds a line; nine digits give a float32 back exactly."""
        self._file.write(f"{step},{epoch},{group_id},{loss:.9g}\n")

    def flush(self) -> None:
        """Hands the lines to the system, as must happen before a checkpoint."""
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class MetricsFile:
    """`metrics.json`: facts of the run, epochs, tests; rewritten in whole each time.

    Args:
        path: The file; what it holds is read first.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.content: dict[str, Any] = {"run": {}, "epochs": [], "tests": {}}
        if path.is_file():
            self.content |= json.loads(path.read_text())

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

    def set_tests(self, tests: dict[str, Any], savedmodel: str) -> None:
        """Records the final results."""
        self.content["tests"] = tests
        self.content["savedmodel"] = savedmodel
        self._write()

    def _write(self) -> None:
        write_json(self._path, self.content)
