"""What `vpr evaluate` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vpr_tf.classification import PlaceClassifier
from vpr_tf.config import ExperimentConfig
from vpr_tf.evaluation.evaluation import Evaluation
from vpr_tf.evaluation.pictures import PICTURES_FOLDER, draw_predictions
from vpr_tf.evaluation.results import (
    EvaluationResult,
    results_text,
    write_results,
)
from vpr_tf.evaluation.submission import SUBMISSION_FILE, write_submission


def run_evaluation(
    config: ExperimentConfig,
    model: str | Path | None = None,
    *,
    set_names: Sequence[str] = (),
    output_dir: str | Path | None = None,
    query_model: str | Path | None = None,
) -> list[EvaluationResult]:
    """Evaluates a model, prints the table and writes results, CSV and pictures.

    Args:
        config: Dataset and evaluation settings.
        model: See `load_extractor`.
        set_names: `val` or names of test sets; empty for all test sets.
        output_dir: Folder of the results; None for the model's own.
        query_model: See `Evaluation.open`.

    Raises:
        EvaluationError: No such model or evaluation set.
    """
    opened = Evaluation.open(config, model, set_names, output_dir, query_model)
    return evaluate_sets(opened)


def evaluate_sets(
    opened: Evaluation, num_predictions: int | None = None
) -> list[EvaluationResult]:
    """Evaluates the chosen sets, prints the table and writes what was found.

    Args:
        opened: The model, the dataset and the folder of the results.
        num_predictions: Predictions of each query, if more than the largest recall
            value.

    Returns:
        One for each of `opened.sets`.
    """
    evaluation, folder = opened.config, opened.folder
    print(f"Model: {opened.extractor.description}")
    print(f"Images: {opened.extractor.preprocessing}")
    print(f"Engine: {opened.extractor.engine}")
    if isinstance(opened.model.predictor, PlaceClassifier):
        print(f"Places are ranked by their {opened.model.predictor.ranked_by}.")
    results = []
    for evaluation_set in opened.sets:
        result = opened.evaluate(evaluation_set, num_predictions)
        results.append(result)
        # Places have no picture.
        if evaluation.queries_to_draw and result.method != "classification":
            draw_predictions(
                opened.dataset,
                evaluation_set,
                result,
                opened.set_folder(result.name) / PICTURES_FOLDER,
                max_queries=evaluation.queries_to_draw,
                only_wrong=evaluation.draw_only_wrong,
            )
    write_results(results, folder)
    print(f"\n{results_text(results)}\n")
    for result in results:
        if result.rule.num_submitted:
            submission = opened.set_folder(result.name) / SUBMISSION_FILE
            write_submission(result, submission)
            print(f"Submission to the authors of {result.name}: {submission}")
    print(f"Results, predictions and descriptors: {folder}")
    return results
