"""Checkpoints of the whole training state, and the weights of the best encoder."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from vpr_tf.atomic_files import replace_file, write_json
from vpr_tf.classification import RUN_FOLDER, save_heads
from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.models.hdf5_weights import load_hdf5
from vpr_tf.training.errors import TrainingError
from vpr_tf.training.group_trainer import GroupTrainer
from vpr_tf.training.process import is_chief
from vpr_tf.training.progress import TrainingProgress
from vpr_tf.training.run_folder import BEST_INFO_FILE

_MAX_TO_KEEP = 2
BEST_WEIGHTS_FILE = "encoder.weights.h5"


class _ProgressState(tf.train.experimental.PythonState):
    """Makes the counters part of a TensorFlow checkpoint."""

    def __init__(self, progress: TrainingProgress) -> None:
        self._progress = progress

    def serialize(self) -> str:
        return self._progress.to_json()

    def deserialize(self, string_value: bytes | str) -> None:
        text = (
            string_value.decode() if isinstance(string_value, bytes) else string_value
        )
        self._progress.load_json(text)


class CheckpointStore:
    """Saves and restores encoder, heads, optimizers, loss scale and counters.

    Under several workers all of them must call `save` together; the chief's files
    are the checkpoint, and every worker restores from them, so the folder must lie
    where all can read it. The others write to a temporary folder, since saving may
    need values from all workers.

    Args:
        trainer: What is saved and restored.
        folder: The run's `checkpoints/`; None on a worker that has no run folder.
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
        )
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if folder is None or not is_chief(trainer.strategy):
            self._temporary = tempfile.TemporaryDirectory(prefix="vpr_tf_worker_")
        self._manager = tf.train.CheckpointManager(
            self._checkpoint,
            self._temporary.name if self._temporary else str(folder),
            max_to_keep=_MAX_TO_KEEP,
            checkpoint_name="step",
        )

    def save(self) -> None:
        """Saves the current state, under the number of steps done.

        Raises:
            TrainingError: The folder cannot be written; earlier checkpoints stay.
        """
        self._trainer.average_statistics()
        try:
            self._manager.save(checkpoint_number=self._trainer.progress.step)
        except tf.errors.OpError as error:
            raise TrainingError(
                f"Cannot write a checkpoint in {self._folder}: "
                f"{error.message.splitlines()[0]} The last good checkpoint is "
                f"{self.latest or 'none'}; go on with --resume when there is room."
            ) from error

    @property
    def latest(self) -> str | None:
        """Path prefix of the newest complete checkpoint."""
        if self._folder is None:
            return None
        return tf.train.latest_checkpoint(str(self._folder))

    def restore_latest(self) -> bool:
        """Restores the newest checkpoint and returns whether there was one.

        Raises:
            TrainingError: The checkpoint is damaged or holds other variables.
        """
        if self.latest is None:
            return False
        try:
            self._checkpoint.restore(self.latest).assert_consumed()
        # TensorFlow's reader has many names for a damaged file.
        except (tf.errors.OpError, AssertionError, LookupError, ValueError) as error:
            raise TrainingError(
                f"Cannot restore {self.latest}: {str(error).splitlines()[0]} Delete "
                "this checkpoint to go on from the one before, or start a new run."
            ) from error
        return True


def _random_states(encoder: keras.Model) -> dict[str, list[tf.Variable]]:
    """States of the encoder's seed generators, which TensorFlow does not track."""
    states = [v.value for v in encoder.variables if v.name == "seed_generator_state"]
    return {"random_states": states} if states else {}


def save_best(
    folder: Path,
    encoder: keras.Model,
    info: dict[str, Any],
    predictor: PlacePredictor | None = None,
) -> None:
    """Writes the encoder's weights, the heads that localize, and what is known of them.

    Each file appears whole; the description comes last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if predictor is not None:
        save_heads(predictor, folder / RUN_FOLDER.name)
    with replace_file(folder / BEST_WEIGHTS_FILE) as temporary:
        encoder.save_weights(temporary)
    write_json(folder / BEST_INFO_FILE, info)


def load_best(folder: Path, encoder: keras.Model) -> dict[str, Any]:
    """Loads the best weights into an encoder and returns their description.

    Args:
        folder: The run's `best/`.
        encoder: Built from the run's `encoder` config.

    Raises:
        TrainingError: The run has no best model yet.
    """
    weights = folder / BEST_WEIGHTS_FILE
    if not weights.is_file():
        raise TrainingError(
            f"No best model at {weights}. It is written after the first epoch."
        )
    load_hdf5(encoder, weights)
    return json.loads((folder / BEST_INFO_FILE).read_text())
