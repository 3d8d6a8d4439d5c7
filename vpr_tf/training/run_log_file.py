"""The log of a run, which also keeps other processes from the run."""

from __future__ import annotations

import contextlib
import fcntl
import io
import logging
import os
from pathlib import Path

from vpr_tf.training.errors import TrainingError

_LOG = logging.getLogger(__name__)


class RunLogFile(logging.FileHandler):
    """A log file, locked by the process that trains the run; the lock ends with it.

    Raises:
        TrainingError: Another process holds it.
    """

    def _open(self) -> io.TextIOWrapper:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        number = os.open(self.baseFilename, flags, 0o666)
        file = os.fdopen(number, "a", encoding="utf-8", errors="backslashreplace")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise TrainingError(
                f"Another process is training the run {Path(self.baseFilename).parent}."
                " Wait for its end, or stop it, then go on with --resume."
            ) from None
        except OSError as error:  # a file system without locks
            _LOG.warning("%s is not locked: %s.", self.baseFilename, error.strerror)
        return file

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - of logging
        """Leaves it: of a full disk the files that the run needs tell."""

    def close(self) -> None:
        """Closes the file, also when the disk is full."""
        with contextlib.suppress(OSError):
            super().close()
