"""What makes a result doubtful: each a sentence with what to look at."""

from __future__ import annotations

import numpy as np

from vpr_tf.config import AdaptedTo
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.evaluation.agreement import (
    NUM_AGREEING,
    agree_elsewhere,
    rows_off,
    seems_mis_indexed,
)
from vpr_tf.evaluation.results import EvaluationResult
from vpr_tf.evaluation.shared_images import SharedImages
from vpr_tf.extraction import is_adapted_to_split
from vpr_tf.geo import Positions, nearest_m
from vpr_tf.tables import metres

_MANY_QUERIES = 50  # a recall of 0 or 100 on more of them is hardly true
_FAR = 100  # times the threshold: no place of the city, rather another zone


def result_warnings(
    result: EvaluationResult,
    queries: Positions,
    places: Positions,
    shared: SharedImages | None = None,
) -> list[str]:
    """Returns what makes a result doubtful, none for most.

    Args:
        result: What was found.
        queries: Where the queries were taken.
        places: Where the database was taken, or the places that heads know.
        shared: Queries that are database images; None where there is no such database.
    """
    known = queries.known
    warnings = _without_position(result)
    warnings += result.count_warnings
    warnings += [result.rule.unstated] * bool(result.rule.unstated)
    warnings += _equal_descriptors(result)
    if shared is not None:
        warnings += _in_database(shared)
    if known.any():
        warnings += _extreme_recall(result, known)
        warnings += _mis_indexed(result, queries, places)
        warnings += _without_positives(result, queries, places)
    return warnings


def adaptation_warnings(
    adapted_to: AdaptedTo | None, dataset: PreparedDataset, queries: str
) -> list[str]:
    """Says so where the queries are the photos that the encoder was adapted to.

    Args:
        adapted_to: Of the encoder; None for one that was not adapted.
        dataset: That of the queries.
        queries: Their split.
    """
    if adapted_to is None or not is_adapted_to_split(adapted_to, dataset, queries):
        return []
    return [
        f"the encoder was adapted to these queries ({queries}), without their "
        "positions. So the recall is that of queries that are all known beforehand; "
        "for others adapt to a split that is not tested."
    ]


def _without_position(result: EvaluationResult) -> list[str]:
    unknown = result.num_queries_without_position
    if unknown == result.num_queries:
        return [
            "no query has a position, so there is no recall; what is predicted for "
            "them is not judged."
        ]
    if unknown:
        return [
            f"{unknown:,} of {result.num_queries:,} queries have no position; they "
            "are predicted but not in the recall."
        ]
    return []


def _in_database(shared: SharedImages) -> list[str]:
    either = shared.by_content | shared.by_name | shared.by_descriptor
    if not either.any():
        return []
    how = (
        f"{shared.by_content.sum():,} by content, {shared.by_name.sum():,} by name "
        "and position"
    )
    if shared.by_descriptor.any():
        how = "by descriptor and position"
    return [
        f"{either.sum():,} of {len(either):,} queries are database images "
        f"({how}). They find themselves, so the recall says too much: take "
        "queries that are not in the database."
    ]


def _equal_descriptors(result: EvaluationResult) -> list[str]:
    """Names descriptors that are all equal, such as zeros."""
    distances, rows = result.descriptor_distances, result.predictions
    if result.scores is not None or not len(rows) or (rows[:, 0] < 0).any():
        return []
    first, last = distances[:, 0], np.where(rows >= 0, distances, 0).max(axis=1)
    one_match = (rows == rows[0]).all() and (distances == distances[0]).all()
    if rows.shape[1] > 1 and rows[:, 1].min() >= 0 and (first == last).all():
        what = "database images are equally far from each query"
    elif len(rows) > 1 and one_match:
        what = "queries have the same matches at the same distances"
    else:
        return []
    return [
        f"All {what}, as if all descriptors were equal, e.g. zeros, so the order of "
        "matches says nothing. Look at the encoder and its images."
    ]


def _extreme_recall(result: EvaluationResult, known: np.ndarray) -> list[str]:
    found, count = result.hits[known, 0], int(known.sum())
    if count <= _MANY_QUERIES or found.any() != found.all():
        return []
    if found.all():
        look = (
            "Are queries photos of the database, or does most of it lie within the "
            f"threshold of {result.positive_dist_threshold_m:g} m?"
        )
    else:
        look = (
            "Do the model and its preprocessing belong together, and the positions of "
            "queries and database (UTM zone, order of columns)?"
        )
    recall = 100 * int(found.all())
    return [f"{result.symbol}@1 is {recall} on {count:,} queries. {look}"]


def _mis_indexed(
    result: EvaluationResult, queries: Positions, places: Positions
) -> list[str]:
    """Names positions that seem to be those of other queries."""
    elsewhere = agree_elsewhere(result, places)
    if not seems_mis_indexed(result, elsewhere, places):
        return []
    text = (
        f"the first {NUM_AGREEING} predictions of {elsewhere.sum():,} of "
        f"{int(queries.known.sum()):,} queries lie together, and far from where the "
        "query is said to have been taken, as if positions were those of other photos."
    )
    if moved := rows_off(result, queries, places):
        text += (
            f" Most are right if each query takes the position {abs(moved)} "
            f"{'row' if abs(moved) == 1 else 'rows'} {'down' if moved > 0 else 'up'}."
        )
    return [f"{text} Look at the order of photos and positions, and at the pictures."]


def _without_positives(
    result: EvaluationResult, queries: Positions, places: Positions
) -> list[str]:
    known, threshold_m = queries.known, result.positive_dist_threshold_m
    count, lonely = int(known.sum()), result.num_queries_without_positives
    if 2 * lonely <= count:
        return []
    what = "database image" if result.places is None else "place"
    text = f"{lonely:,} of {count:,} queries have no {what} within {threshold_m:g} m"
    if not places.known.any():
        return [f"{text}: no {what} has a known position."]
    nearest = nearest_m(queries, places)[known]
    median = float(np.median(nearest))
    text += (
        f"; the nearest {what} is {metres(float(nearest.min()))} away at least, "
        f"{metres(median)} in the median."
    )
    if median > _FAR * threshold_m:
        return [
            f"{text} Look at the UTM zone and hemisphere, swapped columns (latitude "
            "and longitude, east and north), and whether it is the database of these "
            "queries."
        ]
    return [
        f"{text} Look at evaluation.positive_dist_threshold_m, and whether the "
        "database covers the places of the queries."
    ]
