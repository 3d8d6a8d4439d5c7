"""Commands in children that are forked, so that all is imported before a fault."""

from __future__ import annotations

import importlib
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

_IMPORTED = (
    *("data_prep.build", "vpr_tf.evaluation", "vpr_tf.export.saved_model"),
    *("vpr_tf.place_index.index_encoder", "vpr_tf.training.train"),
)
Harm = Callable[[], None]


class Child:
    """A command that runs.

    Args:
        arguments: Of `vpr`.
        errors: File that gets what the command prints as errors.
        harm: Called in the child before the command.
    """

    def __init__(self, arguments: list[str], errors: Path, harm: Harm | None = None):
        self._process = multiprocessing.get_context("fork").Process(
            target=_run, args=(arguments, errors, harm)
        )
        self._process.start()

    def wait(self, seconds: float | None = None) -> int | None:
        """Returns its status, negative for a signal; None while it runs."""
        self._process.join(seconds)
        return self._process.exitcode

    def kill(self) -> int:
        """Kills it and returns its status."""
        self._process.kill()
        self._process.join()
        return int(self._process.exitcode or 0)


def run_command(arguments: list[str]) -> None:
    """Runs a command that must succeed.

    Raises:
        RuntimeError: It failed.
    """
    errors = Path(os.devnull)
    status = Child(arguments, errors).wait()
    if status:
        raise RuntimeError(f"vpr {' '.join(arguments)} ended with status {status}")


def run_alone(function: Callable[..., object], *arguments: Any) -> None:
    """Runs a function in a child, so that this process never runs TensorFlow.

    Raises:
        RuntimeError: It failed.
    """
    process = multiprocessing.get_context("fork").Process(
        target=function, args=arguments
    )
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{function.__name__} ended with {process.exitcode}")


def import_all() -> None:
    """Imports what the commands use, so that faults hit their work."""
    for name in _IMPORTED:
        importlib.import_module(name)
    from vpr_tf.extraction import descriptor_file

    descriptor_file._COMMIT_EVERY_S = 0.0  # else a small index commits once


def _run(arguments: list[str], errors: Path, harm: Harm | None) -> None:
    from vpr_tf.cli import main

    with Path(os.devnull).open("w") as nowhere, errors.open("w") as lines:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(lines.fileno(), 2)
        if harm is not None:
            harm()
        os._exit(main(arguments))
