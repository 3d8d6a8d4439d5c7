"""The encoders of a run besides the one that trains, and what it starts from."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from vpr_tf.config import EncoderConfig, ExperimentConfig
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.extraction.initial_clusters import initialize_clusters_from_train
from vpr_tf.models import build_encoder, needs_clusters
from vpr_tf.training.group_trainer import GroupTrainer
from vpr_tf.training.process import is_chief, values_of_chief

_LOG = logging.getLogger(__name__)


def build_plain_encoder(config: EncoderConfig) -> keras.Model:
    """Builds an encoder that evaluates, exports and saves: float32, one device.

    The training encoder cannot under every strategy: one process alone must not read
    variables that all workers share. Its weights are to be set.
    """
    return build_encoder(dataclasses.replace(config, weights="none"))


@dataclass(frozen=True, eq=False)
class FixedDescriptors:
    """An encoder that stays as it is, and what it says of the train split.

    Attributes:
        encoder: With the weights of `config.encoder`.
        descriptors: `(num_images, descriptor_dim)`, memory-mapped.
    """

    encoder: keras.Model
    descriptors: np.ndarray

    @classmethod
    def of(
        cls, encoder: keras.Model, dataset: PreparedDataset, config: ExperimentConfig
    ) -> FixedDescriptors:
        """Describes the train split once, for all runs with the same encoder.

        Images are prepared as in evaluation, without augmentation.

        Args:
            encoder: Any encoder.
            dataset: The prepared dataset.
            config: `evaluation` and `runs_dir`, where the descriptors are kept.
        """
        evaluation = config.evaluation
        extractor = FeatureExtractor(
            encoder, evaluation.preprocessing, batch_size=evaluation.batch_size
        )
        name = extractor.fingerprint[:16]
        folder = Path(config.runs_dir) / "train_descriptors" / name
        return cls(encoder, extractor.extract_split(dataset, "train", folder))


def identity_encoder(descriptor_dim: int) -> keras.Model:
    """Returns what stands for an encoder whose descriptors are computed already."""
    descriptors = keras.Input((descriptor_dim,), name="descriptors")
    passed = keras.layers.Identity(dtype="float32")(descriptors)
    return keras.Model(descriptors, passed, name="fixed_descriptors")


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
