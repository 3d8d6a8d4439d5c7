import dataclasses

import numpy as np

from tests.vpr_tf.report.synthetic_report import evaluation_result
from vpr_tf.geo import Positions
from vpr_tf.report.suspects import suspect_labels

NUM_QUERIES = 25
# Ten photos within 9 m, ten within 9 m and 1 km away, one alone.
EAST_M = np.r_[np.arange(10), 1000 + np.arange(10), 5000]
DATABASE = Positions.from_utm(548_000.0 + EAST_M, np.full(21, 4e6), np.full(21, 10))
NEAR, FAR, MIXED = [0, 1, 2, 3, 4], [10, 11, 12, 0, 20], [10, 11, 20, 12, 13]


def result_of(rows):
    """All queries were taken at 0 m; descriptors of all are 0.5 away."""
    rows = np.array(rows)
    keys = [b"query_%d" % i for i in range(len(rows))]
    metres = EAST_M[rows].astype(float)
    return dataclasses.replace(
        evaluation_result(keys, metres[:, 0], 21, k=5),
        predictions=rows,
        distances_m=metres,
        hits=metres <= 25,
        descriptor_distances=np.full(rows.shape, 0.5, np.float32),
    )


def test_confident_consistent_and_far_predictions_make_a_position_suspect():
    result = result_of([NEAR] * (NUM_QUERIES - 3) + [FAR, MIXED, FAR])
    unlike = result.descriptor_distances.copy()
    unlike[-1] = 0.6  # less similar than right ones
    result = dataclasses.replace(result, descriptor_distances=unlike)
    assert np.flatnonzero(suspect_labels(result, DATABASE)).tolist() == [22]


def test_nothing_is_suspect_where_few_are_found_or_predictions_are_missing():
    few = result_of([NEAR] * 19 + [FAR] * 6)
    assert not suspect_labels(few, DATABASE).any()
    missing = result_of([NEAR] * 24 + [FAR])
    rows = missing.predictions.copy()
    rows[-1, 2] = -1
    missing = dataclasses.replace(missing, predictions=rows)
    assert not suspect_labels(missing, DATABASE).any()
    of_heads = dataclasses.replace(missing, scores=np.zeros(rows.shape))
    assert not suspect_labels(of_heads, DATABASE).any()
