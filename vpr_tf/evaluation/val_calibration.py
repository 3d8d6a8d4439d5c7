"""The confidence of an evaluation: fitted on val, never on the queries judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from vpr_tf.classification import calibrate_predictor
from vpr_tf.config import EvaluationConfig, LocalizationConfig
from vpr_tf.data.prepared_dataset import EvaluationSet, PreparedDataset
from vpr_tf.evaluation.evaluated_model import EvaluatedModel
from vpr_tf.evaluation.record_inliers import record_inliers
from vpr_tf.evaluation.results import EvaluationResult
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.localization import (
    Calibration,
    FittedOn,
    LocalizationError,
    SecondLook,
    calibrate_on_queries,
    calibrate_reranked,
    predictions_to_calibrate,
)

if TYPE_CHECKING:
    from vpr_tf.matching import PhotoMatching


class OpenedModel(Protocol):
    """A model and a dataset, as `Evaluation` holds them."""

    @property
    def dataset(self) -> PreparedDataset:
        """The dataset."""

    @property
    def model(self) -> EvaluatedModel:
        """The model."""

    @property
    def config(self) -> EvaluationConfig:
        """Search, threshold and recall values."""

    @property
    def extractor(self) -> FeatureExtractor:
        """Describes the database."""

    def descriptors(self, split: str) -> np.ndarray:
        """Returns the descriptors of a split."""

    def first_look(
        self, evaluation_set: EvaluationSet, num_predictions: int | None = None
    ) -> EvaluationResult:
        """Evaluates one set, whose predictions are not re-ranked."""


@dataclass(frozen=True)
class ValCalibration:
    """What the val set of a dataset gives.

    Attributes:
        first: The calibration; None without.
        reranked: That of re-ranked candidates; None without.
        why_none: Why there is none; empty if there is.
    """

    first: Calibration | None
    reranked: Calibration | None = None
    why_none: str = ""


def calibrate_on_val(
    opened: OpenedModel,
    config: LocalizationConfig,
    seed: int,
    matching: PhotoMatching | None = None,
) -> ValCalibration:
    """Fits the calibration on the val set of the same dataset, with the same encoder.

    Args:
        opened: The model and the dataset.
        config: How photos are localized.
        seed: Of the division into folds.
        matching: Compares queries with candidates, for re-ranked ones; None for none.
    """
    val, predictor = opened.dataset.val, opened.model.predictor
    if val is None:
        why = "the dataset has no val set to calibrate on"
        return ValCalibration(None, why_none=why)
    queries, database = (
        opened.dataset.split(split).photo_table()
        for split in (val.queries, val.database)
    )
    if not len(queries) or (predictor is None and not len(database)):
        why = "the val set has no images to calibrate on"
        return ValCalibration(None, why_none=why)
    fitted_on = FittedOn(
        "val",
        opened.config.positive_dist_threshold_m,
        opened.extractor.fingerprint,
        opened.dataset.fingerprint,
        seed,
    )
    try:
        if predictor is not None:
            descriptors = opened.descriptors(val.queries)
            return ValCalibration(
                calibrate_predictor(
                    predictor, descriptors, queries.positions, config, fitted_on
                )
            )
        result = opened.first_look(val, predictions_to_calibrate(config))
        matches = result.descriptor_distances, result.predictions
        how = (*matches, queries, database, config, fitted_on)
        first, reranked = calibrate_on_queries(*how), None
        if matching is not None:
            counter = record_inliers(matching, opened.dataset, val)
            reranked = calibrate_reranked(*how, SecondLook(config.rerank, counter))
        return ValCalibration(first, reranked)
    except LocalizationError as error:
        return ValCalibration(None, why_none=f"val gives no calibration ({error})")
