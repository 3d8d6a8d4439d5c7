"""Training of heads on descriptors that stay as they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from vpr_tf.config import ExperimentConfig
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.extraction import FeatureExtractor


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
