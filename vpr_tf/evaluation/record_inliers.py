"""Queries of a prepared dataset compared with photos of its database."""

from __future__ import annotations

from vpr_tf.data.prepared_dataset import EvaluationSet, PreparedDataset
from vpr_tf.evaluation.record_images import read_image
from vpr_tf.matching import LocalFeatures, PhotoMatching
from vpr_tf.matching.photo_inliers import PhotoInliers


def record_inliers(
    matching: PhotoMatching, dataset: PreparedDataset, evaluation_set: EvaluationSet
) -> PhotoInliers:
    """Returns what counts the key points that queries of a set share with its photos.

    Args:
        matching: Compares two photos.
        dataset: The prepared dataset.
        evaluation_set: Names of its database and query splits.
    """
    queries, database = (
        dataset.split(name)
        for name in (evaluation_set.queries, evaluation_set.database)
    )

    def query(row: int) -> LocalFeatures:
        return matching.features(read_image(queries, row))

    def candidate(row: int, key: bytes) -> LocalFeatures:
        kept_as = evaluation_set.database, row
        return matching.kept_features(kept_as, lambda: read_image(database, row))

    return PhotoInliers(matching, query, candidate)
