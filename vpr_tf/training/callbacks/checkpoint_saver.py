"""Saves the state every so many steps and after every epoch."""

from __future__ import annotations

import keras

from vpr_tf.config import TrainConfig
from vpr_tf.training.checkpoints import CheckpointStore
from vpr_tf.training.progress import TrainingProgress


class CheckpointSaver(keras.callbacks.Callback):
    """Saves within an epoch, and when its last step is done.

    It must come after callbacks that write what belongs to the steps so far.

    Args:
        store: Where to save.
        progress: Counters of the run.
        config: The interval, and the steps of an epoch: its last step is saved
            before validation, which may take longer than the epoch.
    """

    def __init__(
        self, store: CheckpointStore, progress: TrainingProgress, config: TrainConfig
    ) -> None:
        super().__init__()
        self._store, self._progress = store, progress
        self._intervals = (config.checkpoint_every_steps, config.iterations_per_epoch)

    def is_due(self, step: int) -> bool:
        """Whether the state after this many steps of the run is saved."""
        return any(step % interval == 0 for interval in self._intervals)

    def on_train_batch_end(self, batch, logs=None):
        if self.is_due(self._progress.step):
            self._store.save()
