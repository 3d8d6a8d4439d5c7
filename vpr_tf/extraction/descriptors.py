"""Descriptors of all images of a split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.config import EvaluationConfig
from vpr_tf.data.evaluation_batches import SplitImages
from vpr_tf.data.prepared_dataset import PreparedDataset, SplitIndex
from vpr_tf.extraction.compiled_encoders import compiled_encoder
from vpr_tf.extraction.descriptor_file import DescriptorFile
from vpr_tf.extraction.encoders import Encoder
from vpr_tf.extraction.encoders import encoder_fingerprint as fingerprint_of
from vpr_tf.extraction.image_descriptors import DescriptorArray, describe_images


def extract_descriptors(
    encoder: Encoder,
    dataset: PreparedDataset,
    split_name: str,
    config: EvaluationConfig,
    folder: str | Path,
    *,
    encoder_fingerprint: str,
    dtype: str = "float32",
    progress: bool = True,
) -> np.ndarray:
    """Computes the descriptors of a split, or what a former run left to do.

    Args:
        encoder: The encoder.
        dataset: The prepared dataset.
        split_name: Split whose images are described.
        config: Resize, batch size and precision.
        folder: Folder for the descriptors; see `DescriptorFile`.
        encoder_fingerprint: Identity of the encoder.
        dtype: `float32` or `float16`, of the file.
        progress: Whether to draw a progress bar.

    Returns:
        `(num_images, descriptor_dim)`, memory-mapped, in record order.

    Raises:
        DescriptorError: The encoder gave NaN, infinity or another shape.
        DamagedRecordError: A record cannot be read or decoded.
    """
    split = dataset.split(split_name)
    source = descriptor_source(dataset, split_name, config, encoder_fingerprint)
    file = DescriptorFile(folder, source, len(split), encoder.descriptor_dim, dtype)
    if not len(file.missing_rows):
        return file.descriptors  # without compiling
    forward = compiled_encoder(encoder, config.precision, encoder_fingerprint)
    describe_images(
        forward,
        encoder.descriptor_dim,
        SplitImages(split),
        config,
        file,
        progress=progress,
    )
    return file.descriptors


def describe_records(
    encoder: Encoder,
    split: SplitIndex,
    config: EvaluationConfig,
    record_ids: np.ndarray,
    *,
    progress: bool = True,
) -> np.ndarray:
    """Computes the descriptors of some records of a split, in memory.

    Args:
        encoder: The encoder, in the precision that it has.
        split: The split.
        config: Resize and batch size.
        record_ids: Which records, in increasing order.
        progress: Whether to draw a progress bar.

    Returns:
        Float32 `(num_records, descriptor_dim)`, in the order of `record_ids`.

    Raises:
        DescriptorError: The encoder gave NaN, infinity or another shape.
        DamagedRecordError: A record cannot be read or decoded.
    """
    array = DescriptorArray(record_ids, encoder.descriptor_dim)
    forward = compiled_encoder(encoder, "float32", fingerprint_of(encoder))
    describe_images(
        forward,
        encoder.descriptor_dim,
        SplitImages(split),
        config,
        array,
        progress=progress,
    )
    return array.descriptors


def descriptor_source(
    dataset: PreparedDataset,
    split_name: str,
    config: EvaluationConfig,
    encoder_fingerprint: str,
) -> dict[str, Any]:
    """Returns all that determines the descriptors of a split."""
    return {
        "format_version": 1,
        "dataset_fingerprint": dataset.split_fingerprint(split_name),
        "split": split_name,
        **preparation(config, encoder_fingerprint),
    }


def preparation(config: EvaluationConfig, encoder_fingerprint: str) -> dict[str, Any]:
    """Returns all but the image that determines its descriptor."""
    return {
        "encoder_fingerprint": encoder_fingerprint,
        "precision": config.precision,
        "resize": config.resize,
        "image_size": None if config.resize == "native" else config.image_size,
    }
