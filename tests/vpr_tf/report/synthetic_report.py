"""A report of made-up queries around a place of one's choice."""

import math

import numpy as np

from vpr_tf.evaluation.results import EvaluationResult
from vpr_tf.localization.reliability import ReliabilityBin
from vpr_tf.report.bootstrap import BootstrapSettings
from vpr_tf.report.confidence import ConfidenceReport
from vpr_tf.report.error_distribution import ErrorDistribution
from vpr_tf.report.recalls import RecallTable
from vpr_tf.report.report import Identity, Report
from vpr_tf.report.smoothness import SimilarityBin, Smoothness
from vpr_tf.report.strata import Stratification, Stratum
from vpr_tf.tables import Interval

THRESHOLDS_M = [1.0, 5.0, 10.0, 25.0, 50.0, 100.0]
RECALL_VALUES = [1, 5, 10, 20]


def around(value, spread=3.0):
    return Interval(value, max(value - spread, 0), min(value + spread, 100))


def recall_table(num_queries):
    recalls = [
        [around(min(99.0, 22 + 12 * t + 6 * n)) for n in range(len(RECALL_VALUES))]
        for t in range(len(THRESHOLDS_M))
    ]
    found = [num_queries * (t + 5) // 10 for t in range(len(THRESHOLDS_M))]
    return RecallTable(THRESHOLDS_M, RECALL_VALUES, recalls, num_queries, found)


def error_distribution(errors_m):
    known = np.sort(errors_m[np.isfinite(errors_m)])
    percent = 100 * np.arange(1, len(known) + 1) / max(len(known), 1)
    quantiles = [
        Interval(float(q), 0.9 * float(q), 1.1 * float(q))
        for q in (
            np.quantile(known, [0.5, 0.75, 0.9]) if len(known) else [math.nan] * 3
        )
    ]
    mean = Interval(float(known.mean()) if len(known) else math.nan)
    within = around(100 * float(np.mean(known <= 25)) if len(known) else math.nan)
    return ErrorDistribution(
        len(known),
        0,
        quantiles[0],
        mean,
        quantiles[1],
        quantiles[2],
        within,
        25.0,
        known.tolist(),
        percent.tolist(),
    )


def confidence_report(confidence, right):
    order = np.argsort(-confidence)
    coverage = np.arange(1, len(order) + 1) / len(order)
    precision = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    parts = np.array_split(order[::-1], min(8, len(order)))
    answered = int(0.6 * len(order))
    bins = [
        ReliabilityBin(len(p), float(confidence[p].mean()), float(right[p].mean()))
        for p in parts
    ]
    return ConfidenceReport(
        calibrated_on="val, 86 queries",
        calibration="isotonic",
        threshold_m=25.0,
        num_queries=len(order),
        precision=float(right.mean()),
        coverage=coverage.tolist(),
        precision_at_coverage=precision.tolist(),
        threshold_at_coverage=confidence[order].tolist(),
        area=Interval(0.93, 0.91, 0.95),
        best_area=0.97,
        expected_calibration_error=0.041,
        num_bins=8,
        bins=bins,
        brier_score=Interval(0.11, 0.09, 0.13),
        wanted_precision=0.95,
        chosen_threshold=float(confidence[order[answered]]),
        answered_coverage=around(60.0),
        answered_precision=around(100 * float(precision[answered])),
    )


def smoothness(with_headings=True):
    def part(low, high, mean):
        return SimilarityBin(low, high, 500, mean, mean - 0.1, mean, mean + 0.1)

    edges = [float(edge) for edge in range(0, 101, 10)]
    by_distance = [
        part(low, low + 10, 0.2 + 0.6 * math.exp(-low / 30)) for low in edges[:-1]
    ]
    headings = [0.0, 30.0, 60.0, 90.0, 120.0, 150.0, 180.0] * with_headings
    grid = [
        [0.15 + 0.7 * math.exp(-low / 30 - h / 90) for low in edges[:-1]]
        for h in headings[:-1]
    ]
    by_heading = [part(h, h + 30, 0.8 - h / 300) for h in headings[:-1]]
    return Smoothness(
        5000,
        100.0,
        0,
        by_distance,
        -0.61,
        10.0,
        by_heading,
        -0.4,
        edges,
        headings,
        grid,
    )


def stratifications():
    return [
        Stratification(
            "year_gap",
            "Years between the query and its nearest positive.",
            [
                Stratum("0 years", 90, around(88)),
                Stratum("1 to 3 years", 12, around(61, 20)),
            ],
            3,
        ),
        Stratification(
            "time_of_day",
            "From the timestamp of the query.",
            [Stratum("day", 100, around(84)), Stratum("night", 1, around(0, 80))],
            0,
        ),
    ]


def evaluation_result(keys, errors_m, num_database, k=20):
    generator = np.random.default_rng(5)
    predictions = generator.integers(num_database, size=(len(keys), k))
    distances = np.sort(generator.uniform(0.2, 1.5, (len(keys), k)).astype("f4"), 1)
    metres = generator.uniform(0, 3000, (len(keys), k))
    metres[:, 0] = errors_m
    return EvaluationResult(
        name="test",
        recalls=dict.fromkeys(RECALL_VALUES, 80.0),
        num_queries=len(keys),
        num_database=num_database,
        num_queries_without_positives=1,
        num_queries_without_position=0,
        positive_dist_threshold_m=25.0,
        dataset_fingerprint="0123456789abcdef" * 4,
        predictions=predictions,
        descriptor_distances=distances,
        distances_m=metres,
        hits=metres <= 25,
        num_positives=np.full(len(keys), 3),
        query_keys=np.array(keys),
        predicted_keys=np.char.add(b"database_", predictions.astype("S9")),
        is_exact=True,
    )


def synthetic_report(num_queries=60, latitude=37.76, longitude=-122.45, keys=None):
    """Returns a report of queries within some kilometres of a place."""
    generator = np.random.default_rng(3)
    latitudes = latitude + generator.uniform(-0.02, 0.02, num_queries)
    longitudes = longitude + generator.uniform(-0.02, 0.02, num_queries)
    longitudes = (longitudes + 180) % 360 - 180
    errors_m = np.exp(generator.normal(2, 2, num_queries))
    right = errors_m <= 25
    confidence = np.clip(generator.normal(0.4 + 0.4 * right, 0.2), 0, 1)
    keys = keys or [f"query_{i}.jpg".encode() for i in range(num_queries)]
    result = evaluation_result(keys, errors_m, num_database=500)
    columns = {
        "key": result.query_keys,
        "latitude_deg": latitudes,
        "longitude_deg": longitudes,
        "utm_east_m": np.full(num_queries, 550_000.0),
        "predicted_latitude_deg": latitudes + errors_m / 111_195,
        "predicted_longitude_deg": longitudes,
        "error_m": errors_m,
        "confidence": confidence,
        "answered": confidence > 0.35,
        "prediction_1_m": result.distances_m[:, 0],
        "prediction_1_similarity": 1 - result.descriptor_distances[:, 0] / 2,
        "hit_rank_25m": np.where(right, 1.0, 0.0),
        "nearest_database_m": np.full(num_queries, 4.0),
        "is_suspect": np.zeros(num_queries, bool),
    }
    return Report(
        identity=Identity(
            set_name="test",
            dataset_fingerprint="0123456789abcdef" * 4,
            encoder_fingerprint="fedcba9876543210" * 4,
            encoder="ResNet18, GeM, 512 dimensions",
            preprocessing="square 224, float32",
            search="exact",
            num_queries=num_queries,
            num_database=500,
        ),
        bootstrap=BootstrapSettings(),
        positive_dist_threshold_m=25.0,
        recalls=recall_table(num_queries),
        errors={
            "cluster": error_distribution(errors_m),
            "best_match": error_distribution(errors_m * 1.6),
        },
        answer_method="cluster",
        confidence=confidence_report(confidence, right),
        why_no_confidence="",
        strata=stratifications(),
        left_out_strata={"class_frequency": "The dataset has no partition."},
        smoothness=smoothness(),
        queries_without_positives=[],
        queries_without_position=[],
        per_query=columns,
        result=result,
    )
