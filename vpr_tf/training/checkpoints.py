"""Checkpoints of the whole training state."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf

from vpr_tf.disk_errors import with_path
from vpr_tf.training.checkpoint_files import CheckpointFiles
from vpr_tf.training.errors import TrainingError
from vpr_tf.training.group_trainer import GroupTrainer
from vpr_tf.training.objectives import HeadObjective, Objective
from vpr_tf.training.process import is_chief
from vpr_tf.training.progress import TrainingProgress
from vpr_tf.training.run_records import RunRecords

# Of a run that trains: writing over one, as after validation, may damage it.
_MAX_TO_KEEP = 2


class _ProgressState(tf.train.experimental.PythonState):
    """Makes the counters part of a TensorFlow checkpoint."""

    def __init__(self, progress: TrainingProgress) -> None:
        self._progress = progress

    def serialize(self) -> str:
        return self._progress.to_json()

    def deserialize(self, string_value: bytes | str) -> None:
        self._progress.load_json(string_value)


class CheckpointStore:
    """Saves and restores encoder, heads, optimizers, loss scale, counters, and what
    its `Renewals` found.

    Under several workers all of them must call `save` together; the chief's files
    are the checkpoint, and every worker restores from them, so the folder must lie
    where all can read it. The others write to a temporary folder, since saving may
    need values from all workers.

    Args:
        trainer: What is saved and restored.
        folder: The run's `checkpoints/`; None on a worker that has no run folder.

    Attributes:
        skipped: What is wrong with checkpoints newer than the restored one, by step.
    """

    def __init__(self, trainer: GroupTrainer, folder: Path | None) -> None:
        self._trainer = trainer
        self._folder = folder
        self._checkpoint = tf.train.Checkpoint(
            encoder=trainer.encoder,
            encoder_optimizer=trainer.encoder_optimizer,
            heads=trainer.heads,
            head_optimizers=trainer.head_optimizers,
            progress=_ProgressState(trainer.progress),
            **_random_states(trainer.encoder),
            **_objective_variables(trainer.objectives),
            **trainer.renewals.states,
        )
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if folder is None or not is_chief(trainer.strategy):
            self._temporary = tempfile.TemporaryDirectory(prefix="vpr_tf_worker_")
            folder = Path(self._temporary.name)
        self._written = CheckpointFiles(folder)
        self._whole: list[int] = []
        self.skipped: dict[int, str] = {}

    def save(self) -> None:
        """Saves the current state, under the number of steps done.

        Checkpoints that could not be restored are deleted once it is written.

        Raises:
            TrainingError: The folder cannot be written; earlier checkpoints stay.
        """
        self._trainer.average_statistics()
        step = self._trainer.progress.step
        prefix = self._written.prefix(step)
        try:
            self._written.steps()  # no link is among them
            self._checkpoint.save_counter.assign_add(1)
            with with_path(prefix):
                self._checkpoint.write(str(prefix))
            self._whole = [*(s for s in self._whole if s != step), step][-_MAX_TO_KEEP:]
            self._written.keep(self._whole)
        except (OSError, tf.errors.OpError) as error:
            raise TrainingError(
                f"Cannot write the checkpoint {prefix}: {_reason(error)}. The last "
                f"good checkpoint is {self.latest or 'none'}; go on with --resume when "
                "there is room."
            ) from error

    def keep_last(self, number: int) -> None:
        """Deletes all checkpoints but the last ones that are known to be whole.

        Args:
            number: How many stay, 0 or more.

        Raises:
            OSError: The folder cannot be written.
            StoredPathError: The folder holds a symbolic link.
        """
        self._whole = self._whole[-number:] if number else []
        self._written.keep(self._whole)

    @property
    def latest(self) -> str | None:
        """Path prefix of the newest checkpoint known to be whole."""
        if self._folder is None or not self._whole:
            return None
        return str(CheckpointFiles(self._folder).prefix(self._whole[-1]))

    def restore_latest(self, records: RunRecords | None = None) -> bool:
        """Restores the newest whole checkpoint and returns whether there was one.

        Args:
            records: What the run wrote; a checkpoint counts as whole only with what
                was written up to it.

        Raises:
            TrainingError: There are checkpoints, and none is whole or all hold other
                variables.
            StoredPathError: A symbolic link lies among them.
        """
        if self._folder is None:
            return False
        files = CheckpointFiles(self._folder)
        for step in files.steps():
            problem = self._restore(files.prefix(step), step, records)
            if problem is None:
                self._whole = [step]
                return True
            self.skipped[step] = problem
        if self.skipped:
            shown = [f"step-{s}: {p}" for s, p in self.skipped.items()]
            problems = "; ".join(shown[:_MAX_TO_KEEP])
            raise TrainingError(
                f"Cannot restore any checkpoint in {self._folder}: {problems}. Put the "
                "files back from a copy, or start a new run without --resume; "
                "nothing was changed."
            )
        return False

    def _restore(
        self, prefix: Path, step: int, records: RunRecords | None
    ) -> str | None:
        """Returns what is wrong with a checkpoint; None if it is restored."""
        progress, config = self._trainer.progress, self._trainer.config
        try:
            self._checkpoint.restore(str(prefix)).assert_consumed()
            progress.check_counts(
                config.groups_num, config.iterations_per_epoch, config.batch_size
            )
            if progress.step != step:
                return f"it is of step {progress.step}"
        except (
            MemoryError,
            tf.errors.ResourceExhaustedError,
            tf.errors.PermissionDeniedError,
        ):
            raise
        except Exception as error:  # a damaged file has many names in TensorFlow
            return _reason(error)
        if records is None:
            return None
        return records.problem(step, progress.epoch, progress.losses_crc32c)


def _reason(error: Exception) -> str:
    """Returns the first line of what an error says."""
    text = getattr(error, "strerror", None) or getattr(error, "message", None) or error
    lines = str(text).splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _random_states(encoder: keras.Model) -> dict[str, list[tf.Variable]]:
    """States of the encoder's seed generators, which TensorFlow does not track."""
    states = [v.value for v in encoder.variables if v.name == "seed_generator_state"]
    return {"random_states": states} if states else {}


def _objective_variables(
    objectives: Sequence[Sequence[Objective]],
) -> dict[str, list[tf.Variable]]:
    """What objectives train that are no heads, as Proxy-Anchor its proxies."""
    found = [
        variable.value
        for of_group in objectives
        for one in of_group
        if not isinstance(one, HeadObjective)
        for variable in one.variables
    ]
    return {"objective_variables": found} if found else {}
