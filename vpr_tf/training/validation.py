"""Recall and loss on val after an epoch; the chief measures and tells the others."""

from __future__ import annotations

import dataclasses
import logging
import math
import sys
from typing import NamedTuple

import keras
import tensorflow as tf

from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.config import EvaluationConfig
from vpr_tf.data.prepared_dataset import EvaluationSet, PreparedDataset
from vpr_tf.evaluation import EvaluatedModel, EvaluationResult, evaluate
from vpr_tf.evaluation.evaluate import descriptor_folder
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.training.learning_rate import MONITOR, VAL_LOSS
from vpr_tf.training.strategy import is_chief, values_of_chief
from vpr_tf.training.val_loss import ValLoss

_LOG = logging.getLogger(__name__)


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
            _LOG.warning("No query of val has a known position: no recall.")
            metrics = {}
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
