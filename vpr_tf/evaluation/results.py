"""What an evaluation found, as a table and as files."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.config import STANDARD, Preprocessing, Protocol, find_protocol
from vpr_tf.csv_files import name_cell
from vpr_tf.evaluation.protocols import count_warnings, dropped_queries
from vpr_tf.geo import Positions
from vpr_tf.tables import Column, Table


@dataclass(frozen=True, eq=False)
class EvaluationResult:
    """Recall and predictions on one evaluation set; k is the largest recall value.

    Attributes:
        name: Name of the evaluation set.
        recalls: Percent by N; NaN when no query has a known position.
        num_queries: Queries, those without position included.
        num_database: Database images.
        num_queries_without_positives: Queries that no database image is near to;
            they count as not found, or are dropped, as the protocol has it.
        num_queries_without_position: Queries of unknown position; not in the recall.
        positive_dist_threshold_m: Largest distance of a positive.
        dataset_fingerprint: Hash over the dataset's shards.
        predictions: Database records, int64 `(num_queries, k)`; -1 is missing.
        descriptor_distances: Squared distances of the unit descriptors, float32
            `(num_queries, k)`; inf where missing.
        distances_m: Metres on the ground `(num_queries, k)`; NaN where unknown.
        hits: Whether each prediction is a positive `(num_queries, k)`.
        num_positives: Positives of each query; -1 where its position is unknown.
        query_keys: Record keys of the queries.
        predicted_keys: Record keys of the predictions; not meaningful where missing.
        is_exact: Whether the search finds every true neighbour.
        method: `evaluation.method`: what the predictions are. Of `classification`
            they are places of a class table, its size is `num_database`.
        protocol: Name of what recall means, of `config.PROTOCOLS`.
        scores: Of the predicted places, `(num_queries, k)`; None for retrieval.
        spread_m: See `Candidates`; None for retrieval.
        places: What the predictions count in, where that is no database; None for
            retrieval.
        preprocessing: How images were prepared; None of descriptors alone.
        engine: What computed the descriptors; None of descriptors alone.
        query_model: What described the queries, where that was another encoder.
        warnings: What makes the result doubtful; see `result_warnings`.
    """

    name: str
    recalls: dict[int, float]
    num_queries: int
    num_database: int
    num_queries_without_positives: int
    num_queries_without_position: int
    positive_dist_threshold_m: float
    dataset_fingerprint: str
    predictions: np.ndarray
    descriptor_distances: np.ndarray
    distances_m: np.ndarray
    hits: np.ndarray
    num_positives: np.ndarray
    query_keys: np.ndarray
    predicted_keys: np.ndarray
    is_exact: bool
    method: str = "retrieval"
    protocol: str = STANDARD
    scores: np.ndarray | None = None
    spread_m: np.ndarray | None = None
    places: Positions | None = None
    preprocessing: Preprocessing | None = None
    engine: str | None = None
    query_model: str | None = None
    warnings: Sequence[str] = ()

    @property
    def symbol(self) -> str:
        """What recall is called: R, or LR when places are predicted."""
        return "LR" if self.method == "classification" else "R"

    @property
    def rule(self) -> Protocol:
        """What recall means."""
        return find_protocol(self.protocol)

    @property
    def dropped(self) -> np.ndarray:
        """Whether each query is left out by the protocol."""
        return dropped_queries(self.rule, self.num_positives)

    @property
    def num_counted(self) -> int:
        """Queries in the recall."""
        return int(np.sum((self.num_positives >= 0) & ~self.dropped))

    @property
    def count_warnings(self) -> list[str]:
        """Which counts differ from what the protocol states, for people."""
        predicts_places = self.method == "classification"
        num_database = None if predicts_places else self.num_database
        return count_warnings(self.rule, self.num_counted, num_database)

    @property
    def has_stated_counts(self) -> bool:
        """Whether no count differs from what the protocol states."""
        return not self.count_warnings

    def summary(self) -> dict[str, Any]:
        """Returns the numbers as JSON-ready values."""
        return {
            "name": self.name,
            "recalls": {str(n): _finite(value) for n, value in self.recalls.items()},
            "num_queries": self.num_queries,
            "num_database": self.num_database,
            "num_queries_without_positives": self.num_queries_without_positives,
            "num_queries_without_position": self.num_queries_without_position,
            "positive_dist_threshold_m": self.positive_dist_threshold_m,
            "dataset_fingerprint": self.dataset_fingerprint,
            "is_exact": self.is_exact,
            "method": self.method,
            "protocol": self.protocol,
            "queries_without_positives_are": self.rule.unmatched,
            "images": None if self.preprocessing is None else str(self.preprocessing),
            "engine": self.engine,
            "query_model": self.query_model,
            "warnings": list(self.warnings),
        }


def results_table(results: Sequence[EvaluationResult]) -> str:
    """Returns a markdown table, one line an evaluation set."""
    values = sorted({n for result in results for n in result.recalls})
    unknown = any(result.num_queries_without_position for result in results)
    of_places = all(result.method == "classification" for result in results)
    symbol, known = ("LR", "places") if of_places else ("R", "database")
    columns = [Column("set", "text"), *(Column(f"{symbol}@{n}") for n in values)]
    columns += [Column("queries"), Column(known), Column("without positives")]
    columns += [Column("without position")] * unknown
    columns += map(Column, ("threshold", "protocol", "search", "images"))
    columns += map(Column, ("engine", "dataset"))
    rows = [
        [
            result.name,
            *(result.recalls.get(n) for n in values),
            result.num_queries,
            result.num_database,
            result.num_queries_without_positives,
            *([result.num_queries_without_position] * unknown),
            f"{result.positive_dist_threshold_m:g} m",
            result.protocol,
            "exact" if result.is_exact else "approximate",
            "" if result.preprocessing is None else str(result.preprocessing),
            result.engine or "",
            result.dataset_fingerprint[:12],
        ]
        for result in results
    ]
    return Table("", columns, rows).to_markdown()


def results_text(results: Sequence[EvaluationResult]) -> str:
    """Returns the table and the warnings below it, as markdown."""
    others = {r.query_model for r in results if r.query_model is not None}
    by = [f"Queries are described by {model}." for model in sorted(others)]
    return "\n\n".join([results_table(results), *by, *warning_lines(results)])


def warning_lines(results: Sequence[EvaluationResult]) -> list[str]:
    """Returns the warnings with the set that each is of."""
    return [f"Warning: {r.name}: {text}" for r in results for text in r.warnings]


def write_results(results: Sequence[EvaluationResult], folder: str | Path) -> None:
    """Writes results.md, results.json and predictions.csv of each set.

    Args:
        results: One for each evaluation set.
        folder: Existing or new folder; those of the sets are made in it.
    """
    for result in results:
        of_set = Path(folder) / result.name
        of_set.mkdir(parents=True, exist_ok=True)
        (of_set / "results.md").write_text(results_text([result]) + "\n")
        summary = json.dumps(result.summary(), indent=2)
        (of_set / "results.json").write_text(summary + "\n")
        _write_predictions(result, of_set / "predictions.csv")


def _write_predictions(result: EvaluationResult, path: Path) -> None:
    """One line a prediction; empty where a position is unknown."""
    scores = result.scores
    if scores is None:
        scores = 1 - result.descriptor_distances / 2
    with path.open("w", newline="", encoding="utf-8") as file:
        place, value = "database", "similarity"
        if result.scores is not None:
            place, value = "place", "score"
        writer = csv.writer(file)
        writer.writerow(["query", "rank", place, value, "distance_m", "is_positive"])
        for query, key in enumerate(result.query_keys):
            known = result.num_positives[query] >= 0
            for rank, row in enumerate(result.predictions[query]):
                if row < 0:
                    break
                metres = result.distances_m[query, rank]
                writer.writerow(
                    [
                        name_cell(key.decode()),
                        rank + 1,
                        name_cell(result.predicted_keys[query, rank].decode()),
                        f"{scores[query, rank]:.6f}",
                        "" if np.isnan(metres) else f"{metres:.2f}",
                        str(bool(result.hits[query, rank])).lower() if known else "",
                    ]
                )


def _finite(value: float) -> float | None:
    return None if math.isnan(value) else value
