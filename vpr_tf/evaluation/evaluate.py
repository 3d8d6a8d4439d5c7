"""Recall of a model on an evaluation set."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from vpr_tf.config import EvaluationConfig
from vpr_tf.data.prepared_dataset import EvaluationSet, PreparedDataset
from vpr_tf.evaluation.evaluated_model import EvaluatedModel
from vpr_tf.evaluation.judge import judge
from vpr_tf.evaluation.results import EvaluationResult
from vpr_tf.extraction.encoders import Encoder
from vpr_tf.extraction.feature_extractor import FeatureExtractor


def evaluate(
    model: EvaluatedModel | FeatureExtractor | Encoder,
    dataset: PreparedDataset,
    evaluation_set: EvaluationSet,
    config: EvaluationConfig,
    *,
    work_dir: Path | None = None,
    num_predictions: int | None = None,
    progress: bool = True,
) -> EvaluationResult:
    """Predicts places for the queries of a set, and measures recall@N; see `judge`.

    Args:
        model: An encoder, or an encoder with heads. A bare encoder gets images as
            `config` prepares them.
        dataset: The prepared dataset.
        evaluation_set: Names of its database and query splits.
        config: How the database is searched, threshold and recall values.
        work_dir: Folder that keeps the descriptors (and a ScaNN index), so that an
            interrupted evaluation continues; None for a temporary one.
        num_predictions: Predictions of each query, if more than the largest recall
            value.
        progress: Whether to draw progress bars.

    Raises:
        EvaluationError: A split is empty.
        ValueError: A record is damaged, the encoder gives no finite descriptors, or
            the heads do not fit the encoder.
    """
    if not isinstance(model, EvaluatedModel | FeatureExtractor):
        model = FeatureExtractor(
            model, config.preprocessing, batch_size=config.batch_size
        )
    if isinstance(model, FeatureExtractor):
        model = EvaluatedModel(model)
    k = max(*config.recall_values, num_predictions or 1)
    with descriptor_folder(work_dir) as folder:
        predictions = model.predict(
            dataset, evaluation_set, config, folder, k, progress=progress
        )
    return judge(predictions, dataset, evaluation_set, config, method=model.method)


@contextlib.contextmanager
def descriptor_folder(work_dir: str | Path | None) -> Iterator[Path]:
    """Gives the folder of descriptors, or one that vanishes afterwards."""
    if work_dir is not None:
        yield Path(work_dir)
        return
    with tempfile.TemporaryDirectory(prefix="vpr_tf_descriptors_") as folder:
        yield Path(folder)
