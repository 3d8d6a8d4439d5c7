"""Measures search and classification of a city that grows."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.grown_city import City, grown_city
from benchmarks.methods_engines import EXACT, approximate_engines
from benchmarks.methods_measure import Method
from benchmarks.methods_timing import median_ms
from vpr_tf.classification import PlaceClassifier
from vpr_tf.classification.cell_ranking import ClassifierCells
from vpr_tf.evaluation.judge import Predictions, judge_positions
from vpr_tf.geo import Positions
from vpr_tf.search import CellFilteredIndex, CellRows

EXACT_NAME, HEADS_NAME, NARROWED_NAME = "exact", "D&C", "D&C + search"


@dataclass(frozen=True)
class Point:
    """One engine on a database of one size.

    Attributes:
        engine: Its name.
        num_images: Database images.
        num_cells: Cells of the classifier.
        lr_1: LR@1 in percent.
        ms: Median time of a query after the encoder.
    """

    engine: str
    num_images: int
    num_cells: int
    lr_1: float
    ms: float


def measure_growth(
    method: Method, districts: Sequence[int], num_cells: int
) -> list[Point]:
    """Measures all engines on the city and its copies.

    Args:
        method: Encoder and heads.
        districts: Copies of the city in all, ascending.
        num_cells: Cells that the narrowed search reads.

    Raises:
        ValueError: See `grown_city`.
    """
    heads = method.heads()
    if not isinstance(heads, PlaceClassifier):
        raise ValueError("A regression has no cells; name a config of Divide&Classify.")
    split = method.opened.dataset.split(method.evaluation_set.database)
    first = City(np.array(method.database()), split.positions(), heads)
    points = []
    for count in districts:
        city = grown_city(first, count)
        for point in _measure(method, city, num_cells):
            print(
                f"{point.num_images:,} images, {point.engine}: "
                f"LR@1 {point.lr_1:.1f}, {point.ms:.2f} ms",
                file=sys.stderr,
                flush=True,
            )
            points.append(point)
    return points


def _measure(method: Method, city: City, num_cells: int) -> Iterator[Point]:
    singles, n = method.single_queries(), method.num_predictions
    table, ranking = city.classifier.table, ClassifierCells(city.classifier)
    point = functools.partial(_point, method, city)
    engines = [EXACT, *approximate_engines(city.database)]
    for engine in engines:
        index = engine.build(city.database)
        search = functools.partial(_rows, index.search, n)
        name = engine.name or EXACT_NAME
        yield point(name, search, city.positions, singles)
    answer = functools.partial(_places, city.classifier, n)
    yield point(HEADS_NAME, answer, table.positions, singles)
    rows = CellRows.from_cells(ranking.cells_of(city.positions), ranking.num_cells)
    inner = EXACT.build(city.database)
    narrowed = CellFilteredIndex(inner, rows, ranking, num_cells)
    search = functools.partial(_rows, narrowed.search, n)
    yield point(NARROWED_NAME, search, city.positions, singles)


def _rows(search: Any, n: int, queries: np.ndarray) -> np.ndarray:
    return np.asarray(search(queries, n)[1])


def _places(classifier: PlaceClassifier, n: int, queries: np.ndarray) -> np.ndarray:
    return classifier.predict(queries, n).rows


def _point(
    method: Method,
    city: City,
    name: str,
    answer: Callable[[np.ndarray], np.ndarray],
    places: Positions,
    singles: Sequence[np.ndarray],
) -> Point:
    queries = method.opened.dataset.split(method.evaluation_set.queries)
    rows = answer(np.asarray(method.queries()))
    keys = np.zeros(rows.shape, "S1")  # nobody asks for the names
    result = judge_positions(
        Predictions(rows, np.full(rows.shape, np.nan), places, keys),
        queries.positions(),
        np.array(queries.keys),
        recall_values=method.opened.config.recall_values,
        threshold_m=method.opened.config.positive_dist_threshold_m,
        name=method.evaluation_set.name,
    )
    ms = median_ms(answer, singles)
    table = city.classifier.table
    return Point(name, len(city.database), table.num_cells, result.recalls[1], ms)
