"""What a run trains on: recorded, printed."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

import keras
import numpy as np

from vpr_tf.config import ExperimentConfig
from vpr_tf.data.prepared_dataset import Partition, PreparedDataset
from vpr_tf.training.group_trainer import Augment, GroupTrainer
from vpr_tf.training.run_folder import RunFolder

_OF_ALL_LAYERS = ("name", "trainable", "dtype", "data_format")
_LOG = logging.getLogger(__name__)


def data_facts(
    dataset: PreparedDataset, partition: Partition, augment: Augment | None = None
) -> dict[str, Any]:
    """Returns the fingerprints of what the samples depend on."""
    digest = hashlib.sha256()
    arrays = [partition.classes, partition.class_offsets, partition.record_ids]
    if partition.regions is not None:
        arrays.append(partition.regions)
    for array in arrays:
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return {
        "dataset_fingerprint": dataset.fingerprint,
        "partition": partition.name,
        "partition_fingerprint": digest.hexdigest(),
        "augment": _describe(augment),
    }


def _describe(augment: Augment | None) -> str | None:
    """Names a function, and a layer with its settings."""
    if augment is None:
        return None
    if isinstance(augment, keras.layers.Layer):
        settings = augment.get_config()
        shown = [f"{n}={v!r}" for n, v in settings.items() if n not in _OF_ALL_LAYERS]
        return f"{type(augment).__name__}({', '.join(shown)})"
    name = getattr(augment, "__qualname__", type(augment).__qualname__)
    return f"{getattr(augment, '__module__', '?')}.{name}"


def model_facts(trainer: GroupTrainer, partition: Partition) -> dict[str, Any]:
    """Returns sizes of the encoder, of the heads and of the trained groups."""
    offsets = partition.class_offsets
    images = 0
    for group_id in range(len(trainer.classes_per_group)):
        classes = partition.classes_of_group(group_id)
        images += int(offsets[classes.stop] - offsets[classes.start])
    return {
        "classes_per_group": trainer.classes_per_group,
        "num_train_images": images,
        "num_encoder_parameters": trainer.encoder.count_params(),
        "num_trainable_parameters": int(
            sum(np.prod(v.shape) for v in trainer.encoder.trainable_variables)
        ),
        "num_head_parameters": sum(head.count_params() for head in trainer.heads),
        "num_replicas": trainer.strategy.num_replicas_in_sync,
    }


def announce(config: ExperimentConfig, facts: dict[str, Any], run: RunFolder) -> None:
    """Prints what is trained and where to watch it."""
    encoder, train = config.encoder, config.train
    counts = facts["classes_per_group"]
    classes = " + ".join(f"{count:,}" for count in counts[:8])
    trained = (
        f"{facts['num_trainable_parameters']:,} of "
        f"{facts['num_encoder_parameters']:,} parameters train"
    )
    if train.input == "descriptors":
        trained = "stays as it is"
    _LOG.info(
        "Encoder: %s, %s dimensions, weights %s; %s",
        *(encoder.backbone, encoder.descriptor_dim or "all", encoder.weights, trained),
    )
    _LOG.info(
        "Heads: %s, %s parameters train",
        *(train.head.name, f"{facts['num_head_parameters']:,}"),
    )
    _LOG.info(
        "Data: %s, partition %s: %d group(s) of %s classes, %s images",
        *(config.dataset.path, config.partition_name, len(counts)),
        classes + (" + ..." if len(counts) > 8 else ""),
        f"{facts['num_train_images']:,}",
    )
    _LOG.info(
        "Training: %d epochs of %d steps of %d images (%dx%d), %s, %s, %d replica(s)",
        *(train.epochs, train.iterations_per_epoch, train.batch_size),
        *(train.image_size, train.image_size, train.precision, train.strategy),
        facts["num_replicas"],
    )
    _LOG.info("Run folder: %s", run.path)
    _LOG.info("Watch it: tensorboard --logdir %s", run.tensorboard)
