"""Recall of a model on an evaluation set, or of descriptors."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from vpr_tf.atomic_files import scratch_folder
from vpr_tf.config import STANDARD, EvaluationConfig, find_protocol
from vpr_tf.config.evaluation import POSITIVE_DISTANCE_M, RECALL_VALUES
from vpr_tf.data.prepared_dataset import EvaluationSet, PreparedDataset
from vpr_tf.evaluation.errors import EvaluationError
from vpr_tf.evaluation.evaluated_model import EvaluatedModel
from vpr_tf.evaluation.judge import Predictions, judge, judge_positions
from vpr_tf.evaluation.protocols import (
    check_protocol_sets,
    protocol_of,
    size_warnings,
)
from vpr_tf.evaluation.result_warnings import adaptation_warnings
from vpr_tf.evaluation.results import EvaluationResult
from vpr_tf.evaluation.shared_images import shared_descriptors
from vpr_tf.evaluation.submission import check_submission
from vpr_tf.extraction.encoders import Encoder
from vpr_tf.extraction.feature_extractor import FeatureExtractor
from vpr_tf.extraction.model_loading import load_extractor
from vpr_tf.geo import UNKNOWN_ZONE, Positions, distances_m, lat_lon_problems
from vpr_tf.search import build_index

Model = EvaluatedModel | FeatureExtractor | Encoder | Callable[[Any], Any] | str | Path


@overload
def evaluate(
    database: npt.ArrayLike,
    database_positions: Positions | npt.ArrayLike,
    queries: npt.ArrayLike,
    query_positions: Positions | npt.ArrayLike,
    *,
    recall_values: Sequence[int] = ...,
    threshold_m: float = ...,
    protocol: str = ...,
) -> EvaluationResult: ...


@overload
def evaluate(
    model: Model,
    dataset: PreparedDataset | str | Path,
    evaluation_set: EvaluationSet | str = ...,
    config: EvaluationConfig | None = ...,
    *,
    recall_values: Sequence[int] | None = ...,
    threshold_m: float | None = ...,
    work_dir: str | Path | None = ...,
    num_predictions: int | None = ...,
    progress: bool = ...,
) -> EvaluationResult: ...


def evaluate(*arguments: Any, **options: Any) -> EvaluationResult:
    """Measures recall@N of descriptors, or of a model on an evaluation set.

    `evaluate(database, database_positions, queries, query_positions)` takes
    descriptors, see `evaluate_descriptors`; `evaluate(model, dataset, set_name)` takes
    a model, see `evaluate_model`.

    Examples:
        >>> import numpy as np
        >>> import vpr_tf as vpr
        >>> places = [(37.7, -122.5), (37.8, -122.4)]
        >>> database, queries = np.eye(2), np.array([[0.1, 0.9]])
        >>> vpr.evaluate(
        ...     database, places, queries, places[1:], recall_values=[1]
        ... ).recalls
        {1: 100.0}
    """
    is_array = bool(arguments) and (
        hasattr(arguments[0], "__array__") or isinstance(arguments[0], list | tuple)
    )
    if is_array or "database" in options:
        return evaluate_descriptors(*arguments, **options)
    return evaluate_model(*arguments, **options)


def evaluate_descriptors(
    database: npt.ArrayLike,
    database_positions: Positions | npt.ArrayLike,
    queries: npt.ArrayLike,
    query_positions: Positions | npt.ArrayLike,
    *,
    recall_values: Sequence[int] = RECALL_VALUES,
    threshold_m: float = POSITIVE_DISTANCE_M,
    protocol: str = STANDARD,
) -> EvaluationResult:
    """Searches descriptors and measures recall@N; see `judge_positions`.

    Positions in metres on one plane are given as `geo.Positions.from_utm`.

    Args:
        database: Descriptors `(num_database, dim)`.
        database_positions: Where they were taken: latitude and longitude in degrees
            `(num_database, 2)`, NaN where unknown, or `geo.Positions`.
        queries: Descriptors `(num_queries, dim)`.
        query_positions: Where the queries were taken, likewise.
        recall_values: The values of N.
        threshold_m: Largest distance of a positive.
        protocol: What recall means, a name of `config.PROTOCOLS`.

    Raises:
        ConfigError: There is no such protocol.
        EvaluationError: There are no images, or not as many positions; a position
            cannot be, or is 0, 0; the protocol has another threshold.
        RetrievalError: The descriptors cannot be searched.
    """
    rule = find_protocol(protocol, "protocol")
    if rule.threshold_m not in (None, threshold_m):
        raise EvaluationError(
            f"`threshold_m` must be {rule.threshold_m:g}, as the protocol {protocol} "
            f"has it. Received: {threshold_m:g}. Leave one of the two out."
        )
    places = _positions("database_positions", database_positions)
    truth = _positions("query_positions", query_positions)
    database, queries = (
        np.atleast_2d(np.asarray(each, np.float32)) for each in (database, queries)
    )
    for name, rows, positions in (
        ("database", database, places),
        ("queries", queries, truth),
    ):
        if not len(rows) or len(rows) != len(positions):
            raise EvaluationError(
                f"`{name}` must have descriptors, and a position for each. Received: "
                f"{len(rows)} descriptors, {len(positions)} positions"
            )
    index = build_index("auto", database)
    distances, rows = index.search(queries, max(recall_values))
    keys = np.array([str(row).encode() for row in range(len(database))])
    names = np.array([str(row).encode() for row in range(len(queries))])
    found = Predictions(rows, distances, places, keys[rows], index.is_exact)
    return judge_positions(
        found,
        truth,
        names,
        recall_values=recall_values,
        threshold_m=threshold_m,
        protocol=rule,
        name="descriptors",
        shared=shared_descriptors(queries, distances, distances_m(truth, places, rows)),
    )


def evaluate_model(
    model: Model,
    dataset: PreparedDataset | str | Path,
    evaluation_set: EvaluationSet | str = "test",
    config: EvaluationConfig | None = None,
    *,
    recall_values: Sequence[int] | None = None,
    threshold_m: float | None = None,
    work_dir: str | Path | None = None,
    num_predictions: int | None = None,
    progress: bool = True,
) -> EvaluationResult:
    """Predicts places for the queries of a set, and measures recall@N; see `judge`.

    Args:
        model: An encoder (a Keras model, a function of images, or what names one), a
            `FeatureExtractor`, or an encoder with heads. How an encoder gets its
            images see `load_extractor`.
        dataset: A prepared dataset, or its folder.
        evaluation_set: `val` or a test set. `test` is also the only test set, whatever
            its name.
        config: How the database is searched, threshold and recall values.
        recall_values: Instead of those of `config`.
        threshold_m: Instead of that of `config`.
        work_dir: Folder that keeps the descriptors (and a ScaNN index), so that an
            interrupted evaluation continues; None for a temporary one.
        num_predictions: Predictions of each query, if more than the largest recall
            value.
        progress: Whether to draw progress bars.

    Raises:
        DatasetError: There is no such set.
        ConfigError: `evaluation.protocol` names a test set that there is not.
        EvaluationError: A split is empty.
        ValueError: A record is damaged, the encoder gives no finite descriptors, or
            the heads do not fit the encoder.
    """
    if not isinstance(model, EvaluatedModel | FeatureExtractor):
        model = load_extractor(config, model)
    if isinstance(model, FeatureExtractor):
        model = EvaluatedModel(model)
    config = config or EvaluationConfig()
    if recall_values is not None:
        config = dataclasses.replace(config, recall_values=list(recall_values))
    if threshold_m is not None:
        config = dataclasses.replace(config, positive_dist_threshold_m=threshold_m)
    if not isinstance(dataset, PreparedDataset):
        dataset = PreparedDataset(dataset)
    if not isinstance(evaluation_set, EvaluationSet):
        evaluation_set = find_set(dataset, evaluation_set)
    if evaluation_set.name != "val":
        check_protocol_sets(config, dataset.tests)
    protocol = protocol_of(config, evaluation_set.name)
    sources = (evaluation_set.queries, evaluation_set.database)
    check_submission(
        protocol, model.method, *(dataset.split(name).keys for name in sources)
    )
    k = max(*config.recall_values, num_predictions or 1, protocol.num_submitted)
    with descriptor_folder(work_dir) as folder:
        predictions = model.predict(
            dataset, evaluation_set, config, folder, k, progress=progress
        )
    result = judge(predictions, dataset, evaluation_set, config, method=model.method)
    preprocessing = model.extractor.preprocessing
    of_queries = model.query_extractor or model.extractor
    adapted_to = getattr(of_queries.encoder, "adapted_to", None)
    return dataclasses.replace(
        result,
        preprocessing=preprocessing,
        engine=model.extractor.engine,
        query_model=None
        if model.query_extractor is None
        else f"{of_queries.description}; {of_queries.preprocessing}",
        warnings=[
            *result.warnings,
            *size_warnings(result.rule, preprocessing),
            *adaptation_warnings(adapted_to, dataset, evaluation_set.queries),
        ],
    )


def find_set(dataset: PreparedDataset, name: str) -> EvaluationSet:
    """Returns an evaluation set by its name; `test` is also the only test set.

    Raises:
        EvaluationError: It is no name.
        DatasetError: There is no such set.
    """
    if not isinstance(name, str):
        raise EvaluationError(
            "`evaluate` takes a database, its positions, queries and their positions, "
            "or a model, a dataset and the name of a set. Received a set of type "
            f"{type(name).__name__}"
        )
    sets = dict(dataset.tests)
    if len(sets) == 1:
        sets.setdefault("test", *sets.values())
    return sets[name] if name in sets else dataset.evaluation_sets([name])[0]


@contextlib.contextmanager
def descriptor_folder(work_dir: str | Path | None) -> Iterator[Path]:
    """Gives the folder of descriptors, or one that vanishes afterwards."""
    if work_dir is not None:
        yield Path(work_dir)
        return
    with scratch_folder("descriptors") as folder:
        yield folder


def _positions(name: str, positions: Positions | npt.ArrayLike) -> Positions:
    if isinstance(positions, Positions):
        on_earth = positions.known & ~positions.is_local
        degrees = np.stack([positions.latitude_deg, positions.longitude_deg], axis=1)
        _check_degrees(name, np.where(on_earth[:, None], degrees, np.nan))
        return positions
    degrees = np.atleast_2d(np.asarray(positions, np.float64))
    if degrees.ndim != 2 or degrees.shape[1] != 2:
        raise EvaluationError(
            "Positions must be latitude and longitude in degrees, of shape (n, 2), or "
            f"`geo.Positions`. Received: shape {degrees.shape}"
        )
    _check_degrees(name, degrees)
    known = ~np.isnan(degrees).any(axis=1)
    found = Positions.from_lat_lon(*np.where(known[:, None], degrees, 0.0).T)
    zones = np.where(known, found.utm_zone, UNKNOWN_ZONE).astype(found.utm_zone.dtype)
    return dataclasses.replace(found, utm_zone=zones)


def _check_degrees(name: str, degrees: np.ndarray) -> None:
    problems = lat_lon_problems(*degrees.T)
    if problems:
        row = min(problems)
        raise EvaluationError(
            f"`{name}`, row {row}: {problems[row]}. NaN stands for unknown positions."
        )
