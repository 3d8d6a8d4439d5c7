"""Finds the finished runs of configs, and trains those that are missing."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.trained_settings import trained_settings
from data_prep.errors import DataPrepError
from data_prep.partition.assignment import add_partition, summary
from vpr_tf.config import ConfigError, ExperimentConfig, load_config
from vpr_tf.data.prepared_dataset import DatasetError, PreparedDataset
from vpr_tf.training.run_folder import RunFolder

_ROOT = Path(__file__).resolve().parents[1]
_PARENT_DEATH_SIGNAL = 1  # of prctl(2)
# Statuses of a training that was told to stop, by itself or by the system.
_STOPPED = (130, 143, -signal.SIGINT, -signal.SIGTERM)


class MissingRunError(ValueError):
    """A config without a finished run, and what makes one."""


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A config file with overrides, as one passes them to the commands.

    Attributes:
        path: The YAML file.
        overrides: `dotted.key=value`.
        config: What they give.
    """

    path: Path
    overrides: tuple[str, ...]
    config: ExperimentConfig

    @classmethod
    def load(cls, path: str | Path, overrides: Sequence[str] = ()) -> Experiment:
        """Reads a config.

        Raises:
            ConfigError: See `load_config`.
        """
        return cls(Path(path), tuple(overrides), load_config(path, overrides))

    @property
    def train_command(self) -> str:
        """What a user types to train it."""
        words = ["python train_keras.py --config", str(self.path), *self.overrides]
        return " ".join(words)

    @property
    def runs(self) -> Path:
        """Folder of its runs."""
        return Path(self.config.runs_dir) / self.config.name


def finished_run(experiment: Experiment) -> RunFolder:
    """Returns the newest run of the same settings that was trained to its end.

    Raises:
        MissingRunError: There is none; the message says what makes one.
    """
    others = []
    for run in _runs(experiment):
        difference = _difference(run, experiment.config)
        if _is_finished(run) and not difference:
            return run
        others.append(f"{run.path.name}: {difference or 'not finished'}")
    found = f" (found {'; '.join(others[:3])})" if others else ""
    raise MissingRunError(
        f"There is no finished run in {experiment.runs}{found}. "
        f"Train it by: {experiment.train_command}"
    )


def train_missing(experiments: Sequence[Experiment]) -> None:
    """Trains what has no finished run, one after another.

    A partition that the dataset lacks is added first, and a run that was interrupted
    goes on. Encoders that other configs start from come first. What cannot be trained
    is told and does not stop the others.
    """
    ordered = sorted(experiments, key=_starts_from_a_run)
    for number, experiment in enumerate(ordered, 1):
        if _has_finished(experiment):
            continue
        name = experiment.config.name
        print(f"\n[{number}/{len(ordered)}] Training {name}", flush=True)
        try:
            _add_partition(experiment)
            _train(experiment)
        except MissingRunError as error:
            print(f"{name}: {error}", file=sys.stderr, flush=True)


def _starts_from_a_run(experiment: Experiment) -> bool:
    return experiment.config.encoder.weights.startswith("run:")


def _has_finished(experiment: Experiment) -> bool:
    try:
        finished_run(experiment)
    except MissingRunError:
        return False
    return True


def _runs(experiment: Experiment) -> list[RunFolder]:
    """Newest first."""
    files = sorted(experiment.runs.glob("*/config.yaml"), reverse=True)
    return [RunFolder(file.parent) for file in files]


def _metrics(run: RunFolder) -> dict[str, Any]:
    try:
        return dict(json.loads(run.metrics_file.read_text()))
    except (OSError, ValueError):
        return {}


def _is_finished(run: RunFolder) -> bool:
    return "savedmodel" in _metrics(run)


def _difference(run: RunFolder, config: ExperimentConfig) -> str:
    """Names something in which a run was trained otherwise; empty for none."""
    try:
        trained = load_config(run.config_file)
        fingerprint = PreparedDataset(config.dataset.path).fingerprint
    except (ConfigError, DatasetError) as error:
        return str(error)
    known = _metrics(run).get("run", {}).get("dataset_fingerprint", fingerprint)
    there = trained_settings(trained) | {"dataset_fingerprint": known}
    here = trained_settings(config) | {"dataset_fingerprint": fingerprint}
    return _first_difference(there, here)


def _first_difference(there: Any, here: Any, name: str = "") -> str:
    if isinstance(there, dict) and isinstance(here, dict):
        names = sorted(there.keys() | here.keys())
        # The method of a section before the fields that it has.
        for key in sorted(names, key=lambda key: key not in ("name", "method")):
            inner = f"{name}.{key}" if name else key
            found = _first_difference(there.get(key), here.get(key), inner)
            if found:
                return found
        return ""
    return "" if there == here else f"{name} was {there!r}, not {here!r}"


def _add_partition(experiment: Experiment) -> None:
    config, partition = experiment.config, experiment.config.build.partition
    if config.partition_name != partition.name:
        return
    try:
        added = add_partition(Path(config.dataset.path), partition)
    except (DatasetError, DataPrepError) as error:
        raise MissingRunError(str(error)) from error
    if added is not None:
        print(summary(added, partition), flush=True)


def _train(experiment: Experiment) -> None:
    command = [sys.executable, str(_ROOT / "train_keras.py")]
    command += ["--config", str(experiment.path)]
    for run in _runs(experiment):
        if not _is_finished(run) and not _difference(run, experiment.config):
            command += ["--resume", str(run.path.resolve())]
            break
    status = _run([*command, *experiment.overrides])
    if status in _STOPPED:
        raise KeyboardInterrupt
    if status:
        raise MissingRunError(
            f"Training ended with status {status}: {' '.join(command[1:])}"
        )


def _run(command: Sequence[str]) -> int:
    """Runs a command; a signal to this process is passed on, once, and waited for."""
    # In its own session, or Ctrl-C would reach it twice: then it saves no checkpoint.
    process = subprocess.Popen(
        command, start_new_session=True, preexec_fn=_stop_with_parent
    )
    signals = (signal.SIGINT, signal.SIGTERM)
    former = {
        number: signal.signal(number, lambda received, _: process.send_signal(received))
        for number in signals
    }
    try:
        return process.wait()
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _stop_with_parent() -> None:
    """Asks Linux for a signal when the parent is killed.

    The same command would else resume a run that is still being trained.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGTERM)
