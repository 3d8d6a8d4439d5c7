"""What makes queries of a set easy or hard, measured and divided into strata."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vpr_tf.data.prepared_dataset import DatasetError, PreparedDataset
from vpr_tf.geo import nearest_m
from vpr_tf.photos import PhotoTable
from vpr_tf.report.query_facts import class_sizes, heading_gaps, year_gaps
from vpr_tf.report.strata import Stratification, stratify


@dataclass(frozen=True, eq=False)
class QueryAttributes:
    """Attributes of each query, arrays `(num_queries,)`, NaN where unknown.

    Attributes:
        columns: `mean_luma`: brightness of the image, 0 to 1. `year_gap`: smallest
            difference of years to a positive. `heading_gap_deg`: smallest turn to a
            positive. `nearest_database_m`: distance to the nearest database image.
            `class_num_images`: training images in the class of the query's place.
        left_out: Why an attribute is not divided into strata, by its name.
    """

    columns: dict[str, np.ndarray]
    left_out: dict[str, str]


def measure_attributes(
    dataset: PreparedDataset,
    partition: str,
    queries: PhotoTable,
    database: PhotoTable,
    positives: Sequence[np.ndarray],
    luma: np.ndarray,
) -> QueryAttributes:
    """Measures the attributes of every query.

    Args:
        dataset: The prepared dataset, for the classes of its train split.
        partition: Name of the partition whose classes count.
        queries: The queries.
        database: The database.
        positives: Database rows of each query's positives.
        luma: Mean luma of each query.
    """
    left_out = {}
    headings = np.concatenate([queries.heading_deg, database.heading_deg])
    turns = heading_gaps(queries, database, positives)
    if headings_say_nothing(headings):
        left_out["heading_gap_deg"] = f"every photo has the heading {headings[0]:g}"
        turns = np.full(len(queries), np.nan)
    sizes = np.full(len(queries), np.nan)
    try:
        classes = dataset.partition(partition)
        if not classes.has_ground:
            left_out["class_num_images"] = (
                f"the classes of the partition {partition!r} are no cells"
            )
        else:
            sizes = class_sizes(queries, classes)
            if not np.any(sizes > 0):
                left_out["class_num_images"] = (
                    f"no query lies in a class of the partition {partition!r}"
                )
    except DatasetError:
        left_out["class_num_images"] = f"there is no partition {partition!r}"
    columns = {
        "mean_luma": luma,
        "year_gap": year_gaps(queries, database, positives),
        "heading_gap_deg": turns,
        "nearest_database_m": nearest_m(queries.positions, database.positions),
        "class_num_images": sizes,
    }
    for name, values in columns.items():
        if np.isnan(values[queries.positions.known]).all():
            left_out.setdefault(name, "not known for any query")
    return QueryAttributes(columns, left_out)


def headings_say_nothing(heading_deg: np.ndarray) -> bool:
    """Whether headings are all the same, as where a source fills in zeros."""
    return bool(len(heading_deg) and np.all(heading_deg == heading_deg[0]))


def stratifications(
    attributes: QueryAttributes,
    queries: PhotoTable,
    found: np.ndarray,
    *,
    threshold_m: float,
    dark_luma_below: float,
    level: float,
) -> list[Stratification]:
    """Divides the queries of known position by every attribute that is known.

    Args:
        attributes: Of all queries.
        queries: The queries.
        found: Whether each query's first prediction is a positive.
        threshold_m: Largest distance of a positive.
        dark_luma_below: Mean luma below which a query counts as dark.
        level: Confidence level of the intervals.
    """
    known = queries.positions.known
    zones = queries.positions.utm_zone.astype(np.float64)
    columns = {**attributes.columns, "utm_zone": zones}
    divisions = _divisions(threshold_m, dark_luma_below)
    names = np.unique(zones[known])
    if len(names) > 1:
        definition = "UTM zone of the query, negative in the south"
        labels = [f"zone {zone:g}" for zone in names]
        divisions.append(("utm_zone", definition, names[1:].tolist(), labels))
    return [
        stratify(
            name, definition, columns[name][known], found[known], edges, labels, level
        )
        for name, definition, edges, labels in divisions
        if name not in attributes.left_out
    ]


def _divisions(
    threshold_m: float, dark_luma_below: float
) -> list[tuple[str, str, list[float], list[str]]]:
    """Returns name, definition, edges and labels of every division."""
    near = [edge for edge in (2.0, 5.0, 10.0) if edge < threshold_m]
    starts = [0.0, *near]
    ends = [*near, threshold_m]
    distances = [f"{a:g} to {b:g} m" for a, b in zip(starts, ends, strict=True)]
    return [
        (
            "mean_luma",
            "mean luma (BT.601) of the query image, 0 black to 1 white",
            [dark_luma_below],
            [f"dark, below {dark_luma_below:g}", f"light, {dark_luma_below:g} or more"],
        ),
        (
            "year_gap",
            "smallest difference of years between the query and its positives",
            [2, 4, 7],
            ["0 or 1 year", "2 or 3 years", "4 to 6 years", "7 years or more"],
        ),
        (
            "heading_gap_deg",
            "smallest turn between the query and its positives",
            [10, 30, 90],
            ["below 10°", "10° to 30°", "30° to 90°", "90° or more"],
        ),
        (
            "nearest_database_m",
            "distance from the query to the nearest database image",
            # A positive lies at the threshold or nearer.
            [*near, float(np.nextafter(threshold_m, np.inf))],
            [*distances, f"farther than {threshold_m:g} m"],
        ),
        (
            "class_num_images",
            "training images in the class of the query's place and heading",
            [1, 10, 20, 50],
            ["no class", "below 10", "10 to 19", "20 to 49", "50 or more"],
        ),
    ]
