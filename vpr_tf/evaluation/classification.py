"""Localisation recall: the places that heads answer, without a database."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.config import EvaluationConfig
from vpr_tf.data.prepared_dataset import EvaluationSet, PreparedDataset
from vpr_tf.evaluation.evaluate import (
    check_images,
    descriptor_folder,
    judge_places,
)
from vpr_tf.evaluation.results import EvaluationResult
from vpr_tf.extraction.descriptors import extract_descriptors
from vpr_tf.extraction.encoders import Encoder
from vpr_tf.extraction.encoders import encoder_fingerprint as fingerprint_of
from vpr_tf.localization import Candidates
from vpr_tf.models.precision import in_precision


def evaluate_predictor(
    encoder: Encoder,
    predictor: PlacePredictor,
    dataset: PreparedDataset,
    evaluation_set: EvaluationSet,
    config: EvaluationConfig,
    *,
    work_dir: Path | None = None,
    encoder_fingerprint: str | None = None,
    num_predictions: int | None = None,
    progress: bool = True,
) -> EvaluationResult:
    """Describes queries, lets the heads answer, and measures LR@N.

    A query counts as localised at N when the centre of any of its first N places lies
    within `positive_dist_threshold_m`.

    Args:
        encoder: See `evaluate_encoder`.
        predictor: Heads that were trained with this encoder.
        dataset: The prepared dataset.
        evaluation_set: Its queries are located; its database is not looked at.
        config: How images are prepared and judged.
        work_dir: Folder that keeps the descriptors; None for a temporary one.
        encoder_fingerprint: Identity of the encoder; None computes it.
        num_predictions: Places of each query, if more than the largest recall value.
        progress: Whether to draw progress bars.

    Raises:
        EvaluationError: There are no queries, or a record is damaged.
        ClassificationError: The heads do not fit the encoder.
    """
    check_images(dataset, evaluation_set.queries)
    with descriptor_folder(work_dir) as folder:
        queries = extract_descriptors(
            in_precision(encoder, config.precision),
            dataset,
            evaluation_set.queries,
            config,
            folder / evaluation_set.queries,
            encoder_fingerprint=encoder_fingerprint or fingerprint_of(encoder),
            progress=progress,
        )
        n = max(*config.recall_values, num_predictions or 1)
        predictions = predictor.predict(np.asarray(queries), n)
    return judge_places(
        dataset,
        evaluation_set,
        config,
        predictions.rows,
        np.full(predictions.rows.shape, np.nan, np.float32),
        predictions.places,
        place_names(predictions),
        scores=predictions.scores,
        spread_m=predictions.spread_m,
    )


def place_names(predictions: Candidates) -> np.ndarray:
    """Returns latitude and longitude of each predicted place as bytes."""
    places = predictions.places
    names = np.array(
        [
            f"{latitude:.6f},{longitude:.6f}".encode()
            for latitude, longitude in zip(
                places.latitude_deg, places.longitude_deg, strict=True
            )
        ]
    )
    return names[predictions.rows]
