"""Recall on val after an epoch; the chief measures and tells the others."""

from __future__ import annotations

import dataclasses
import logging
import math
import sys

import keras
import tensorflow as tf

from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.config import EvaluationConfig
from vpr_tf.data.prepared_dataset import EvaluationSet, PreparedDataset
from vpr_tf.evaluation import EvaluatedModel, EvaluationResult, evaluate
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.training.strategy import is_chief, values_of_chief

_LOG = logging.getLogger(__name__)


class Validator:
    """Measures an encoder on one evaluation set.

    Args:
        dataset: The prepared dataset.
        evaluation_set: The set, usually val.
        config: How images are prepared and searched.
        strategy: Its chief measures; the others wait.
    """

    def __init__(
        self,
        dataset: PreparedDataset,
        evaluation_set: EvaluationSet,
        config: EvaluationConfig,
        strategy: tf.distribute.Strategy,
    ) -> None:
        self.dataset = dataset
        self.evaluation_set = evaluation_set
        # The best model is chosen by R@1.
        self.config = dataclasses.replace(
            config, recall_values=sorted({1, *config.recall_values})
        )
        self._strategy = strategy

    def measure(
        self, encoder: keras.Model, predictor: PlacePredictor | None = None
    ) -> tuple[dict[int, float], EvaluationResult | None]:
        """Measures recall; all workers must call it.

        Args:
            encoder: The encoder.
            predictor: Heads that localize; None for retrieval.

        Returns:
            Recall in percent by N, the same on every worker and empty when no query
            has a known position; and, on the chief, the whole result.
        """
        result = None
        values = [math.nan] * len(self.config.recall_values)
        if is_chief(self._strategy):
            result = evaluate(
                evaluated_model(encoder, predictor, self.config),
                self.dataset,
                self.evaluation_set,
                self.config,
                progress=sys.stderr.isatty(),
            )
            values = [result.recalls[n] for n in self.config.recall_values]
        values = values_of_chief(self._strategy, values)
        recalls = dict(zip(self.config.recall_values, values, strict=True))
        if math.isnan(recalls[1]):
            _LOG.warning("No query of val has a known position: no recall.")
            return {}, result
        return recalls, result


def evaluated_model(
    encoder: keras.Model, predictor: PlacePredictor | None, config: EvaluationConfig
) -> EvaluatedModel:
    """Returns what is evaluated: heads if there are any, else retrieval."""
    extractor = FeatureExtractor(
        encoder, config.preprocessing, batch_size=config.batch_size
    )
    return EvaluatedModel(extractor, predictor)
