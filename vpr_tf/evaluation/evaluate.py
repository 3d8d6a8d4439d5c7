"""One encoder on one evaluation set."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vpr_tf.config import EvaluationConfig
from vpr_tf.data.prepared_dataset import EvaluationSet, PreparedDataset
from vpr_tf.evaluation.errors import EvaluationError
from vpr_tf.evaluation.positives import positives_per_query
from vpr_tf.evaluation.recall import hits_matrix, recall_at
from vpr_tf.evaluation.results import EvaluationResult
from vpr_tf.extraction.descriptors import descriptor_source, extract_descriptors
from vpr_tf.extraction.encoders import Encoder
from vpr_tf.extraction.encoders import encoder_fingerprint as fingerprint_of
from vpr_tf.geo import Positions, distances_m
from vpr_tf.models.precision import in_precision
from vpr_tf.search import (
    IndexMismatchError,
    SearchIndex,
    build_index,
    index_kind,
    load_saved_index,
    save_index,
)


def evaluate_encoder(
    encoder: Encoder,
    dataset: PreparedDataset,
    evaluation_set: EvaluationSet,
    config: EvaluationConfig,
    *,
    work_dir: Path | None = None,
    encoder_fingerprint: str | None = None,
    num_predictions: int | None = None,
    progress: bool = True,
) -> EvaluationResult:
    """Describes database and queries, searches, and measures recall@N.

    Recall follows the official protocol: a query counts as found at N when any of its
    first N predictions lies within `positive_dist_threshold_m`, and queries without
    any positive stay in the denominator. Queries of unknown position are predicted
    but not counted.

    Args:
        encoder: A `GeoLocalizationNet`, which computes in `config.precision` here
            whatever it was trained in, or any other `Encoder`.
        dataset: The prepared dataset.
        evaluation_set: Names of its database and query splits.
        config: How images are prepared, searched and judged.
        work_dir: Folder that keeps the descriptors (and a ScaNN index), so that an
            interrupted evaluation continues; None for a temporary one.
        encoder_fingerprint: Identity of the encoder; None computes it.
        num_predictions: Predictions of each query, if more than the largest recall
            value.
        progress: Whether to draw progress bars.

    Raises:
        EvaluationError: A split is empty, a record is damaged, or the encoder gives
            no finite descriptors.
    """
    check_images(dataset, evaluation_set.database, evaluation_set.queries)
    fingerprint = encoder_fingerprint or fingerprint_of(encoder)
    encoder = in_precision(encoder, config.precision)
    with descriptor_folder(work_dir) as folder:
        database, queries = (
            extract_descriptors(
                encoder,
                dataset,
                split,
                config,
                folder / split,
                encoder_fingerprint=fingerprint,
                progress=progress,
            )
            for split in (evaluation_set.database, evaluation_set.queries)
        )
        source = descriptor_source(
            dataset, evaluation_set.database, config, fingerprint
        )
        index_folder = folder / evaluation_set.database / "index"
        index = index_of(config, database, index_folder, source)
        k = max(*config.recall_values, num_predictions or 1)
        distances, predictions = index.search(queries, k)
    return judge_predictions(
        dataset, evaluation_set, config, predictions, distances, index.is_exact
    )


def check_images(dataset: PreparedDataset, *splits: str) -> None:
    """Checks that splits have images.

    Raises:
        EvaluationError: One is empty.
    """
    for split in splits:
        if not len(dataset.split(split)):
            raise EvaluationError(
                f"The split {split!r} of {dataset.path} has no images. Add them and "
                "build the dataset again."
            )


def judge_predictions(
    dataset: PreparedDataset,
    evaluation_set: EvaluationSet,
    config: EvaluationConfig,
    predictions: np.ndarray,
    descriptor_distances: np.ndarray,
    is_exact: bool,
) -> EvaluationResult:
    """Compares predictions with the true positions.

    Args:
        dataset: The prepared dataset.
        evaluation_set: Names of its database and query splits.
        config: Threshold and recall values.
        predictions: Database rows `(num_queries, k)`; -1 where there is none.
        descriptor_distances: Squared distances of the descriptors, same shape.
        is_exact: Whether the search finds every true neighbour.
    """
    database = dataset.split(evaluation_set.database)
    return judge_places(
        dataset,
        evaluation_set,
        config,
        predictions,
        descriptor_distances,
        database.positions(),
        database.keys[predictions],
        is_exact=is_exact,
    )


def judge_places(
    dataset: PreparedDataset,
    evaluation_set: EvaluationSet,
    config: EvaluationConfig,
    predictions: np.ndarray,
    descriptor_distances: np.ndarray,
    places: Positions,
    predicted_keys: np.ndarray,
    *,
    is_exact: bool = True,
    scores: np.ndarray | None = None,
    spread_m: np.ndarray | None = None,
) -> EvaluationResult:
    """Compares predicted places, of whatever kind, with the true positions.

    Args:
        dataset: The prepared dataset.
        evaluation_set: Names of its database and query splits.
        config: Method, threshold and recall values.
        predictions: Rows of `places`, `(num_queries, k)`; -1 where there is none.
        descriptor_distances: Squared distances of the descriptors, same shape; NaN
            where predictions come without.
        places: Positions that are predicted.
        predicted_keys: Name of each prediction, same shape as `predictions`.
        is_exact: Whether the best of all places are predicted.
        scores: Of each prediction, same shape; None for retrieval.
        spread_m: See `Candidates`.
    """
    split = dataset.split(evaluation_set.queries)
    queries = split.positions()
    positives = positives_per_query(queries, places, config.positive_dist_threshold_m)
    known = queries.known
    num_positives = np.array([len(rows) for rows in positives])
    return EvaluationResult(
        name=evaluation_set.name,
        recalls=recall_at(
            predictions, positives, config.recall_values, evaluated=known
        ),
        num_queries=len(queries),
        num_database=len(places),
        num_queries_without_positives=int(np.sum(known & (num_positives == 0))),
        num_queries_without_position=int(np.sum(~known)),
        positive_dist_threshold_m=config.positive_dist_threshold_m,
        dataset_fingerprint=dataset.fingerprint,
        predictions=predictions,
        descriptor_distances=descriptor_distances,
        distances_m=distances_m(queries, places, predictions),
        hits=hits_matrix(predictions, positives),
        num_positives=np.where(known, num_positives, -1),
        query_keys=np.array(split.keys),
        predicted_keys=predicted_keys,
        is_exact=is_exact,
        method=config.method,
        scores=scores,
        spread_m=spread_m,
        places=None if scores is None else places,
    )


@contextlib.contextmanager
def descriptor_folder(work_dir: Path | None) -> Iterator[Path]:
    """Gives the folder of descriptors, or one that vanishes afterwards."""
    if work_dir is not None:
        yield Path(work_dir)
        return
    with tempfile.TemporaryDirectory(prefix="vpr_tf_descriptors_") as folder:
        yield Path(folder)


def index_of(
    config: EvaluationConfig,
    descriptors: np.ndarray,
    folder: Path,
    source: dict[str, object],
) -> SearchIndex:
    """Builds an index; an approximate one, which takes long, is kept."""
    kind = index_kind(config.index, len(descriptors))
    settings = {"uri": config.milvus_uri} if kind == "milvus" else {}
    text = json.dumps([source, kind, settings], sort_keys=True)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()
    if kind != "exact":
        with contextlib.suppress(IndexMismatchError):
            return load_saved_index(folder, descriptors, fingerprint)
    built = build_index(kind, descriptors, settings)
    if not built.is_exact:
        save_index(built, folder, fingerprint)
    return built
