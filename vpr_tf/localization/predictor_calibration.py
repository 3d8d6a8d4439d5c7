"""Calibration of heads on the queries of an evaluation set."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vpr_tf.classification import PlaceClassifier
from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.config import ExperimentConfig, LocalizationConfig
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.geo import Positions
from vpr_tf.localization.calibration import Calibration
from vpr_tf.localization.errors import LocalizationError
from vpr_tf.localization.feature_sets import PLACES
from vpr_tf.localization.fitting import fit_calibration
from vpr_tf.localization.place_answers import answer_places
from vpr_tf.localization.place_features import PlaceSettings
from vpr_tf.localization.retrieval_calibration import THRESHOLDS_AROUND
from vpr_tf.localization.stored_calibration import save_calibration
from vpr_tf.localization.unseen_places import predict_outside


def calibrate_predictor(
    predictor: PlacePredictor,
    descriptors: np.ndarray,
    queries: Positions,
    config: LocalizationConfig,
    *,
    threshold_m: float,
    encoder_fingerprint: str,
    fitted_on: str,
    dataset_fingerprint: str = "",
    seed: int = 0,
) -> Calibration:
    """Fits the calibration of heads on queries whose positions are known.

    Every query counts twice: as it is, and as if it had been taken where the heads
    know no place, see `predict_outside`. Regressions have no places to leave out, so
    that they are believed outside of their map.

    Args:
        predictor: Heads, scored as they will be.
        descriptors: Of the queries, `(num_queries, descriptor_dim)`.
        queries: Where they were taken.
        config: Kind, wanted precision, and how many places are looked at.
        threshold_m: Largest error of a right answer.
        encoder_fingerprint: Encoder of the descriptors.
        fitted_on: The set, for people.
        dataset_fingerprint: Its dataset.
        seed: Of the division into folds.

    Raises:
        LocalizationError: No query has an answer and a known position.
        ClassificationError: The descriptors do not fit the heads.
    """
    descriptors = np.asarray(descriptors, np.float32)
    settings = PlaceSettings.of(predictor, config.num_predictions)
    n = settings.num_predictions
    answers = answer_places(predictor.predict(descriptors, n), settings)
    outside = None
    if isinstance(predictor, PlaceClassifier) and config.outside_share:
        radius_m = THRESHOLDS_AROUND * threshold_m
        elsewhere = predict_outside(
            predictor, descriptors, queries, radius_m=radius_m, n=n
        )
        outside = answer_places(elsewhere, settings)
    return fit_calibration(
        answers,
        answers.errors_m(queries),
        config,
        threshold_m=threshold_m,
        encoder_fingerprint=encoder_fingerprint,
        fitted_on=fitted_on,
        dataset_fingerprint=dataset_fingerprint,
        outside=outside,
        seed=seed,
        settings=settings.to_dict(),
        features_of=PLACES,
    )


def calibrate_trained(
    extractor: FeatureExtractor,
    predictor: PlacePredictor,
    dataset: PreparedDataset,
    config: ExperimentConfig,
    folder: str | Path,
    *,
    set_name: str = "val",
    work_dir: str | Path | None = None,
    progress: bool = True,
) -> Calibration:
    """Fits the calibration of heads in a folder, and stores it there.

    Args:
        extractor: Of the encoder that the heads were trained with.
        predictor: What the folder holds, with the score of `config`.
        dataset: Holds the set.
        config: Evaluation, localization, seed; its name is noted.
        folder: What `save_heads` wrote, e.g. `<run>/best/classifier`.
        set_name: `val`, or a test set that nothing will be reported on.
        work_dir: Folder that keeps the descriptors; None for a temporary one.
        progress: Whether to draw progress bars.

    Raises:
        LocalizationError: There is no such set, or nothing in it to calibrate on.
    """
    from vpr_tf.evaluation.evaluate import descriptor_folder

    sets = {**({"val": dataset.val} if dataset.val else {}), **dataset.tests}
    if set_name not in sets:
        raise LocalizationError(
            f"{dataset.path} has no evaluation set {set_name!r}. It has: "
            f"{', '.join(sets) or 'none'}. Choose by --set."
        )
    queries = sets[set_name].queries
    with descriptor_folder(None if work_dir is None else Path(work_dir)) as parent:
        descriptors = extractor.extract_split(
            dataset, queries, parent / queries, progress=progress
        )
        calibration = calibrate_predictor(
            predictor,
            np.asarray(descriptors),
            Positions.from_split(dataset.split(queries)),
            config.localization,
            threshold_m=config.evaluation.positive_dist_threshold_m,
            encoder_fingerprint=extractor.fingerprint,
            fitted_on=f"{set_name} of {config.name}",
            dataset_fingerprint=dataset.fingerprint,
            seed=config.seed,
        )
    save_calibration(calibration, folder)
    return calibration
