"""Evaluates a model and reports on each set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vpr_tf.config import ExperimentConfig
from vpr_tf.evaluation.command import evaluate_sets
from vpr_tf.evaluation.evaluation import Evaluation
from vpr_tf.evaluation.val_calibration import ValCalibration, calibrate_on_val
from vpr_tf.report.build import build_report
from vpr_tf.report.localized_queries import may_judge
from vpr_tf.report.report import Report
from vpr_tf.report.report_files import write_html, write_report
from vpr_tf.report.stored_report import REPORT_FOLDER


def run_report(
    config: ExperimentConfig,
    model: str | Path | None = None,
    *,
    set_names: Sequence[str] = (),
    output_dir: str | Path | None = None,
) -> dict[Path, Report]:
    """Evaluates a model and reports on each set, in `<output>/<dataset>/<set>/report/`.

    The confidence is calibrated on val, never on the queries that it is judged on.

    Args:
        config: Dataset, evaluation, localization and report settings.
        model: See `load_extractor`.
        set_names: `val` or names of test sets; empty for all test sets.
        output_dir: Folder of the results; None for the model's own.

    Returns:
        The report of each set, by the folder of its files.

    Raises:
        EvaluationError: No such model or evaluation set.
    """
    opened = Evaluation.open(config, model, set_names, output_dir)
    return report_on(opened, config)


def report_on(opened: Evaluation, config: ExperimentConfig) -> dict[Path, Report]:
    """Evaluates the chosen sets and reports on each; see `run_report`.

    Args:
        opened: The encoder, the dataset, the sets and the folder of the results.
        config: Localization and report settings.
    """
    results = evaluate_sets(opened, config.localization.num_predictions)
    val = opened.dataset.val
    of_val = ValCalibration(None, why_none="val is what a calibration is fitted on")
    if any(may_judge(val, evaluation_set) for evaluation_set in opened.sets):
        if opened.reranking is not None:
            of_val = opened.reranking.calibration(opened)
        else:
            of_val = calibrate_on_val(opened, config.localization, config.seed)
    own = ValCalibration(None, why_none="it is calibrated on these queries")
    reports = {}
    for evaluation_set, result in zip(opened.sets, results, strict=True):
        usable = of_val if may_judge(val, evaluation_set) else own
        report = build_report(opened, evaluation_set, result, config, usable)
        folder = opened.set_folder(result.name) / REPORT_FOLDER
        write_report(report, folder)
        write_html(
            report, folder, dataset=opened.dataset, evaluation_set=evaluation_set
        )
        reports[folder] = report
    return reports
