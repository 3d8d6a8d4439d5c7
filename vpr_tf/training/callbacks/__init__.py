"""Keras callbacks of a training run.

They see the encoder as `self.model` and these logs: after each step `loss`, after each
epoch `epoch`, `group`, `loss`, `learning_rate`, `head_learning_rate`, `gem_p`,
`images_per_s` and, when the epoch was validated, `val_recall@N`.
"""

from vpr_tf.training.callbacks.checkpoint_saver import CheckpointSaver
from vpr_tf.training.callbacks.metrics_writer import MetricsWriter
from vpr_tf.training.callbacks.plateau import EarlyStopping, ReduceOnPlateau
from vpr_tf.training.callbacks.progress_bar import ProgressBar
from vpr_tf.training.callbacks.tensorboard_writer import TensorBoardWriter

__all__ = [
    "CheckpointSaver",
    "EarlyStopping",
    "MetricsWriter",
    "ProgressBar",
    "ReduceOnPlateau",
    "TensorBoardWriter",
]
