"""Predictions of an evaluation re-ranked, as `vpr localize` re-ranks matches."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

import numpy as np

from vpr_tf.config import ExperimentConfig
from vpr_tf.data.prepared_dataset import EvaluationSet
from vpr_tf.evaluation.errors import EvaluationError
from vpr_tf.evaluation.judge import Predictions, judge
from vpr_tf.evaluation.record_inliers import record_inliers
from vpr_tf.evaluation.results import EvaluationResult
from vpr_tf.evaluation.val_calibration import (
    OpenedModel,
    ValCalibration,
    calibrate_on_val,
)
from vpr_tf.localization import (
    Candidates,
    LookedAt,
    SecondLook,
    estimate_positions,
    wide_config,
)
from vpr_tf.matching import PhotoMatching
from vpr_tf.matching.opening import open_matching

if TYPE_CHECKING:
    from vpr_tf.extraction import FeatureExtractor

_LOG = logging.getLogger("vpr_tf")


class SetReranking:
    """Re-ranks the predictions of evaluation sets.

    Which queries are compared is said by a calibration on val, which is fitted once.

    Args:
        config: How photos are localized and re-ranked, and the seed.
        matching: Compares two photos.
        calibration: What val gives; None fits it when it is needed.

    Attributes:
        looks: What was compared, by the name of the set.
    """

    def __init__(
        self,
        config: ExperimentConfig,
        matching: PhotoMatching,
        calibration: ValCalibration | None = None,
    ) -> None:
        self._config, self._seed = config.localization, config.seed
        self.matching = matching
        self.looks: dict[str, LookedAt] = {}
        self._calibration = calibration

    @classmethod
    def of_config(
        cls, config: ExperimentConfig, extractor: FeatureExtractor
    ) -> SetReranking | None:
        """Returns what re-ranks as a config says; None if nothing is.

        Args:
            config: The config.
            extractor: For the matcher `dense`.

        Raises:
            EvaluationError: The method has no photos to compare.
            ImportError: The extra `rerank` is not installed.
            ValueError: The matcher has no weights, or cannot use the encoder.
        """
        rerank = config.localization.rerank
        if rerank.when == "never":
            return None
        if config.evaluation.method == "classification":
            raise EvaluationError(
                "`localization.rerank.when` must be never with "
                "`evaluation.method`: classification, which predicts places and no "
                f"photos. Received: {rerank.when}"
            )
        return cls(config, open_matching(rerank, lambda: extractor))

    @property
    def num_predictions(self) -> int:
        """Predictions of each query that are needed."""
        return max(self._config.num_predictions, self._config.rerank.candidates)

    def calibration(self, opened: OpenedModel) -> ValCalibration:
        """Returns what val gives, fitted when it is first asked for."""
        if self._calibration is None:
            self._calibration = calibrate_on_val(
                opened, self._config, self._seed, self.matching
            )
        return self._calibration

    def rerank(
        self,
        opened: OpenedModel,
        evaluation_set: EvaluationSet,
        result: EvaluationResult,
    ) -> EvaluationResult:
        """Returns a result whose predictions are in the order of the second look.

        Args:
            opened: The model and the dataset.
            evaluation_set: The set.
            result: Of the first look.
        """
        dataset, config = opened.dataset, self._config
        queries, database = (
            dataset.split(split).photo_table()
            for split in (evaluation_set.queries, evaluation_set.database)
        )
        matches = result.descriptor_distances, result.predictions, database
        first = estimate_positions(
            Candidates.from_matches(*matches, config, queries.heading_deg), config
        )
        if config.rerank.when == "below_confidence":
            first = first.calibrated(self.calibration(opened).first)
        counter = record_inliers(self.matching, dataset, evaluation_set)
        look = SecondLook(config.rerank, counter)
        wide = wide_config(config)
        candidates = Candidates.from_matches(*matches, wide, queries.heading_deg)
        wanted = look.wanted(first)
        # All that were compared have a new order, those that do not vote as well.
        looked_at = LookedAt.of(candidates, wanted, look, wide)
        order = np.tile(np.arange(result.predictions.shape[1]), (len(queries), 1))
        for number, query in enumerate(looked_at.queries.tolist()):
            found, _ = looked_at.candidates.photos_of(number)
            order[query] = _moved_first(result.predictions[query], found)
        self.looks[evaluation_set.name] = dataclasses.replace(
            looked_at, candidates=looked_at.candidates.first(config.num_predictions)
        )
        _LOG.info(
            "%s: %d of %d queries were compared with their candidates by %s.",
            *(result.name, len(looked_at.queries), len(queries), look.matched_by),
        )
        for which, problems in (
            ("not re-ranked", looked_at.problems),
            ("re-ranked without some candidates", looked_at.left_out),
        ):
            for query, problem in problems.items():
                name = queries.keys[query].decode(errors="replace")
                _LOG.warning("%s was %s: %s.", name, which, problem)
        return _in_order(opened, evaluation_set, result, order)


def _moved_first(predictions: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Returns the columns of some rows, in their order, and then the others."""
    columns = {row: column for column, row in enumerate(predictions.tolist())}
    moved = [columns[row] for row in first.tolist()]
    others = np.setdiff1d(np.arange(len(predictions)), moved)
    return np.concatenate([np.array(moved, np.int64), others])


def _in_order(
    opened: OpenedModel,
    evaluation_set: EvaluationSet,
    result: EvaluationResult,
    order: np.ndarray,
) -> EvaluationResult:
    """Judges the same predictions in another order."""
    rows, distances = (
        np.take_along_axis(values, order, 1)
        for values in (result.predictions, result.descriptor_distances)
    )
    predictions = Predictions.from_search(
        opened.dataset, evaluation_set.database, rows, distances, result.is_exact
    )
    judged = judge(
        predictions, opened.dataset, evaluation_set, opened.config, method=result.method
    )
    return dataclasses.replace(
        judged,
        preprocessing=result.preprocessing,
        engine=result.engine,
        warnings=result.warnings,
    )
