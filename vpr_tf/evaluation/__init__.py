"""Recall of an encoder on a database and its queries, in numbers and pictures."""

from vpr_tf.evaluation.errors import EvaluationError
from vpr_tf.evaluation.evaluate import evaluate
from vpr_tf.evaluation.evaluated_model import EvaluatedModel
from vpr_tf.evaluation.evaluation import Evaluation, dataset_folder
from vpr_tf.evaluation.pictures import (
    PICTURES_FOLDER,
    draw_predictions,
    prediction_picture,
)
from vpr_tf.evaluation.positives import positives_per_query
from vpr_tf.evaluation.recall import recall_at
from vpr_tf.evaluation.results import (
    EvaluationResult,
    results_table,
    results_text,
    warning_lines,
    write_results,
)

__all__ = [
    "PICTURES_FOLDER",
    "EvaluatedModel",
    "Evaluation",
    "EvaluationError",
    "EvaluationResult",
    "dataset_folder",
    "draw_predictions",
    "evaluate",
    "positives_per_query",
    "prediction_picture",
    "recall_at",
    "results_table",
    "results_text",
    "warning_lines",
    "write_results",
]
