"""Percentile bootstrap over queries: medians, means, differences of two runs.

Shares of the queries have intervals of their own, see `proportions`.

Reference:
    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vpr_tf.tables import Interval

_ROWS_AT_ONCE = 4_000_000  # resampled queries held in memory


@dataclass(frozen=True)
class BootstrapSettings:
    """How the intervals were made.

    Attributes:
        num_resamples: Resamples of the queries, with replacement.
        level: Share of the resamples inside an interval; its ends are percentiles.
        seed: Seed of the resamples.
    """

    num_resamples: int = 2000
    level: float = 0.95
    seed: int = 0


def bootstrap_means(values: np.ndarray, settings: BootstrapSettings) -> list[Interval]:
    """Returns the mean of each column and its interval.

    All columns are resampled alike, so intervals of nested events are nested too.

    Args:
        values: Finite numbers or bools `(num_queries, num_columns)`.
        settings: Number of resamples, level and seed.

    Returns:
        One interval a column; NaN without queries.
    """
    values = np.asarray(values, np.float64)
    if not len(values):
        return [Interval(math.nan)] * values.shape[1]
    num_queries = len(values)

    def means_of(rows: np.ndarray) -> np.ndarray:
        # How often each query was drawn, times the values: no resample is copied.
        offsets = np.arange(len(rows))[:, None] * num_queries
        counts = np.bincount((rows + offsets).ravel(), minlength=rows.size)
        return counts.reshape(rows.shape) @ values / num_queries

    resampled = _resampled(means_of, num_queries, settings)
    return _intervals(values.mean(axis=0), resampled, settings)


def bootstrap_percentages(
    differences: np.ndarray, settings: BootstrapSettings
) -> list[Interval]:
    """Returns the mean of each column times 100; see `bootstrap_means`.

    For differences of two runs, 1, 0 and -1 a query.
    """
    return [
        Interval(share.value * 100, share.low * 100, share.high * 100)
        for share in bootstrap_means(differences, settings)
    ]


def bootstrap_statistics(
    statistics: Callable[[np.ndarray], np.ndarray],
    values: np.ndarray,
    settings: BootstrapSettings,
) -> list[Interval]:
    """Returns statistics that are no means, with their intervals.

    Args:
        statistics: Maps values `(num_samples, num_queries, ...)` to numbers
            `(num_samples, num_statistics)`, each sample on its own.
        values: One entry a query, `(num_queries, ...)`, at least one.
        settings: Number of resamples, level and seed.
    """
    measured = statistics(values[None])[0]
    resampled = _resampled(lambda rows: statistics(values[rows]), len(values), settings)
    return _intervals(measured, resampled, settings)


def bootstrap_quantiles(
    values: np.ndarray, quantiles: Sequence[float], settings: BootstrapSettings
) -> list[Interval]:
    """Returns quantiles of `values` `(num_queries,)`; NaN without queries."""
    if not len(values):
        return [Interval(math.nan)] * len(quantiles)
    return bootstrap_statistics(
        lambda samples: np.quantile(samples, quantiles, axis=1).T, values, settings
    )


def _resampled(
    statistics: Callable[[np.ndarray], np.ndarray],
    num_queries: int,
    settings: BootstrapSettings,
) -> np.ndarray:
    """Returns the statistics of every resample `(num_resamples, num_statistics)`."""
    return np.concatenate([statistics(rows) for rows in _blocks(num_queries, settings)])


def _blocks(num_queries: int, settings: BootstrapSettings) -> Iterator[np.ndarray]:
    """Yields rows drawn with replacement, `(num_samples, num_queries)` at a time."""
    generator = np.random.default_rng(settings.seed)
    at_once = max(1, _ROWS_AT_ONCE // num_queries)
    for first in range(0, settings.num_resamples, at_once):
        num_samples = min(at_once, settings.num_resamples - first)
        yield generator.integers(num_queries, size=(num_samples, num_queries))


def _intervals(
    measured: np.ndarray, resampled: np.ndarray, settings: BootstrapSettings
) -> list[Interval]:
    tail = (1 - settings.level) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail], axis=0)
    return [
        Interval(float(value), float(lowest), float(highest))
        for value, lowest, highest in zip(measured, low, high, strict=True)
    ]
