"""What can end a training run early."""

from __future__ import annotations


class TrainingError(RuntimeError):
    """A run that cannot start or go on; the message says why and what to do."""


class TrainingDivergedError(TrainingError):
    """The loss or a gradient is not finite any more."""


class TrainingInterruptedError(TrainingError):
    """Ctrl-C or SIGTERM; the state was saved first."""

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status
