"""The end of a run: test the best model, export it, write the table."""

from __future__ import annotations

import json
import logging
import shlex
import sys
from pathlib import Path

import keras

from vpr_tf.atomic_files import write_json
from vpr_tf.classification import RUN_FOLDER, PlaceClassifier, load_heads
from vpr_tf.config import ExperimentConfig
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.evaluation import (
    PICTURES_FOLDER,
    EvaluatedModel,
    EvaluationResult,
    dataset_folder,
    draw_predictions,
    evaluate,
    results_text,
    write_results,
)
from vpr_tf.evaluation.calibrate import calibrate_trained
from vpr_tf.export import export_classifier, export_encoder
from vpr_tf.extraction.model_source import EXPORTED_SCORE, find_saved_model
from vpr_tf.localization import LocalizationError
from vpr_tf.training.best_model import load_best
from vpr_tf.training.epoch_loop import evaluated_model
from vpr_tf.training.run_folder import RunFolder
from vpr_tf.training.run_records import MetricsFile

_LOG = logging.getLogger(__name__)


def finish_run(
    config: ExperimentConfig,
    dataset: PreparedDataset,
    run: RunFolder,
    encoder: keras.Model,
) -> list[EvaluationResult]:
    """Tests the best model on every test set and exports it; the chief only.

    Args:
        config: The experiment.
        dataset: Its dataset.
        run: Where the best model lies and the report goes.
        encoder: Built from `config.encoder`; gets the best weights.

    Returns:
        One result for each test set.
    """
    best = load_best(run.best, encoder)
    predictor = None
    if config.evaluation.method == "classification":
        predictor = load_heads(run.path, config.classification)
    _LOG.info("Best model: epoch %d.", best.epoch + 1)
    metrics = MetricsFile(run.metrics_file)
    model = evaluated_model(encoder, predictor, config.evaluation)
    results = [
        _test(config, dataset, run, model, name) for name in sorted(dataset.tests)
    ]
    score = best.val_recalls.get("1")
    exported = metrics.content.get("savedmodel")
    if not (exported and Path(exported).is_dir()):
        exported = None
        if is_export_wanted(config, score):
            exported = str(_export(config, dataset, run, model, score))
    metrics.set_tests({r.name: r.summary() for r in results}, exported)
    if results:
        folder = dataset_folder(run.report, dataset)
        write_results(results, folder)
        _LOG.info("\n%s\n", results_text(results))
        _LOG.info("Results and predictions: %s", folder)
    else:
        _LOG.info("The dataset has no test set.")
    _LOG.info("SavedModel: %s", exported or _why_none(config, run))
    return results


def _why_none(config: ExperimentConfig, run: RunFolder) -> str:
    command = f"vpr export --model {shlex.quote(str(run.path))}"
    return f"none (train.export: {config.train.export}); make one by: {command}"


def is_export_wanted(config: ExperimentConfig, score: float | None) -> bool:
    """Whether `train.export` asks for an export of an encoder with this R@1 on val."""
    if config.train.export != "best":
        return config.train.export == "always"
    newest = find_saved_model(Path(config.savedmodels_dir) / config.name)
    if newest is None or score is None:
        return True
    try:
        known = json.loads((newest / EXPORTED_SCORE).read_text())["val_recall@1"]
    except (OSError, ValueError, KeyError):
        return True
    if known is None or score > known:
        return True
    _LOG.info("R@1 on val, %.1f, is not above %.1f of %s.", score, known, newest)
    return False


def _export(
    config: ExperimentConfig,
    dataset: PreparedDataset,
    run: RunFolder,
    model: EvaluatedModel,
    score: float | None,
) -> Path:
    """Exports the encoder, with the heads where they choose among places."""
    if isinstance(model.predictor, PlaceClassifier):
        version = _export_classifier(config, dataset, run, model, model.predictor)
    else:
        encoder = model.extractor.encoder
        version = export_encoder(encoder, config, Path(config.savedmodels_dir))
    score_of_run = {"run": run.path.resolve().name, "val_recall@1": score}
    write_json(version / EXPORTED_SCORE, score_of_run)
    return version


def _export_classifier(
    config: ExperimentConfig,
    dataset: PreparedDataset,
    run: RunFolder,
    model: EvaluatedModel,
    predictor: PlaceClassifier,
) -> Path:
    calibration = None
    try:
        heads = run.path / RUN_FOLDER
        calibration = calibrate_trained(
            model.extractor, predictor, dataset, config, heads
        )
    except LocalizationError as error:
        _LOG.warning("The places have no confidence: %s", error)
    folder = Path(config.savedmodels_dir)
    return export_classifier(
        model.extractor.encoder, predictor, config, folder, calibration=calibration
    )


def _test(
    config: ExperimentConfig,
    dataset: PreparedDataset,
    run: RunFolder,
    model: EvaluatedModel,
    name: str,
) -> EvaluationResult:
    evaluation_set = dataset.tests[name]
    result = evaluate(
        model,
        dataset,
        evaluation_set,
        config.evaluation,
        progress=sys.stderr.isatty(),
    )
    if config.evaluation.queries_to_draw and model.predictor is None:
        draw_predictions(
            dataset,
            evaluation_set,
            result,
            dataset_folder(run.report, dataset) / name / PICTURES_FOLDER,
            max_queries=config.evaluation.queries_to_draw,
            only_wrong=config.evaluation.draw_only_wrong,
        )
    return result
