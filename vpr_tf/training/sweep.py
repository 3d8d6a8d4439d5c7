"""Trains every combination of a sweep that is not done, and puts them into a table."""

from __future__ import annotations

import contextlib
import fcntl
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vpr_tf.config import ConfigError, load_saved_config
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.report import (
    ReportError,
    RunTable,
    find_reports,
    tabulate_runs,
    write_run_table,
)
from vpr_tf.training.errors import TrainingError
from vpr_tf.training.resume import check_same_experiment
from vpr_tf.training.run_folder import RunFolder, newest_first
from vpr_tf.training.run_records import read_metrics
from vpr_tf.training.sweep_combinations import Combination

LOG_FILE = "sweep.log"  # what the runs print, in the folder of the sweep


@dataclass(frozen=True)
class SweepRun:
    """How far a combination has come.

    Attributes:
        combination: The experiment.
        folder: Its run; None before it is started.
        steps_done: Steps of its whole epochs.
        is_trained: Whether training, tests and export ended.
        is_done: Whether its reports are there too.
    """

    combination: Combination
    folder: RunFolder | None
    steps_done: int
    is_trained: bool
    is_done: bool

    @property
    def steps_left(self) -> int:
        """Steps that are still to be trained, at most."""
        train = self.combination.config.train
        total = train.epochs * train.iterations_per_epoch
        return 0 if self.is_trained else max(total - self.steps_done, 0)

    @property
    def state(self) -> str:
        """For people."""
        if self.is_done:
            return "done"
        if self.is_trained:
            return "trained, without its reports"
        return "not started" if self.folder is None else "stopped"


Execute = Callable[[Combination, Path], None]


def set_names(combination: Combination) -> list[str]:
    """Returns the sets that a combination is reported on: val and all test sets.

    Raises:
        ConfigError: The dataset has neither.
        DatasetError: There is no dataset.
    """
    dataset = PreparedDataset(combination.config.dataset.path)
    names = [*(["val"] if dataset.val else []), *sorted(dataset.tests)]
    if not names:
        raise ConfigError(
            "The dataset of a sweep must have a val or a test set, by which its runs "
            f"are compared. Received: {dataset.path}. Build it with one."
        )
    return names


def find_sweep_run(combination: Combination) -> SweepRun:
    """Finds the run of a combination in the folder of its sweep.

    Raises:
        TrainingError: It was trained otherwise, or its records are damaged.
    """
    config = combination.config
    for run in newest_first(Path(config.runs_dir) / config.name):
        try:
            saved = load_saved_config(run.config_file)
        except ConfigError:
            if [path.name for path in run.path.iterdir()] == [run.config_file.name]:
                continue  # killed while it was written; there is nothing to go on with
            raise
        if saved.seed != config.seed:
            continue
        if saved.train.epochs != config.train.epochs:
            raise TrainingError(
                f"Cannot go on with {run.path}: `train.epochs` was "
                f"{saved.train.epochs} and is {config.train.epochs} now. Undo the "
                "change, or sweep into another folder by --output."
            )
        check_same_experiment(run, config)
        metrics = read_metrics(run.metrics_file)
        steps = len(metrics["epochs"]) * config.train.iterations_per_epoch
        is_trained = "savedmodel" in metrics
        is_done = is_trained and _has_reports(run, set_names(combination))
        return SweepRun(combination, run, steps, is_trained, is_done)
    return SweepRun(combination, None, 0, False, False)


def _has_reports(run: RunFolder, names: Sequence[str]) -> bool:
    try:
        reports = find_reports(run.path)
    except ReportError:  # none yet, or one that was not written to its end
        return False
    return set(names) <= {report.identity.set_name for report in reports}


def run_sweep(
    combinations: Sequence[Combination],
    folder: Path,
    execute: Execute,
    tell: Callable[[str], None] = print,
) -> tuple[RunTable | None, dict[str, str]]:
    """Runs what is not done, one after another, and writes the table of all.

    Args:
        combinations: In their order.
        folder: Of the sweep.
        execute: Trains and reports one, or goes on with it; gets the file for what it
            prints. Any error of it is the combination's own.
        tell: Gets a line for each combination.

    Returns:
        The table, None where nothing is done, and what failed with its reason.

    Raises:
        TrainingError: Another sweep runs in the folder, or a run in it is of another
            experiment.
        DatasetError: A dataset or a partition is missing.
        ReportError: The runs cannot be put into one table.
    """
    folder.mkdir(parents=True, exist_ok=True)
    failed = {}
    with _locked(folder / LOG_FILE):
        for each in combinations:  # what cannot be is told before any work
            if not find_sweep_run(each).is_trained:
                dataset = PreparedDataset(each.config.dataset.path)
                dataset.partition(each.config.partition_name)
        for number, combination in enumerate(combinations, 1):
            start_s = time.monotonic()
            problem = _run_one(combination, folder, execute)
            if problem:
                failed[combination.text] = problem
            took = f"{time.monotonic() - start_s:.0f} s"
            text = f"FAILED: {problem}" if problem else _found(combination)
            tell(f"[{number}/{len(combinations)}] {combination.text}: {text} ({took})")
        runs = [find_sweep_run(each) for each in combinations]
        done = [run.folder.path for run in runs if run.folder and run.is_done]
        if not done:
            return None, failed
        seeds = {each.config.seed for each in combinations}
        table = tabulate_runs(done, group_seeds=len(seeds) > 1)
        write_run_table(table, folder)
    return table, failed


def _run_one(combination: Combination, folder: Path, execute: Execute) -> str | None:
    """Runs a combination unless it is done; returns why it is not then."""
    try:
        run = find_sweep_run(combination)
        if not run.is_done:
            execute(combination, folder / LOG_FILE)
            if not find_sweep_run(combination).is_done:
                return "it ended without its reports"
    except Exception as error:  # the others go on, whatever it was
        return " ".join(str(error).split()) or type(error).__name__
    return None


def _found(combination: Combination) -> str:
    run = find_sweep_run(combination).folder
    if run is None:
        return "done"
    texts = []
    for report in find_reports(run.path):
        is_first = report.hit_ranks(report.threshold_m)[report.known] == 1
        recall = 100 * float(is_first.mean()) if is_first.size else math.nan
        texts.append(f"{report.identity.set_name} R@1 {recall:.1f}")
    return f"{', '.join(texts)}: {run.path}"


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Lets one sweep at a time run in a folder; the lock ends with its process."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TrainingError(
                f"Another sweep runs in {path.parent}. Wait for its end, or sweep into "
                "another folder by --output."
            ) from None
        yield
