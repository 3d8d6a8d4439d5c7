"""Trains and reports one combination of a sweep in a process of its own."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

from vpr_tf.report import run_report
from vpr_tf.training.errors import TrainingError
from vpr_tf.training.sweep import find_sweep_run, set_names
from vpr_tf.training.sweep_combinations import Combination

_LOCK_FILE = "run.lock"


def train_and_report(combination: Combination) -> None:
    """Trains a combination, or goes on with it, and reports on val and test sets.

    Raises:
        TrainingError: See `vpr_tf.training.train.train`.
    """
    from vpr_tf.training.train import train

    run = find_sweep_run(combination)
    if not run.is_trained:
        train(combination.config, resume=run.folder.path if run.folder else False)
    trained = find_sweep_run(combination).folder
    if trained is not None:
        run_report(combination.config, trained.path, set_names=set_names(combination))


def execute_apart(combination: Combination, log_file: Path) -> None:
    """Runs `train_and_report` in a fresh process, which ends with this one.

    So no run meets the state of another, and one that is killed for memory does not
    take the sweep with it. Ctrl-C and the death of this process let it save first.

    Args:
        combination: The experiment.
        log_file: Where it appends what it prints.

    Raises:
        TrainingError: It failed.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(combination, log_file, sender))
    process.start()
    sender.close()
    try:
        process.join()
    except BaseException:
        process.terminate()  # training saves its state first
        process.join()
        raise
    if process.exitcode:
        problem = "its process was killed, most likely for lack of memory"
        if process.exitcode > 0 and receiver.poll():
            problem = receiver.recv_bytes().decode()
        raise TrainingError(f"{problem} (see {log_file})")


def _work(combination: Combination, log_file: Path, sender: Connection) -> None:
    os.setsid()  # Ctrl-C goes to the parent alone, which asks to stop
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    with log_file.open("a") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    print(f"=== {combination.text}", flush=True)
    try:
        with log_file.with_name(_LOCK_FILE).open("a") as lock:
            # Waits for a run of a sweep that was killed, which still saves its state.
            fcntl.flock(lock, fcntl.LOCK_EX)
            train_and_report(combination)
    except Exception as error:
        traceback.print_exc()
        sender.send_bytes((str(error) or type(error).__name__).encode())
        sys.exit(1)


def _stop_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
