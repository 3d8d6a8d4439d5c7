"""The folder of one run: where its files lie, and those written as it goes on."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any, TextIO

from vpr_tf.atomic_files import replace_file, write_json
from vpr_tf.config import ExperimentConfig, save_config
from vpr_tf.training.errors import TrainingError

BEST_INFO_FILE = "best.json"
_LOSSES_HEADER = "step,epoch,group,loss\n"


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """Paths of one run, `runs/<name>/<time>/`."""

    path: Path

    @property
    def resume_command(self) -> str:
        """How the user goes on with the run."""
        return f"vpr train --config {self.config_file} --resume {self.path}"

    @property
    def config_file(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    @property
    def log_file(self) -> Path:
        """What was printed, with times."""
        return self.path / "train.log"

    @property
    def losses_file(self) -> Path:
        """step, epoch, group, loss."""
        return self.path / "losses.csv"

    @property
    def metrics_file(self) -> Path:
        """One record an epoch, and the test results."""
        return self.path / "metrics.json"

    @property
    def tensorboard(self) -> Path:
        """Event files."""
        return self.path / "tensorboard"

    @property
    def checkpoints(self) -> Path:
        """The training state."""
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """Weights of the best encoder."""
        return self.path / "best"

    @property
    def report(self) -> Path:
        """Results table, predictions."""
        return self.path / "report"


def create_run_folder(config: ExperimentConfig) -> RunFolder:
    """Makes a folder named after the current time and saves the config in it.

    Raises:
        TrainingError: The folder cannot be written.
    """
    parent = Path(config.runs_dir) / config.name
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    try:
        parent.mkdir(parents=True, exist_ok=True)
        run = RunFolder(_create_unique(parent, stamp))
        save_config(config, run.config_file)
    except OSError as error:
        raise TrainingError(
            f"Cannot write a run folder in {parent}: {error}. Set `runs_dir`."
        ) from error
    return run


def _create_unique(parent: Path, stamp: str) -> Path:
    for attempt in range(1, 1000):
        path = parent / (stamp if attempt == 1 else f"{stamp}_{attempt:03d}")
        try:
            path.mkdir()
            return path
        except FileExistsError:
            continue
    raise FileExistsError(f"{parent / stamp} and its numbered successors exist")


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """What a run came to.

    Attributes:
        run: The run's folder; None on a worker that writes nothing.
        recalls: Of the best model, in percent by N, by the name of the set: `val` and
            the test sets.
        metrics: What `metrics.json` holds: facts of the run, epochs, tests.
        savedmodel: The exported version; None if nothing was exported.
    """

    run: Path | None = None
    recalls: dict[str, dict[int, float]] = dataclasses.field(default_factory=dict)
    metrics: dict[str, Any] = dataclasses.field(default_factory=dict)
    savedmodel: Path | None = None

    @staticmethod
    def from_run(run: RunFolder) -> TrainingResult:
        """Reads what a finished run wrote."""
        metrics = json.loads(run.metrics_file.read_text())
        best = json.loads((run.best / BEST_INFO_FILE).read_text())
        by_set = {"val": best["val_recalls"]}
        by_set |= {name: test["recalls"] for name, test in metrics["tests"].items()}
        recalls = {
            name: {int(n): value for n, value in values.items()}
            for name, values in by_set.items()
            if values
        }
        savedmodel = metrics.get("savedmodel")
        return TrainingResult(
            run.path, recalls, metrics, Path(savedmodel) if savedmodel else None
        )


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

    def set_tests(self, tests: dict[str, Any], savedmodel: str | None) -> None:
        """Records the final results, and the export if there is one: the run ended."""
        self.content["tests"] = tests
        self.content["savedmodel"] = savedmodel
        self._write()

    def _write(self) -> None:
        write_json(self._path, self.content)
