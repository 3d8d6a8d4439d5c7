"""Functions of `import vpr_tf as vpr` that take whatever says plainly what is meant."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy.typing as npt

from vpr_tf.config import EvaluationConfig
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.evaluation import EvaluationError
from vpr_tf.evaluation import evaluate as evaluate_on_dataset
from vpr_tf.evaluation.descriptor_recall import (
    DescriptorEvaluation,
    evaluate_descriptors,
)
from vpr_tf.evaluation.evaluation import choose_sets
from vpr_tf.evaluation.results import EvaluationResult
from vpr_tf.extraction import FeatureExtractor, load_extractor
from vpr_tf.geo import Positions

if TYPE_CHECKING:
    from vpr_tf.config import ExperimentConfig, Preprocessing


def load_encoder(
    model: Any,
    *,
    config: ExperimentConfig | None = None,
    preprocessing: Preprocessing | None = None,
) -> FeatureExtractor:
    """Loads an encoder with the way its photos are prepared.

    Args:
        model: Name of a released encoder, run folder, `.keras` file, SavedModel, Keras
            model, or a function of float32 images `(batch, height, width, 3)`.
        config: Says how photos are prepared; None for what the model says itself.
        preprocessing: Instead of that of `config`.

    Raises:
        EncoderError: There is no such model, or it cannot be loaded.

    Example:
        >>> import numpy as np
        >>> import vpr_tf as vpr
        >>> encoder = vpr.load_encoder(lambda images: np.mean(images, axis=(1, 2)))
        >>> encoder.extract([np.zeros((8, 8, 3)), np.ones((4, 6, 3))]).tolist()
        [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    """
    return load_extractor(config, model, preprocessing=preprocessing)


@overload
def evaluate(
    database: npt.ArrayLike,
    database_positions: Positions | npt.ArrayLike,
    queries: npt.ArrayLike,
    query_positions: Positions | npt.ArrayLike,
    /,
    *,
    recall_values: Sequence[int] = ...,
    positive_dist_threshold_m: float = ...,
    unit: str | None = ...,
) -> DescriptorEvaluation: ...


@overload
def evaluate(
    model: Any,
    dataset: PreparedDataset | str | Path,
    set_name: str = ...,
    /,
    *,
    config: EvaluationConfig | None = ...,
    recall_values: Sequence[int] = ...,
    positive_dist_threshold_m: float = ...,
) -> EvaluationResult: ...


def evaluate(
    first: Any,
    second: Any,
    third: Any = "test",
    fourth: Any = None,
    /,
    *,
    config: EvaluationConfig | None = None,
    recall_values: Sequence[int] | None = None,
    positive_dist_threshold_m: float | None = None,
    unit: str | None = None,
) -> DescriptorEvaluation | EvaluationResult:
    """Measures recall@N, of descriptors or of an encoder on a dataset.

    `evaluate(database, database_positions, queries, query_positions)` takes
    descriptors and positions, see `evaluate_descriptors`. `evaluate(model, dataset,
    set_name)` takes what `load_encoder` takes, a prepared dataset or its folder, and
    `val` or the name of a test set.

    Args:
        first: Descriptors of the database; or the model.
        second: Their positions; or the dataset.
        third: Descriptors of the queries; or the name of the set.
        fourth: Their positions.
        config: How images are prepared and the database is searched; for a dataset.
        recall_values: The values of N; None for those of the config: 1, 5, 10, 20.
        positive_dist_threshold_m: Largest distance of a right prediction; None for
            that of the config: 25.
        unit: `m` or `deg` of positions that are arrays; to be said where both could be
            meant.

    Raises:
        EvaluationError: There is no such set, or positions do not fit descriptors.

    Example:
        >>> import vpr_tf as vpr
        >>> database, queries = [[1, 0], [0, 1]], [[0.9, 0.1], [0.8, 0.2]]
        >>> found = vpr.evaluate(
        ...     database, [[45.06, 7.68], [45.07, 7.68]],
        ...     queries, [[45.0601, 7.68], [45.07, 7.6801]],
        ...     unit="deg", recall_values=[1, 2],
        ... )
        >>> found.recalls
        {1: 50.0, 2: 100.0}
    """
    changes: dict[str, Any] = {}
    if recall_values is not None:
        changes["recall_values"] = tuple(recall_values)
    if positive_dist_threshold_m is not None:
        changes["positive_dist_threshold_m"] = positive_dist_threshold_m
    if fourth is not None:
        return evaluate_descriptors(first, second, third, fourth, unit=unit, **changes)
    if not isinstance(third, str):
        raise EvaluationError(
            "`evaluate` takes a database, its positions, queries and their positions, "
            "or a model, a dataset and the name of a set."
        )
    dataset = second if isinstance(second, PreparedDataset) else PreparedDataset(second)
    (evaluation_set,) = choose_sets(dataset, [third])
    extractor = first
    if not isinstance(first, FeatureExtractor):
        preprocessing = config.preprocessing if config else None
        extractor = load_encoder(first, preprocessing=preprocessing)
    settings = dataclasses.replace(config or EvaluationConfig(), **changes)
    return evaluate_on_dataset(extractor, dataset, evaluation_set, settings)
