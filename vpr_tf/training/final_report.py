"""The end of a run: test the best model, export it, write the table."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import keras

from vpr_tf.classification import RUN_FOLDER, PlaceClassifier, load_heads
from vpr_tf.config import ExperimentConfig
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.evaluation import (
    EvaluatedModel,
    EvaluationResult,
    draw_predictions,
    evaluate,
    results_table,
    write_results,
)
from vpr_tf.evaluation.calibrate import calibrate_trained
from vpr_tf.export import export_classifier, export_encoder
from vpr_tf.localization import LocalizationError
from vpr_tf.training.checkpoints import load_best
from vpr_tf.training.run_folder import MetricsFile, RunFolder
from vpr_tf.training.validation import evaluated_model

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
    _LOG.info("Best model: epoch %d.", best["epoch"] + 1)
    metrics = MetricsFile(run.metrics_file)
    model = evaluated_model(encoder, predictor, config.evaluation)
    results = [
        _test(config, dataset, run, model, name) for name in sorted(dataset.tests)
    ]
    if "savedmodel" in metrics.content and Path(metrics.content["savedmodel"]).is_dir():
        savedmodel = Path(metrics.content["savedmodel"])
    else:
        savedmodel = _export(config, dataset, run, model)
    metrics.set_tests({r.name: r.summary() for r in results}, str(savedmodel))
    if results:
        write_results(results, run.report)
        _LOG.info("\n%s\n", results_table(results))
        _LOG.info("Report: %s", run.report)
    else:
        _LOG.info("The dataset has no test set.")
    _LOG.info("SavedModel: %s", savedmodel)
    return results


def _export(
    config: ExperimentConfig,
    dataset: PreparedDataset,
    run: RunFolder,
    model: EvaluatedModel,
) -> Path:
    """Exports the encoder, with the heads where they choose among places."""
    folder = Path(config.savedmodels_dir)
    encoder, predictor = model.extractor.encoder, model.predictor
    if not isinstance(predictor, PlaceClassifier):
        return export_encoder(encoder, config, folder)
    calibration = None
    try:
        heads = run.path / RUN_FOLDER
        calibration = calibrate_trained(
            model.extractor, predictor, dataset, config, heads
        )
    except LocalizationError as error:
        _LOG.warning("The places have no confidence: %s", error)
    return export_classifier(
        encoder, predictor, config, folder, calibration=calibration
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
            run.report / f"{name}_predictions",
            max_queries=config.evaluation.queries_to_draw,
            only_wrong=config.evaluation.draw_only_wrong,
        )
    return result
