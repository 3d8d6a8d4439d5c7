"""What the chief says and writes of a run: what it trains on, and how it goes."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.config import AdaptedTo, ExperimentConfig
from vpr_tf.data.partition import Partition
from vpr_tf.data.prepared_dataset import EvaluationSet, PreparedDataset
from vpr_tf.evaluation import EvaluationResult, prediction_picture, warning_lines
from vpr_tf.training.best_model import BestInfo, lacking_best, save_best
from vpr_tf.training.callbacks import (
    MetricsWriter,
    ProgressBar,
    TensorBoardWriter,
    val_recalls,
)
from vpr_tf.training.checks import Augment
from vpr_tf.training.group_trainer import GroupTrainer
from vpr_tf.training.objectives import LossFunction, variables_of
from vpr_tf.training.process import learning_batch_norms
from vpr_tf.training.run_folder import RunFolder
from vpr_tf.training.run_records import LossesFile, MetricsFile

_OF_ALL_LAYERS = ("name", "trainable", "dtype", "data_format")
_LOG = logging.getLogger(__name__)
_QUERIES_IN_PICTURE = 6
_PREDICTIONS_IN_PICTURE = 4


def data_facts(
    dataset: PreparedDataset,
    partition: Partition,
    augment: Augment | None = None,
    objectives: Sequence[LossFunction] = (),
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
        "objectives": [_describe(one) for one in objectives],
    }


def _describe(function: Callable[..., Any] | None) -> str | None:
    """Names a function, and a layer with its settings."""
    if function is None:
        return None
    if isinstance(function, keras.layers.Layer):
        settings = function.get_config()
        shown = [f"{n}={v!r}" for n, v in settings.items() if n not in _OF_ALL_LAYERS]
        return f"{type(function).__name__}({', '.join(shown)})"
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', '?')}.{name}"


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
        "num_head_parameters": int(
            sum(
                np.prod(variable.shape)
                for objectives in trainer.objectives
                for variable in variables_of(objectives)
            )
        ),
        "num_replicas": trainer.strategy.num_replicas_in_sync,
        "objective_weights": {one.name: one.weight for one in trainer.objectives[0]},
        "classes_left_out": trainer.classes_left_out,
        "num_learning_batch_norms": len(learning_batch_norms(trainer.encoder)),
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
    if train.has_class_heads:
        _LOG.info(
            "Heads: %s, %s parameters train",
            *(train.head.name, f"{facts['num_head_parameters']:,}"),
        )
    weights = facts["objective_weights"].items()
    _LOG.info(
        "Objectives: %s", " + ".join(f"{weight:g} {name}" for name, weight in weights)
    )
    if "teacher" in facts:
        _LOG.info("Teacher: %s", facts["teacher_description"])
    if train.target is not None:
        target = AdaptedTo.of(train.target, "")
        _LOG.info("Target: %s, without labels", target.text)
    _LOG.info(
        "Data: %s, partition %s: %d group(s) of %s classes, %s images",
        *(config.dataset.path, config.partition_name, len(counts)),
        classes + (" + ..." if len(counts) > 8 else ""),
        f"{facts['num_train_images']:,}",
    )
    if left_out := sum(facts["classes_left_out"]):
        _LOG.warning(
            "%s of %s classes have fewer than %d photos and are left out "
            "(train.photos_per_class).",
            *(f"{left_out:,}", f"{sum(counts):,}", train.photos_per_class),
        )
    chunk, norms = train.gradient_cache_chunk, facts["num_learning_batch_norms"]
    if chunk is not None and norms:
        _LOG.warning(
            "%d batch norms take their statistics from the %d images of a chunk "
            "(train.gradient_cache_chunk), not from the whole batch.",
            *(norms, chunk),
        )
    _LOG.info(
        "Training: %d epochs of %d steps of %d images (%dx%d), %s, %s, %d replica(s)",
        *(train.epochs, train.iterations_per_epoch, train.batch_size),
        *(train.image_size, train.image_size, train.precision, train.strategy),
        facts["num_replicas"],
    )
    _LOG.info("Run folder: %s", run.path)
    _LOG.info("Watch it: tensorboard --logdir %s", run.tensorboard)


class RunWriters:
    """Losses, metrics, TensorBoard, progress bar and best model of one run.

    Args:
        config: The experiment.
        trainer: Its trainer, already at the step where the run goes on.
        run: Where to write.
        facts: What the run trains on, for metrics.json.

    Attributes:
        callbacks: Keras callbacks that write as the run goes on.
        run: The run's folder.
    """

    def __init__(
        self,
        config: ExperimentConfig,
        trainer: GroupTrainer,
        run: RunFolder,
        facts: dict[str, Any],
    ) -> None:
        self.run = run
        self._progress = trainer.progress
        self._said: set[str] = set()
        self._lacks_best = lacking_best(run.best, trainer.progress)
        if trainer.progress.step_in_epoch < config.train.iterations_per_epoch:
            self.require_best()
        # Else the run was perhaps interrupted while it wrote the best model anew.
        self._tensorboard = TensorBoardWriter(run.tensorboard, trainer.progress)
        self._bar = ProgressBar(config.train)
        metrics = MetricsFile(run.metrics_file)
        metrics.drop_epochs(trainer.progress.epoch)
        metrics.set_run(facts)
        losses = LossesFile(run.losses_file, trainer.progress.step)
        self.callbacks: list[keras.callbacks.Callback] = [
            MetricsWriter(losses, metrics, trainer.progress, config.train.groups_num),
            self._tensorboard,
            self._bar,
        ]
        if trainer.progress.step == 0 and config.train.input == "images":
            images = trainer.first_images()
            self._tensorboard.write_picture("train/augmented", image_grid(images))

    def close_bar(self) -> None:
        """Makes room for messages."""
        self._bar.close()

    def write_result(
        self,
        dataset: PreparedDataset,
        evaluation_set: EvaluationSet,
        result: EvaluationResult,
    ) -> None:
        """Warns once and draws queries of val with their first predictions.

        Places have no picture.
        """
        for line in warning_lines([result]):
            if line not in self._said:
                _LOG.warning("%s", line)
        self._said.update(warning_lines([result]))
        if result.method == "classification":
            return
        picture = prediction_picture(
            dataset,
            evaluation_set,
            result,
            max_queries=_QUERIES_IN_PICTURE,
            num_predictions=_PREDICTIONS_IN_PICTURE,
        )
        self._tensorboard.write_picture("val/predictions", picture)

    def write_best(
        self,
        encoder: keras.Model,
        metrics: dict[str, float],
        predictor: PlacePredictor | None,
    ) -> None:
        """Keeps the encoder, and the heads that localize, as the best so far."""
        progress = self._progress
        info = BestInfo(progress.epoch, progress.step, val_recalls(metrics))
        save_best(self.run.best, encoder, info, predictor)
        self._lacks_best = None

    def require_best(self) -> None:
        """Checks that `best/` holds the best model so far.

        Raises:
            TrainingError: It does not.
        """
        if self._lacks_best is not None:
            raise self._lacks_best


def image_grid(
    images: np.ndarray, columns: int = 8, max_images: int = 32
) -> np.ndarray:
    """Places images side by side.

    Args:
        images: Floats in [0, 1], `(num_images, height, width, 3)`.
        columns: Images in a row.
        max_images: The rest is left out.

    Returns:
        RGB uint8; missing images of the last row are white.
    """
    images = np.rint(np.clip(images[:max_images], 0, 1) * 255).astype(np.uint8)
    columns = min(columns, len(images))
    missing = -len(images) % columns
    images = np.pad(images, ((0, missing), (0, 0), (0, 0), (0, 0)), constant_values=255)
    rows, (height, width) = len(images) // columns, images.shape[1:3]
    grid = images.reshape(rows, columns, height, width, 3).swapaxes(1, 2)
    return grid.reshape(rows * height, columns * width, 3)
