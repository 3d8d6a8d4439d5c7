"""Queries whose candidates are compared with them point by point.

A descriptor confuses places that look alike; key points that one geometry explains do
not. To find them takes longer than all else, so that only queries of low confidence may
be worth it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from vpr_tf.config import LocalizationConfig, RerankConfig
from vpr_tf.localization.calibration import Calibration
from vpr_tf.localization.candidates import CHANCE_INLIERS, Candidates
from vpr_tf.localization.errors import LocalizationError
from vpr_tf.localization.estimates import Estimates, estimate_positions
from vpr_tf.localization.matched_points import MatchedPoints


class NotMatchedError(LocalizationError):
    """A query cannot be compared with its candidates; why."""


@dataclass(frozen=True, eq=False)
class Compared:
    """What a query shares with some photos.

    Attributes:
        points: One for each photo; None of one that cannot be compared.
        problem: Why some cannot; empty if all can.
    """

    points: Sequence[MatchedPoints | None]
    problem: str = ""


class InlierCounter(Protocol):
    """Finds the key points that queries share with photos.

    Attributes:
        matched_by: What two must share to count the same.
    """

    matched_by: str

    def compare(
        self, query: int, rows: Sequence[int], keys: Sequence[bytes]
    ) -> Compared:
        """Finds the key points that a query shares with some photos.

        Args:
            query: Number of the query.
            rows: Of the photos in the database.
            keys: Their names.

        Raises:
            NotMatchedError: The query has no key points, or no photo can be read.
        """


@dataclass(frozen=True, eq=False)
class SecondLook:
    """How candidates are re-ranked, and what that makes of their confidence.

    Attributes:
        config: Which queries, and how many candidates.
        counter: Compares photos.
        calibration: Fitted on re-ranked candidates; None without.
        keeps_points: Whether it is kept where the shared key points lie.
    """

    config: RerankConfig
    counter: InlierCounter
    calibration: Calibration | None = None
    keeps_points: bool = False

    @property
    def matched_by(self) -> str:
        """What a calibration of re-ranked candidates depends on, besides settings."""
        return f"{self.counter.matched_by}, {self.config.candidates} candidates"

    def wanted(self, estimates: Estimates) -> np.ndarray:
        """Returns the queries that get a second look.

        Args:
            estimates: Of the first look.
        """
        some = estimates.members.any(axis=1)
        if self.config.when == "never":
            return np.zeros(0, np.int64)
        least = self.config.confidence
        if least is None:
            least = estimates.min_confidence
        if self.config.when == "always" or least is None:
            return np.flatnonzero(some)
        # Without a confidence, a query is not known to be a sure one.
        return np.flatnonzero(some & ~(estimates.confidence >= least))


@dataclass(frozen=True, eq=False)
class LookedAt:
    """Queries that got a second look.

    Attributes:
        queries: Their numbers; of `candidates` the queries in this order.
        candidates: Re-ranked.
        problems: Why other queries got none, by their numbers.
        left_out: Why some of the candidates of a query were not compared with it, by
            its number. They stay candidates without evidence: with fewer, its
            confidence would not be what was calibrated.
        points: Where key points lie, by the number of the query and the key of the
            photo; empty where that is not kept.
    """

    queries: np.ndarray
    candidates: Candidates
    problems: dict[int, str]
    left_out: dict[int, str] = field(default_factory=dict)
    points: dict[tuple[int, bytes], MatchedPoints] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        candidates: Candidates,
        queries: Sequence[int] | np.ndarray,
        look: SecondLook,
        config: LocalizationConfig,
    ) -> LookedAt:
        """Compares queries with their candidates.

        A query some of whose candidates cannot be compared, and that shares no more
        with the others than chance gives, keeps its first look.

        Args:
            candidates: Of all queries, see `wide_config`.
            queries: Which get a second look.
            look: How.
            config: How similarities weigh, and how many matches vote.
        """
        found, counts, problems, left_out = [], [], {}, {}
        kept: dict[tuple[int, bytes], MatchedPoints] = {}
        for query in np.asarray(queries, np.int64).tolist():
            valid = candidates.valid[query]
            photo_rows, keys = (one.tolist() for one in candidates.photos_of(query))
            row = np.full(len(valid), np.nan)
            try:
                compared = look.counter.compare(query, photo_rows, keys)
            except NotMatchedError as error:
                problems[query] = str(error)
                continue
            points = compared.points
            row[valid] = [np.nan if one is None else len(one) for one in points]
            if compared.problem and not (row > CHANCE_INLIERS).any():
                # Nothing speaks for the others: one of the missing may be the place.
                problems[query] = compared.problem
                continue
            if compared.problem:
                left_out[query] = compared.problem
            if look.keeps_points:
                pairs = zip(keys, points, strict=True)
                kept |= {(query, key): one for key, one in pairs if one is not None}
            found.append(query)
            counts.append(row)
        rows = np.array(found, np.int64)
        inliers = np.reshape(counts, (len(rows), candidates.rows.shape[1]))
        reranked = candidates.take(rows).reranked(inliers, look.matched_by, config)
        return cls(rows, reranked, problems, left_out, kept)

    def of_queries(self, queries: np.ndarray) -> LookedAt:
        """Returns some of them.

        Args:
            queries: Their numbers, ascending.
        """
        places = np.searchsorted(self.queries, queries)
        return dataclasses.replace(
            self, queries=queries, candidates=self.candidates.take(places)
        )

    def estimates(
        self,
        config: LocalizationConfig,
        calibration: Calibration | None,
        min_confidence: float | None = None,
    ) -> Estimates:
        """Estimates where the queries were taken; see `estimate_positions`."""
        return estimate_positions(
            self.candidates,
            config,
            calibration=calibration,
            min_confidence=min_confidence,
        )


def wide_config(config: LocalizationConfig) -> LocalizationConfig:
    """Returns a config with which all matches that are compared are candidates.

    Those that vote are among them.
    """
    compared = max(config.num_predictions, config.rerank.candidates)
    return dataclasses.replace(config, num_predictions=compared)
