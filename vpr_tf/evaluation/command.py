"""What `evaluate.py` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vpr_tf.config import ExperimentConfig
from vpr_tf.data.prepared_dataset import EvaluationSet, PreparedDataset
from vpr_tf.evaluation.errors import EvaluationError
from vpr_tf.evaluation.evaluate import evaluate_encoder
from vpr_tf.evaluation.pictures import draw_predictions
from vpr_tf.evaluation.results import EvaluationResult, results_table, write_results
from vpr_tf.extraction.model_sources import load_encoder


def run_evaluation(
    config: ExperimentConfig,
    model: str | Path | None = None,
    *,
    set_names: Sequence[str] = (),
    output_dir: str | Path | None = None,
) -> list[EvaluationResult]:
    """Evaluates a model, prints the table and writes results, CSV and pictures.

    Args:
        config: Dataset and evaluation settings.
        model: See `load_encoder`.
        set_names: `val` or names of test sets; empty for all test sets.
        output_dir: Folder of the results; None for the model's own.

    Raises:
        EvaluationError: No such model or evaluation set.
    """
    dataset = PreparedDataset(config.dataset.path)
    evaluation_sets = _choose_sets(dataset, set_names)
    loaded = load_encoder(config, model)
    evaluation = loaded.evaluation
    size = "" if evaluation.resize == "native" else f" {evaluation.image_size}"
    print(f"Model: {loaded.description}")
    print(f"Images: {evaluation.resize}{size}, {evaluation.precision}")
    folder = Path(output_dir) if output_dir else loaded.output_dir
    results = []
    for evaluation_set in evaluation_sets:
        result = evaluate_encoder(
            loaded.encoder,
            dataset,
            evaluation_set,
            evaluation,
            work_dir=folder / "descriptors",
        )
        results.append(result)
        if evaluation.queries_to_draw:
            draw_predictions(
                dataset,
                evaluation_set,
                result,
                folder / f"{result.name}_pictures",
                max_queries=evaluation.queries_to_draw,
                only_wrong=evaluation.draw_only_wrong,
            )
    write_results(results, folder)
    print(f"\n{results_table(results)}\n")
    for result in results:
        _explain_missing_positions(result)
    print(f"Results, predictions and descriptors: {folder}")
    return results


def _choose_sets(dataset: PreparedDataset, names: Sequence[str]) -> list[EvaluationSet]:
    available = dict(dataset.tests)
    if dataset.val is not None:
        available = {"val": dataset.val, **available}
    chosen = list(names) or list(dataset.tests)
    unknown = [name for name in chosen if name not in available]
    if unknown or not chosen:
        raise EvaluationError(
            f"{dataset.path} has no evaluation set "
            f"{', '.join(map(repr, unknown)) or 'for testing'}. It has: "
            f"{', '.join(available) or 'none'}. Choose by --set, or add it to `build`."
        )
    return [available[name] for name in chosen]


def _explain_missing_positions(result: EvaluationResult) -> None:
    unknown = result.num_queries_without_position
    if unknown == result.num_queries:
        print(
            f"{result.name}: no query has a position, so there is no recall; the "
            "predictions are in the CSV file and the pictures."
        )
    elif unknown:
        print(
            f"{result.name}: {unknown:,} of {result.num_queries:,} queries have no "
            "position; they are predicted but not in the recall."
        )
