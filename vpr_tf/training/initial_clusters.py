"""NetVLAD starts training from clusters of local features."""

from __future__ import annotations

import logging

import keras
import numpy as np

from vpr_tf.config import ExperimentConfig
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.extraction.initial_clusters import initialize_clusters_from_train
from vpr_tf.models.cluster_initialization import needs_clusters
from vpr_tf.training.group_trainer import GroupTrainer
from vpr_tf.training.strategy import is_chief, values_of_chief

_LOG = logging.getLogger(__name__)


def start_from_clusters(
    trainer: GroupTrainer,
    plain_encoder: keras.Model,
    dataset: PreparedDataset,
    config: ExperimentConfig,
) -> None:
    """Sets the clusters of NetVLAD, unless the encoder's weights brought some.

    The chief finds them and gives them to all workers, which must call this together.

    Args:
        trainer: Its encoder is to train.
        plain_encoder: The same network outside the strategy; gets its weights.
        dataset: The prepared dataset.
        config: The experiment.

    Raises:
        ValueError: The images give too few different features.
    """
    if not needs_clusters(trainer.encoder):
        return
    plain_encoder.set_weights(trainer.encoder_weights())
    if is_chief(trainer.strategy):
        done = initialize_clusters_from_train(plain_encoder, dataset, config)
        _LOG.info("Initialised %s", done)
    source = plain_encoder.get_layer("aggregation")
    target = trainer.encoder.get_layer("aggregation")
    for theirs, ours in zip(source.weights, target.weights, strict=True):
        values = values_of_chief(trainer.strategy, theirs.numpy().ravel())
        ours.assign(np.reshape(values, ours.shape).astype("float32"))
