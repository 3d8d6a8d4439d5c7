"""Which run goes on, and whether it would still be the same experiment."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from vpr_tf.config import (
    CosineScheduleConfig,
    ExperimentConfig,
    as_dict,
    load_saved_config,
)
from vpr_tf.training.checkpoints import CheckpointStore
from vpr_tf.training.errors import TrainingError
from vpr_tf.training.run_folder import RunFolder, newest_first
from vpr_tf.training.run_records import RunRecords, read_metrics

_LOG = logging.getLogger(__name__)
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
    "train.checkpoints_to_keep",
    "train.early_stopping_patience",
    "train.export",
    "evaluation.batch_size",
    "evaluation.index",
    "evaluation.queries_to_draw",
    "evaluation.draw_only_wrong",
)


def find_run(config: ExperimentConfig, path: bool | str | Path = True) -> RunFolder:
    """Finds the run to resume and checks that it is the same experiment.

    Args:
        config: Its `runs_dir` and `name` say where runs lie.
        path: A run folder; True takes the newest run of the name.

    Raises:
        TrainingError: There is no such run, or it was trained otherwise.
    """
    run = _find(config, path)
    check_same_experiment(run, config)
    return run


def _find(config: ExperimentConfig, path: bool | str | Path) -> RunFolder:
    if not isinstance(path, bool):
        run = RunFolder(Path(path))
        if not run.config_file.is_file():
            raise TrainingError(
                f"{path} is not a run folder: it has no config.yaml. Pass "
                f"{config.runs_dir}/{config.name}/<time>, or no value for the newest."
            )
        return run
    parent = Path(config.runs_dir) / config.name
    runs = newest_first(parent)
    if not runs:
        raise TrainingError(
            f"There is no run to resume in {parent}. Start one without --resume."
        )
    return runs[0]


def tell_other_run(run: RunFolder) -> None:
    """Says so where another run of the name was written to after the one taken."""
    latest = max(newest_first(run.path.parent), key=_last_written_ns)
    if _last_written_ns(latest) > _last_written_ns(run):
        _LOG.warning(
            "%s was started last and is taken, but %s was written to last. To go on "
            "with that one: --resume %s",
            *(run.path, latest.path, latest.path),
        )


def _last_written_ns(run: RunFolder) -> int:
    return max(path.lstat().st_mtime_ns for path in run.path.iterdir())


def check_same_experiment(run: RunFolder, config: ExperimentConfig) -> None:
    """Refuses to resume with settings that change the experiment.

    Raises:
        TrainingError: Fields differ; the message names them with both values.
    """
    saved, current = (
        _settings(c) for c in (load_saved_config(run.config_file), config)
    )
    may_change = list(_MAY_CHANGE)
    if isinstance(config.train.schedule, CosineScheduleConfig):  # or polynomial
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
            + ". Undo the change, or start a new run without --resume; of a sweep, "
            "sweep into another folder by --output."
        )


def initial_weights(run: RunFolder) -> str | None:
    """Returns the file that a run with `encoder.weights: run:NAME` started from."""
    return _recorded(run, "initial_weights")


def model_of_teacher(run: RunFolder) -> str | None:
    """Returns the model that a run learns from, a folder where it was `run:NAME`."""
    return _recorded(run, "teacher")


def _recorded(run: RunFolder, name: str) -> str | None:
    value = read_metrics(run.metrics_file)["run"].get(name)
    return None if value is None else str(value)


def check_same_data(run: RunFolder, facts: dict[str, Any]) -> None:
    """Refuses to resume on other data.

    Raises:
        TrainingError: The dataset or the partition is another one.
    """
    recorded = read_metrics(run.metrics_file)["run"]
    for name, value in facts.items():
        if recorded.get(name, value) != value:
            raise TrainingError(
                f"Cannot resume {run.path} on other data: {name} was "
                f"{recorded[name]!r} and is {value!r} now. Set `dataset.path` to the "
                "dataset of the run, or start a new run without --resume."
            )


def restore_run(run: RunFolder, store: CheckpointStore) -> bool:
    """Restores the newest whole checkpoint of a run; returns whether there was one.

    Raises:
        TrainingError: None is whole, and the run has come to its first one: beginning
            again would overwrite what it wrote.
        StoredPathError: A symbolic link lies in the folder.
    """
    records = RunRecords.read(run)
    if store.restore_latest(records):
        return True
    train = load_saved_config(run.config_file).train
    first = min(train.checkpoint_every_steps, train.iterations_per_epoch)
    if "savedmodel" in read_metrics(run.metrics_file):
        raise TrainingError(
            f"{run.path} has ended and no checkpoint is left "
            "(`train.checkpoints_to_keep: 0` keeps none), so it cannot be trained on. "
            "It can be evaluated, indexed and exported; a new run starts from its best "
            f"weights with `encoder.weights: run:{run.path.parent.name}`."
        )
    if records.num_lines > first or records.num_epochs or run.best.exists():
        raise TrainingError(
            f"{run.path} has losses of {records.num_lines} steps and of "
            f"{records.num_epochs} epochs, and no checkpoint in {run.checkpoints}. Put "
            "that folder back from a copy, or start a new run without --resume; "
            "nothing was changed."
        )
    return False


def _settings(config: ExperimentConfig) -> dict[str, Any]:
    settings = _flatten(as_dict(config))
    return settings | {"dataset.partition": config.partition_name}


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict) and value:
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
