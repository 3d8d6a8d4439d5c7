"""Descriptors of all images of a split."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from vpr_tf.config import EvaluationConfig
from vpr_tf.data.errors import damaged_records_named
from vpr_tf.data.evaluation_batches import evaluation_batches
from vpr_tf.data.prepared_dataset import PreparedDataset, SplitIndex
from vpr_tf.extraction.compiled_encoders import Forward, compiled_encoder
from vpr_tf.extraction.descriptor_file import DescriptorFile
from vpr_tf.extraction.encoders import Encoder
from vpr_tf.extraction.encoders import encoder_fingerprint as fingerprint_of
from vpr_tf.extraction.errors import DescriptorError


def extract_descriptors(
    encoder: Encoder,
    dataset: PreparedDataset,
    split_name: str,
    config: EvaluationConfig,
    folder: str | Path,
    *,
    encoder_fingerprint: str,
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
        progress: Whether to draw a progress bar.

    Returns:
        Float32 `(num_images, descriptor_dim)`, memory-mapped, in record order.

    Raises:
        DescriptorError: The encoder gave NaN, infinity or another shape.
        DamagedRecordError: A record cannot be read or decoded.
    """
    split = dataset.split(split_name)
    source = descriptor_source(dataset, split_name, config, encoder_fingerprint)
    file = DescriptorFile(folder, source, len(split), encoder.descriptor_dim)
    missing = file.missing_rows
    if not len(missing):
        return file.descriptors
    forward = compiled_encoder(encoder, config.precision, encoder_fingerprint)
    bar = tqdm(
        total=len(split),
        initial=len(split) - len(missing),
        desc=split_name,
        unit=" images",
        mininterval=0.5,
        disable=not progress,
    )
    try:
        for images, record_ids in _batches(split, config, file):
            descriptors = _describe(forward, images)
            rows = record_ids.numpy()
            _check(descriptors, encoder.descriptor_dim, split.keys, rows)
            file.write(rows, descriptors)
            bar.update(len(rows))
    finally:
        file.commit()
        bar.close()
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
    descriptors = np.empty((len(record_ids), encoder.descriptor_dim), np.float32)
    forward = compiled_encoder(encoder, "float32", fingerprint_of(encoder))
    with (
        tqdm(total=len(record_ids), unit=" images", disable=not progress) as bar,
        damaged_records_named(split, lambda: record_ids),
    ):
        for images, ids in evaluation_batches(split, config, record_ids):
            rows = ids.numpy()
            described = _describe(forward, images)
            _check(described, encoder.descriptor_dim, split.keys, rows)
            descriptors[np.searchsorted(record_ids, rows)] = described
            bar.update(len(rows))
    return descriptors


def _batches(
    split: SplitIndex, config: EvaluationConfig, file: DescriptorFile
) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
    """Yields what is missing; names a record that cannot be read."""

    def commit_and_list_missing() -> np.ndarray:
        file.commit()
        return file.missing_rows

    with damaged_records_named(split, commit_and_list_missing):
        yield from evaluation_batches(split, config, file.missing_rows)


def descriptor_source(
    dataset: PreparedDataset,
    split_name: str,
    config: EvaluationConfig,
    encoder_fingerprint: str,
) -> dict[str, Any]:
    """Returns all that determines the descriptors of a split."""
    return {
        "format_version": 1,
        "dataset_fingerprint": dataset.fingerprint,
        "split": split_name,
        "encoder_fingerprint": encoder_fingerprint,
        "precision": config.precision,
        "resize": config.resize,
        "image_size": None if config.resize == "native" else config.image_size,
    }


def _describe(forward: Forward, images: tf.Tensor) -> np.ndarray:
    try:
        return forward(images)
    except tf.errors.InvalidArgumentError as error:
        # A graph of images of any size learns only now that one is too small.
        text = str(error)
        rule = text.partition("assertion failed: [")[2].partition("]")[0]
        height, width = images.shape[1:3]
        raise DescriptorError(
            f"The encoder refuses images of {height}x{width} pixels. "
            f"{rule or text.strip().splitlines()[0]}"
        ) from error


def _check(
    descriptors: np.ndarray, descriptor_dim: int, keys: np.ndarray, rows: np.ndarray
) -> None:
    shape = (len(rows), descriptor_dim)
    if descriptors.shape != shape:
        raise DescriptorError(
            f"The encoder must give descriptors of shape {shape}. "
            f"Received: {descriptors.shape}"
        )
    bad = np.flatnonzero(~np.isfinite(descriptors).all(axis=1))
    if len(bad):
        raise DescriptorError(
            "The encoder must give finite descriptors. Received: NaN or infinity for "
            f"{keys[rows[bad[0]]].decode()}. Check its weights, and the precision "
            "(mixed_float16 overflows first)."
        )
