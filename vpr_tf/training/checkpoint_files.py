"""The files of a run's checkpoints, found by their own names.

TensorFlow's record of them, the file `checkpoint`, is written for other programs and
never read: it may be lost, and may hold any path of whoever made the run.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from vpr_tf.atomic_files import replace_file
from vpr_tf.stored_paths import inside

_STEP = re.compile(r"step-(0|[1-9][0-9]{0,17})[._].+", re.DOTALL)
_RECORD = "checkpoint"


class CheckpointFiles:
    """Checkpoints `step-<number>` in one folder.

    Args:
        folder: It may be missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prefix(self, step: int) -> Path:
        """What the names of the files of a checkpoint begin with."""
        return self._folder / f"step-{step}"

    def steps(self) -> list[int]:
        """Returns the steps of the checkpoints that have an index, the newest first.

        Raises:
            StoredPathError: The folder holds a symbolic link.
        """
        found = [
            int(match[1])
            for name in self._names()
            if (match := _STEP.fullmatch(name)) and name == f"step-{match[1]}.index"
        ]
        return sorted(found, reverse=True)

    def keep(self, steps: Sequence[int]) -> None:
        """Deletes the files of all other checkpoints, and records those that stay.

        Args:
            steps: The newest comes last; none deletes all, and the record with them.

        Raises:
            OSError: The folder cannot be written.
            StoredPathError: The folder holds a symbolic link.
        """
        names = self._names()
        record = inside(self._folder, _RECORD)
        if steps:
            lines = [f'model_checkpoint_path: "step-{steps[-1]}"']
            lines += [f'all_model_checkpoint_paths: "step-{step}"' for step in steps]
            with replace_file(record) as temporary:
                temporary.write_text("\n".join(lines) + "\n")
        else:
            record.unlink(missing_ok=True)
        for name in names:
            match = _STEP.fullmatch(name)
            if match is None or int(match[1]) in steps:
                continue
            path = inside(self._folder, name)
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def _names(self) -> list[str]:
        """Returns the names in the folder; TensorFlow would follow links there."""
        if not self._folder.is_dir():
            return []
        names = sorted(path.name for path in self._folder.iterdir())
        for name in names:
            inside(self._folder, name)
        return names
