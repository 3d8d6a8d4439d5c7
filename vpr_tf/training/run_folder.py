"""The folder of one run: where its files lie, and how it is named and found."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import time
from collections.abc import Iterator
from pathlib import Path

from vpr_tf.config import ExperimentConfig, save_config
from vpr_tf.disk_errors import is_full, path_of
from vpr_tf.stored_paths import inside
from vpr_tf.training.errors import TrainingError

_FORMAT = "%Y-%m-%d_%H-%M-%S"
_TIME = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(_\d{3})?", re.ASCII)


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
        return inside(self.path, "config.yaml")

    @property
    def log_file(self) -> Path:
        """What was printed, with times."""
        return inside(self.path, "train.log")

    @property
    def losses_file(self) -> Path:
        """step, epoch, group, loss."""
        return inside(self.path, "losses.csv")

    @property
    def metrics_file(self) -> Path:
        """One record an epoch, and the test results."""
        return inside(self.path, "metrics.json")

    @property
    def tensorboard(self) -> Path:
        """Event files."""
        return inside(self.path, "tensorboard")

    @property
    def checkpoints(self) -> Path:
        """The training state."""
        return inside(self.path, "checkpoints")

    @property
    def best(self) -> Path:
        """Weights of the best encoder."""
        return inside(self.path, "best")

    @property
    def report(self) -> Path:
        """Results table, predictions."""
        return inside(self.path, "report")


def create_run_folder(config: ExperimentConfig) -> RunFolder:
    """Makes a folder named after the current time and saves the config in it.

    Its name comes after those of all runs that there are, also where the clock was set
    back since.

    Raises:
        TrainingError: The folder cannot be written.
    """
    parent = Path(config.runs_dir) / config.name
    try:
        parent.mkdir(parents=True, exist_ok=True)
        run = RunFolder(_create_newest(parent))
        save_config(config, run.config_file)
    except OSError as error:
        raise TrainingError(
            f"Cannot write a run folder in {parent}: {error}. Set `runs_dir` to "
            "another folder, or make room and give permission there."
        ) from error
    return run


@contextlib.contextmanager
def full_disk_told(run: RunFolder | None) -> Iterator[None]:
    """Makes any error of a full disk one that says how the run goes on.

    Raises:
        TrainingError: The disk is full.
    """
    try:
        yield
    except TrainingError:
        raise
    except Exception as error:
        if not is_full(error):
            raise
        path = path_of(error)
        what = f"to write {path}" if path else f"({str(error).splitlines()[0]})"
        raise TrainingError(
            f"No space left {what}. What was written before stays. Free some space, "
            f"then go on with: {run.resume_command if run else '--resume'}"
        ) from error


def newest_first(parent: Path) -> list[RunFolder]:
    """Returns the runs in a folder; those with names of their own come last."""
    paths = [file.parent for file in parent.glob("*/config.yaml")]
    paths.sort(key=lambda path: (_is_time(path.name), path.name), reverse=True)
    return [RunFolder(path) for path in paths]


def _is_time(name: str) -> bool:
    return _TIME.fullmatch(name) is not None


def _create_newest(parent: Path) -> Path:
    stamp, number = time.strftime(_FORMAT), 1
    newest = max((p.name for p in parent.iterdir() if _is_time(p.name)), default="")
    if newest >= stamp:
        last_number = newest[len(stamp) + 1 :] or "1"
        stamp, number = newest[: len(stamp)], int(last_number) + 1
    for attempt in range(number, 1000):
        path = parent / (stamp if attempt == 1 else f"{stamp}_{attempt:03d}")
        try:
            path.mkdir()
            return path
        except FileExistsError:
            continue
    raise FileExistsError(f"{parent / stamp} and its numbered successors exist")
