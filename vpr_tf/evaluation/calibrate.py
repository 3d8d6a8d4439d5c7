"""Calibrations of indexes and of classifiers on the queries of a set."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from vpr_tf.classification import (
    SAVED_MODEL_FOLDER,
    PlacePredictor,
    calibrate_predictor,
    heads_folder,
    load_heads,
    save_calibration,
)
from vpr_tf.config import ExperimentConfig, LocalizationConfig
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.evaluation.evaluate import descriptor_folder, evaluate_model
from vpr_tf.evaluation.evaluated_model import EvaluatedModel
from vpr_tf.evaluation.evaluation import dataset_folder, results_folder
from vpr_tf.evaluation.record_inliers import record_inliers
from vpr_tf.evaluation.results import EvaluationResult
from vpr_tf.extraction import FeatureExtractor, load_extractor
from vpr_tf.localization.calibration import Calibration, to_stored
from vpr_tf.localization.candidates import Candidates
from vpr_tf.localization.errors import LocalizationError
from vpr_tf.localization.estimates import estimate_positions
from vpr_tf.localization.fitting import FittedOn
from vpr_tf.localization.retrieval_calibration import (
    calibrate_on_queries,
    calibrate_reranked,
    predictions_to_calibrate,
)
from vpr_tf.localization.second_look import SecondLook
from vpr_tf.matching.opening import open_matching
from vpr_tf.photos import PhotoTable
from vpr_tf.place_index import PlaceIndex
from vpr_tf.tables import Column, Table


def calibrate_index(
    index_folder: str | Path,
    config: ExperimentConfig,
    *,
    set_name: str = "val",
    model: str | Path | None = None,
) -> tuple[Calibration, Table]:
    """Fits the calibration of an index and stores it there.

    The queries of the set are located by the set's own database, with the encoder of
    the index; their descriptors are kept in the folder of the config's runs. If the
    index searches the best cells of a classifier, they are located so as well. Where
    the config says that photos are re-ranked, a second calibration is fitted on the
    same queries, all of them compared with their candidates.

    Args:
        index_folder: The index.
        config: Dataset, largest error of a right position, localization.
        set_name: `val`, or a test set that nothing will be reported on.
        model: Where the encoder is; None for the copy in the index.

    Returns:
        The calibration, and the errors of each way to locate.

    Raises:
        EvaluationError: There is no such set.
        LocalizationError: There is nothing in it to calibrate on.
        IndexMismatchError: The index is damaged or of another encoder.
        ImportError: Photos are to be re-ranked without the extra `rerank`.
        MatchingError: The matcher has no weights, or cannot use the encoder.
    """
    dataset = PreparedDataset(config.dataset.path)
    [evaluation_set] = dataset.evaluation_sets([set_name])
    searched = _model_of(index_folder, model)
    matching = None
    if config.localization.rerank.when != "never":  # what is missing is told at once
        matching = open_matching(config.localization.rerank, lambda: searched.extractor)
    result = evaluate_model(
        searched,
        dataset,
        evaluation_set,
        config.evaluation,
        work_dir=Path(config.runs_dir) / config.name / "calibration",
        num_predictions=predictions_to_calibrate(config.localization),
    )
    queries, database = (
        dataset.split(split).photo_table()
        for split in (evaluation_set.queries, evaluation_set.database)
    )
    how = (
        result.descriptor_distances,
        result.predictions,
        queries,
        database,
        config.localization,
        FittedOn(
            f"{set_name} of {config.name}",
            result.positive_dist_threshold_m,
            searched.extractor.fingerprint,
            dataset.fingerprint,
            config.seed,
        ),
    )
    calibration, reranked = calibrate_on_queries(*how), None
    if matching is not None:
        counter = record_inliers(matching, dataset, evaluation_set)
        look = SecondLook(config.localization.rerank, counter)
        reranked = calibrate_reranked(*how, look)
    stored = to_stored(config.localization, calibration, reranked)
    PlaceIndex(index_folder).set_localization(stored)
    return calibration, compare_methods(result, queries, database, config.localization)


def calibrate_model(
    model: str | Path, config: ExperimentConfig, *, set_name: str = "val"
) -> Calibration:
    """Fits the calibration of the heads of a run, and stores it beside them.

    Args:
        model: Run folder.
        config: Dataset, largest error of a right position, score, localization.
        set_name: `val`, or a test set that nothing will be reported on.

    Raises:
        ClassificationError: The model keeps no heads.
        EvaluationError: There is no such set.
        LocalizationError: It is a SavedModel, or there is nothing in the set to
            calibrate on.
    """
    folder = heads_folder(model)
    if folder.parts[-2:] == SAVED_MODEL_FOLDER.parts:
        raise LocalizationError(
            "`--model` must be a run folder: the graph of a SavedModel holds the "
            f"calibration that it was exported with. Received: {model}. Calibrate the "
            "run and export it again."
        )
    predictor = load_heads(model, config.classification)
    dataset = PreparedDataset(config.dataset.path)
    return calibrate_trained(
        load_extractor(config, model),
        predictor,
        dataset,
        config,
        folder,
        set_name=set_name,
        work_dir=dataset_folder(results_folder(config, model), dataset) / "descriptors",
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
        EvaluationError: There is no such set.
        LocalizationError: There is nothing in it to calibrate on.
    """
    queries = dataset.evaluation_sets([set_name])[0].queries
    with descriptor_folder(work_dir) as parent:
        descriptors = extractor.extract_split(
            dataset, queries, parent / queries, progress=progress
        )
        calibration = calibrate_predictor(
            predictor,
            np.asarray(descriptors),
            dataset.split(queries).positions(),
            config.localization,
            FittedOn(
                f"{set_name} of {config.name}",
                config.evaluation.positive_dist_threshold_m,
                extractor.fingerprint,
                dataset.fingerprint,
                config.seed,
            ),
        )
    save_calibration(calibration, folder)
    return calibration


def _model_of(
    index_folder: str | Path, model: str | Path | None = None
) -> EvaluatedModel:
    """Returns what an index searches with: its encoder and its classifier, if any."""
    index = PlaceIndex.open(index_folder)
    extractor = index.extractor(model)
    kept = index.manifest.classifier
    if kept is None or kept.num_cells is None:
        return EvaluatedModel(extractor)
    classifier = index.classifier()
    return EvaluatedModel(
        extractor,
        ranking=classifier.ranking,
        num_cells=kept.num_cells,
        heads_extractor=classifier.encoder,
    )


def compare_methods(
    result: EvaluationResult,
    queries: PhotoTable,
    database: PhotoTable,
    config: LocalizationConfig,
) -> Table:
    """Returns the errors of both methods."""
    threshold_m = result.positive_dist_threshold_m
    columns = [
        Column(result.name, "text"),
        Column(f"within {threshold_m:g} m", unit="%"),
        Column("median", "metres"),
        Column("p90", "metres"),
    ]
    rows = []
    for method in ("cluster", "best_match"):
        of_method = dataclasses.replace(config, method=method)
        candidates = Candidates.from_matches(
            result.descriptor_distances,
            result.predictions,
            database,
            of_method,
            queries.heading_deg,
        )
        estimates = estimate_positions(candidates, of_method)
        errors_m = estimates.errors_m(queries.positions)[queries.positions.known]
        errors_m = np.where(np.isnan(errors_m), np.inf, errors_m)
        median, p90 = np.quantile(errors_m, (0.5, 0.9), method="inverted_cdf")
        share = 100 * (errors_m <= threshold_m).mean()
        rows.append((method, share, median, p90))
    return Table("", columns, rows)
