"""Which run goes on, and whether it would still be the same experiment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vpr_tf.config import ExperimentConfig, as_dict, load_saved_config
from vpr_tf.training.errors import TrainingError
from vpr_tf.training.run_folder import RunFolder

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
    saved, current = (
        _settings(c) for c in (load_saved_config(run.config_file), config)
    )
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


def initial_weights(run: RunFolder) -> str | None:
    """Returns the file that a run with `encoder.weights: run:NAME` started from."""
    if not run.metrics_file.is_file():
        return None
    facts = json.loads(run.metrics_file.read_text())["run"]
    return facts.get("initial_weights")


def check_same_data(run: RunFolder, facts: dict[str, Any]) -> None:
    """Refuses to resume on other data.

    Raises:
        TrainingError: The dataset or the partition is another one.
    """
    if not run.metrics_file.is_file():
        return
    recorded = json.loads(run.metrics_file.read_text())["run"]
    for name, value in facts.items():
        if recorded.get(name, value) != value:
            raise TrainingError(
                f"Cannot resume {run.path} on other data: {name} was "
                f"{recorded[name]!r} and is {value!r} now. Set `dataset.path` to the "
                "dataset of the run, or start a new run without --resume."
            )


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
