"""Epochs of a run: train, validate, keep the best, save."""

from __future__ import annotations

import dataclasses
import logging
import math
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.config import EvaluationConfig
from vpr_tf.data.prepared_dataset import EvaluationSet, PreparedDataset
from vpr_tf.disk_errors import is_full
from vpr_tf.evaluation import EvaluatedModel, EvaluationResult, evaluate
from vpr_tf.evaluation.evaluate import descriptor_folder
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.training.callbacks import (
    MONITOR,
    STEPS_WITHOUT_PAIRS,
    VAL_LOSS,
    CheckpointSaver,
)
from vpr_tf.training.checkpoints import CheckpointStore
from vpr_tf.training.errors import (
    TrainingDivergedError,
    TrainingError,
    TrainingInterruptedError,
)
from vpr_tf.training.group_trainer import GroupTrainer
from vpr_tf.training.process import (
    StopSignal,
    is_chief,
    num_workers,
    sum_over_workers,
    values_of_chief,
)
from vpr_tf.training.run_writers import RunWriters
from vpr_tf.training.step_result import StepResult
from vpr_tf.training.val_loss import ValLoss

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass
class EpochLoop:
    """Runs the epochs that `trainer.progress` says are left.

    Attributes:
        trainer: Trains.
        plain_encoder: Takes the trained weights to be evaluated and saved.
        validator: Measures recall; None without a val set.
        classifier: Makes a classifier of the heads as they are; None when they are
            dropped.
        store: Checkpoints.
        saver: Says which steps' states will be saved; one of `callbacks`.
        callbacks: All Keras callbacks of this process, in order.
        writers: What the chief writes; None elsewhere.
        stop: Signals to this process.
    """

    trainer: GroupTrainer
    plain_encoder: keras.Model
    validator: Validator | None
    classifier: Callable[[], PlacePredictor] | None
    store: CheckpointStore
    saver: CheckpointSaver
    callbacks: Sequence[keras.callbacks.Callback]
    writers: RunWriters | None
    stop: StopSignal

    def run(self) -> None:
        """Trains until the last epoch, early stopping or a signal.

        Raises:
            TrainingDivergedError: The loss is not finite; names the step and the last
                good checkpoint.
            TrainingInterruptedError: A signal came; the state is saved.
        """
        progress, config = self.trainer.progress, self.trainer.config
        encoder = self.trainer.encoder
        encoder.stop_training = False
        callbacks = keras.callbacks.CallbackList(
            list(self.callbacks),
            model=encoder,
            epochs=config.epochs,
            steps=config.iterations_per_epoch,
        )
        callbacks.on_train_begin()
        try:
            while progress.epoch < config.epochs and not progress.stopped_early:
                self._run_epoch(callbacks)
                if encoder.stop_training:
                    progress.stopped_early = True
        except KeyboardInterrupt:
            self._interrupt()
        finally:
            self._close_bar()
            callbacks.on_train_end()
        if progress.stopped_early:
            _LOG.info("Stopped early after epoch %d.", progress.epoch)

    def _run_epoch(self, callbacks: keras.callbacks.CallbackList) -> None:
        progress = self.trainer.progress
        callbacks.on_epoch_begin(progress.epoch)
        images_per_s = self._train(callbacks)
        self._close_bar()
        logs = self._epoch_logs(images_per_s)
        metrics, is_best = self._validate()
        logs |= metrics
        callbacks.on_epoch_end(progress.epoch, logs)
        self._report(logs, is_best)
        progress.finish_epoch()
        self.store.save()
        # A signal during validation: the state after it is saved now.
        if sum_over_workers(self.trainer.strategy, [float(self.stop())])[0]:
            self._interrupt()

    def _train(self, callbacks: keras.callbacks.CallbackList) -> float | None:
        """Runs the steps left in the epoch and returns images/s after the first."""
        progress, config = self.trainer.progress, self.trainer.config
        results = self.trainer.train_epoch(
            finish_before=self.saver.is_due, stop_requested=self.stop
        )
        first_end = last_end = None
        timed_steps = 0
        try:
            callbacks.on_train_batch_begin(progress.step_in_epoch)
            for result in results:
                last_end = time.perf_counter()
                timed_steps += first_end is not None
                first_end = first_end or last_end
                callbacks.on_train_batch_end(
                    progress.step_in_epoch - 1, _step_logs(result)
                )
                if progress.step_in_epoch < config.iterations_per_epoch:
                    callbacks.on_train_batch_begin(progress.step_in_epoch)
        except TrainingDivergedError as error:
            raise TrainingDivergedError(self._diverged(error)) from error
        except tf.errors.ResourceExhaustedError as error:
            if is_full(error):
                raise
            raise TrainingError(
                "Out of memory. Lower `train.batch_size` or `train.image_size`, or set "
                "`train.precision: mixed_bfloat16`."
            ) from error
        except tf.errors.OpError as error:
            raise TrainingError(
                f"Step {progress.step + 1} failed: {error.message.splitlines()[0]}"
            ) from error
        if progress.step_in_epoch < config.iterations_per_epoch:
            self.store.save()
            self._interrupt()
        if not timed_steps or first_end is None or last_end is None:
            return None
        images = timed_steps * config.batch_size * config.views_per_photo
        return images / (last_end - first_end)

    def _validate(self) -> tuple[dict[str, float], bool]:
        """Returns metrics of val, when due, and whether the model is the best."""
        progress, config = self.trainer.progress, self.trainer.config
        is_last = progress.epoch + 1 == config.epochs
        if not is_last and (progress.epoch + 1) % config.validate_every_epochs:
            return {}, False
        if config.input == "images":
            self.plain_encoder.set_weights(self.trainer.encoder_weights())
        predictor = self.classifier() if self.classifier is not None else None
        measured = Validation({}, None)
        if self.validator is not None:
            # The epoch's steps are saved; but other workers would wait for ever.
            with self.stop.raising(num_workers(self.trainer.strategy) == 1):
                measured = self.validator.measure(self.plain_encoder, predictor)
        metrics, result = measured
        is_best = progress.record_recall(metrics.get(MONITOR))
        if self.writers is not None:
            if is_best:
                self.writers.write_best(self.plain_encoder, metrics, predictor)
            else:
                self.writers.require_best()
            if self.validator is not None and result is not None:
                val = self.validator
                self.writers.write_result(val.dataset, val.evaluation_set, result)
        return metrics, is_best

    def _epoch_logs(self, images_per_s: float | None) -> dict[str, Any]:
        """Returns the logs of the epoch's steps; what is unknown is left out."""
        trainer = self.trainer
        learning_rate, head_learning_rate = trainer.learning_rates
        logs = {
            "epoch": trainer.progress.epoch,
            "group": trainer.group_id,
            "loss": trainer.progress.epoch_loss_sum / trainer.progress.step_in_epoch,
            "learning_rate": learning_rate,
            "head_learning_rate": head_learning_rate,
            "gem_p": trainer.gem_p,
            "images_per_s": images_per_s,
            STEPS_WITHOUT_PAIRS: trainer.progress.steps_without_pairs or None,
            **trainer.renewals.logs,
        }
        return {name: value for name, value in logs.items() if value is not None}

    def _report(self, logs: dict[str, Any], is_best: bool) -> None:
        progress, config = self.trainer.progress, self.trainer.config
        parts = [
            f"epoch {progress.epoch + 1}/{config.epochs}",
            f"group {logs['group']}",
        ]
        parts.append(f"loss {logs['loss']:.3f}")
        if "gem_p" in logs:
            parts.append(f"GeM p {logs['gem_p']:.3f}")
        if "images_per_s" in logs:
            parts.append(f"{logs['images_per_s']:.1f} images/s")
        symbol = "LR" if self.classifier is not None else "R"
        if STEPS_WITHOUT_PAIRS in logs:
            steps = f"{logs[STEPS_WITHOUT_PAIRS]} of {config.iterations_per_epoch}"
            parts.append(f"{steps} steps without a pair to learn from")
        recalls = [
            f"{symbol}@{name.removeprefix('val_recall@')} {value:.1f}"
            for name, value in logs.items()
            if name.startswith("val_recall@")
        ]
        if VAL_LOSS in logs:
            parts.append(f"val loss {logs[VAL_LOSS]:.3f}")
        if recalls:
            parts.append("val " + " ".join(recalls) + (" (best)" if is_best else ""))
        _LOG.info("%s", ", ".join(parts))

    def _diverged(self, error: TrainingDivergedError) -> str:
        latest = self.store.latest
        return (
            f"{error} The last good checkpoint is {latest or 'none'}. Lower "
            "`train.encoder_optimizer.learning_rate` or `train.head_optimizer."
            "learning_rate`, or use `train.precision: float32`, and start a new run."
        )

    def _interrupt(self) -> None:
        message = f"Interrupted at step {self.trainer.progress.step}. Saved: "
        message += self.store.latest or "nothing yet"
        if self.writers is not None:
            message += f". Go on with: {self.writers.run.resume_command}"
        raise TrainingInterruptedError(message, self.stop.exit_status)

    def _close_bar(self) -> None:
        if self.writers is not None:
            self.writers.close_bar()


def _step_logs(result: StepResult) -> dict[str, float]:
    """Returns the loss, and those of several objectives by their names."""
    each = result.each if len(result.each) > 1 else {}
    return {"loss": result.loss, **{f"loss_{n}": value for n, value in each.items()}}


class Validation(NamedTuple):
    """What was measured after an epoch.

    Attributes:
        metrics: `val_recall@N` in percent and `val_loss`, the same on every worker;
            without recalls when no query has a known position, without a loss when
            none is measured.
        result: The whole result, on the chief.
    """

    metrics: dict[str, float]
    result: EvaluationResult | None


class Validator:
    """Measures an encoder on one evaluation set.

    Args:
        dataset: The prepared dataset.
        evaluation_set: The set, usually val.
        config: How images are prepared and searched.
        strategy: Its chief measures; the others wait.
        val_loss: Of the queries; None to measure recall alone.
    """

    def __init__(
        self,
        dataset: PreparedDataset,
        evaluation_set: EvaluationSet,
        config: EvaluationConfig,
        strategy: tf.distribute.Strategy,
        val_loss: ValLoss | None = None,
    ) -> None:
        self.dataset = dataset
        self.evaluation_set = evaluation_set
        # The best model is chosen by R@1.
        self.config = dataclasses.replace(
            config, recall_values=sorted({1, *config.recall_values})
        )
        self._strategy, self._val_loss = strategy, val_loss

    def measure(
        self, encoder: keras.Model, predictor: PlacePredictor | None = None
    ) -> Validation:
        """Measures recall, and the loss; all workers must call it.

        Args:
            encoder: The encoder.
            predictor: Heads that localize; None for retrieval.
        """
        names = [f"val_recall@{n}" for n in self.config.recall_values]
        names += [VAL_LOSS] if self._val_loss is not None else []
        result, values = None, [math.nan] * len(names)
        if is_chief(self._strategy):
            model = evaluated_model(encoder, predictor, self.config)
            result, loss = self._measure(model)
            values = [result.recalls[n] for n in self.config.recall_values] + loss
        values = values_of_chief(self._strategy, values)
        metrics = dict(zip(names, values, strict=True))
        if math.isnan(metrics[MONITOR]):
            metrics = {}  # no query has a position: the result warns of it
        return Validation(metrics, result)

    def _measure(self, model: EvaluatedModel) -> tuple[EvaluationResult, list[float]]:
        """Returns the result and, if it is measured, the loss."""
        with descriptor_folder(None) as folder:
            result = evaluate(
                model,
                self.dataset,
                self.evaluation_set,
                self.config,
                work_dir=folder,
                progress=sys.stderr.isatty(),
            )
            if self._val_loss is None:
                return result, []
            queries = self.evaluation_set.queries
            # Read, not computed: the evaluation has left them.
            descriptors = model.extractor.extract_split(
                self.dataset, queries, folder / queries, progress=False
            )
            return result, [self._val_loss.measure(descriptors)]


def evaluated_model(
    encoder: keras.Model, predictor: PlacePredictor | None, config: EvaluationConfig
) -> EvaluatedModel:
    """Returns what is evaluated: heads if there are any, else retrieval."""
    extractor = FeatureExtractor(
        encoder, config.preprocessing, batch_size=config.batch_size
    )
    return EvaluatedModel(extractor, predictor)
