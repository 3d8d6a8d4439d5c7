"""Training of heads on descriptors that stay as they are."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from vpr_tf.config import ExperimentConfig
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.extraction.descriptors import extract_descriptors
from vpr_tf.extraction.encoders import encoder_fingerprint
from vpr_tf.models.precision import in_precision


def train_descriptors(
    encoder: keras.Model, dataset: PreparedDataset, config: ExperimentConfig
) -> np.ndarray:
    """Describes the train split once, for all runs with the same encoder.

    Images are prepared as in evaluation, without augmentation.

    Args:
        encoder: With the weights of `config.encoder`.
        dataset: The prepared dataset.
        config: `evaluation` and `runs_dir`.

    Returns:
        `(num_images, descriptor_dim)`, memory-mapped.
    """
    fingerprint = encoder_fingerprint(encoder)
    folder = Path(config.runs_dir) / "train_descriptors" / fingerprint[:16]
    return extract_descriptors(
        in_precision(encoder, config.evaluation.precision),
        dataset,
        "train",
        config.evaluation,
        folder,
        encoder_fingerprint=fingerprint,
    )


def passing_encoder(descriptor_dim: int) -> keras.Model:
    """Returns what stands for an encoder whose descriptors are computed already."""
    descriptors = keras.Input((descriptor_dim,), name="descriptors")
    passed = keras.layers.Identity(dtype="float32")(descriptors)
    return keras.Model(descriptors, passed, name="fixed_descriptors")
