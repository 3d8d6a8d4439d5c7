"""The folder of one run: where its files lie, and how a run is found again."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

from vpr_tf.config import ExperimentConfig, as_dict, load_config, save_config
from vpr_tf.training.errors import TrainingError

# A resumed run may differ in these; in anything else it would be another experiment.
# The dataset's path may change since its fingerprint is compared.
_MAY_CHANGE = (
    "runs_dir",
    "savedmodels_dir",
    "dataset.path",
    "build.",
    "train.epochs",
    "train.strategy",
    "train.jit_compile",
    "train.checkpoint_every_steps",
    "train.early_stopping_patience",
    "evaluation.batch_size",
    "evaluation.index",
    "evaluation.queries_to_draw",
    "evaluation.draw_only_wrong",
)


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


def find_run(config: ExperimentConfig, path: str | Path | None = None) -> RunFolder:
    """Finds the run to resume.

    Args:
        config: Its `runs_dir` and `name` say where runs lie.
        path: A run folder; None takes the newest run of the name.

    Raises:
        TrainingError: There is no such run.
    """
    if path is not None:
        run = RunFolder(Path(path))
        if not run.config_file.is_file():
            raise TrainingError(
                f"{path} is not a run folder: it has no config.yaml. Pass "
                f"{config.runs_dir}/{config.name}/<time>, or no value for the newest."
            )
        return run
    parent = Path(config.runs_dir) / config.name
    runs = sorted(file.parent for file in parent.glob("*/config.yaml"))
    if not runs:
        raise TrainingError(
            f"There is no run to resume in {parent}. Start one without --resume."
        )
    return RunFolder(runs[-1])


def check_same_experiment(run: RunFolder, config: ExperimentConfig) -> None:
    """Refuses to resume with settings that change the experiment.

    Raises:
        TrainingError: Fields differ; the message names them with both values.
    """
    saved = _flatten(as_dict(load_config(run.config_file)))
    current = _flatten(as_dict(config))
    may_change = list(_MAY_CHANGE)
    if config.train.schedule.name == "cosine":
        may_change.remove("train.epochs")  # the rate falls over all of them
    changed = [
        f"{name} ({saved.get(name)!r} in the run, {current.get(name)!r} now)"
        for name in sorted(saved.keys() | current.keys())
        if saved.get(name) != current.get(name)
        and not name.startswith(tuple(may_change))
    ]
    if changed:
        raise TrainingError(
            f"Cannot resume {run.path} with another configuration: "
            + ", ".join(changed)
            + ". Undo the change, or start a new run without --resume."
        )


def _create_unique(parent: Path, stamp: str) -> Path:
    for attempt in range(1, 1000):
        path = parent / (stamp if attempt == 1 else f"{stamp}_{attempt:03d}")
        try:
            path.mkdir()
            return path
        except FileExistsError:
            continue
    raise FileExistsError(f"{parent / stamp} and its numbered successors exist")


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict) and value:
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
