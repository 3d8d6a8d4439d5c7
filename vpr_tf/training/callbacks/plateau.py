"""What happens when R@1 on val stops rising.

Unlike Keras's callbacks of these names, all they remember is in `TrainingProgress`, so
that a resumed run decides the same, and epochs without validation are no plateau.
"""

from __future__ import annotations

import keras

from vpr_tf.training.progress import TrainingProgress

_MONITOR = "val_recall@1"


class ReduceOnPlateau(keras.callbacks.Callback):
    """Multiplies the encoder's learning rate by a factor.

    Args:
        progress: Holds the best epoch and the product of the reductions.
        factor: The multiplier.
        patience_epochs: Epochs without a better R@1, and since the last reduction.
    """

    def __init__(
        self, progress: TrainingProgress, factor: float, patience_epochs: int
    ) -> None:
        super().__init__()
        self._progress = progress
        self._factor, self._patience = factor, patience_epochs

    def on_epoch_end(self, epoch, logs=None):
        if _MONITOR not in (logs or {}):
            return
        progress = self._progress
        since = max(progress.best_epoch or 0, progress.last_reduction_epoch or 0)
        if epoch - since >= self._patience:
            progress.learning_rate_factor *= self._factor
            progress.last_reduction_epoch = epoch


class EarlyStopping(keras.callbacks.Callback):
    """Ends the run.

    Args:
        progress: Holds the best epoch.
        patience_epochs: Epochs without a better R@1.
    """

    def __init__(self, progress: TrainingProgress, patience_epochs: int) -> None:
        super().__init__()
        self._progress, self._patience = progress, patience_epochs

    def on_epoch_end(self, epoch, logs=None):
        if _MONITOR not in (logs or {}):
            return
        if epoch - (self._progress.best_epoch or 0) >= self._patience:
            self._progress.stopped_early = True
