"""Measures one method on one evaluation set: recall, time by part, memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks.methods_engines import EXACT, Engine
from benchmarks.methods_runs import Experiment, finished_run
from benchmarks.methods_timing import (
    held_bytes,
    index_bytes,
    median_ms,
    medians_ms,
    resident_growth,
)
from vpr_tf.classification import load_heads
from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.data.image_batches import ImageBatches, SplitImages
from vpr_tf.data.prepared_dataset import EvaluationSet
from vpr_tf.evaluation import Evaluation, EvaluationResult
from vpr_tf.evaluation.judge import Predictions, judge
from vpr_tf.extraction.engines import Forward
from vpr_tf.extraction.whitening import whiten_encoder


@dataclass(frozen=True, eq=False)
class Measured:
    """One method.

    Attributes:
        label: Name of the method in the table.
        kind: `retrieval`, `approximate`, `classification` or `narrowed`.
        recalls: Percent by N, of the queries of known position.
        found: Whether the first prediction of each such query is right, bool.
        extract_ms: Median time of the forward passes of a query.
        classify_ms: Median time of the heads; NaN without heads.
        search_ms: Median time of the search; NaN without a search.
        held_bytes: Of heads, tables, database descriptors and what an index adds.
        resident_bytes: Growth of the process when these are loaded and used.
        run: The run folder, or those, whose models were used.
        num_cells: K, of `narrowed`.
        index: Name of the engine, of `approximate`.
        pca_dim: To what PCA cut the descriptors that are searched; None without.
    """

    label: str
    kind: str
    recalls: dict[int, float]
    found: np.ndarray
    extract_ms: float
    classify_ms: float
    search_ms: float
    held_bytes: int
    resident_bytes: float
    run: str
    num_cells: int | None = None
    index: str = ""
    pca_dim: int | None = None

    @property
    def answer_ms(self) -> float:
        """Time after the encoder: heads and search."""
        parts = [self.classify_ms, self.search_ms]
        return sum(part for part in parts if math.isfinite(part))

    @property
    def total_ms(self) -> float:
        """Time of a query."""
        return self.extract_ms + self.answer_ms


@dataclass(frozen=True, eq=False)
class Method:
    """A trained method on an evaluation set, opened once.

    Attributes:
        experiment: Its config.
        run: Its run folder.
        opened: Encoder, dataset and heads.
        evaluation_set: The set.
        timed: Rows of the queries that are timed, one at a time.
        pca_dim: To what PCA cut the descriptors; None without.
    """

    experiment: Experiment
    run: Path
    opened: Evaluation
    evaluation_set: EvaluationSet
    timed: np.ndarray
    pca_dim: int | None = None

    @classmethod
    def open(
        cls,
        experiment: Experiment,
        set_name: str,
        num_timed: int,
        pca_dim: int | None = None,
    ) -> Method:
        """Loads the finished run of a config.

        Args:
            experiment: The config.
            set_name: `val` or a test set.
            num_timed: Queries that are timed.
            pca_dim: Length to which PCA of the train split cuts its descriptors; None
                for no PCA.

        Raises:
            MissingRunError: There is none.
            ValueError: It cannot be used.
        """
        run = finished_run(experiment).path
        model = run if pca_dim is None else _with_pca(experiment, run, pca_dim)
        opened = Evaluation.open(experiment.config, model, [set_name])
        [evaluation_set] = opened.sets
        num_queries = len(opened.dataset.split(evaluation_set.queries))
        timed = np.linspace(0, num_queries - 1, min(num_timed, num_queries))
        rows = np.unique(timed.astype(np.int64))
        return cls(experiment, run, opened, evaluation_set, rows, pca_dim)

    @property
    def fingerprint(self) -> str:
        """Identity of the encoder."""
        return self.opened.extractor.fingerprint

    def queries(self) -> np.ndarray:
        """Returns the descriptors of all queries."""
        return self.opened.descriptors(self.evaluation_set.queries)

    def database(self) -> np.ndarray:
        """Returns the descriptors of the database, memory-mapped."""
        return self.opened.descriptors(self.evaluation_set.database)

    def single_queries(self) -> list[np.ndarray]:
        """Returns the descriptors of the timed queries, `(1, dim)` each."""
        queries = np.asarray(self.queries())
        return [np.array(queries[row : row + 1]) for row in self.timed]

    def heads(self) -> PlacePredictor:
        """Loads the heads of the run anew."""
        return load_heads(self.run, self.experiment.config.classification)

    def encoder(self) -> Forward:
        """Returns the compiled encoder."""
        return self.opened.extractor.forward()

    def single_images(self) -> list[tf.Tensor]:
        """Returns the timed queries, decoded and resized, one a batch."""
        split = self.opened.dataset.split(self.evaluation_set.queries)
        preprocessing = self.opened.extractor.preprocessing
        batches = ImageBatches(SplitImages(split), preprocessing, batch_size=1)
        return [image for image, _ in batches.read(self.timed)]

    def judged(
        self, predictions: np.ndarray, distances: np.ndarray, is_exact: bool
    ) -> EvaluationResult:
        """Compares database rows with the true positions of the queries."""
        dataset, names = self.opened.dataset, self.evaluation_set
        found = Predictions.from_search(
            dataset, names.database, predictions, distances, is_exact
        )
        return judge(found, dataset, names, self.opened.config)

    @property
    def num_predictions(self) -> int:
        """Predictions of a query."""
        return max(self.opened.config.recall_values)


def _with_pca(experiment: Experiment, run: Path, dim: int) -> Path:
    """Returns the encoder of a run with PCA and whitening, made if it is missing."""
    model = run / f"pca_{dim}.keras"
    if not model.exists():
        whiten_encoder(experiment.config, run, model, dim=dim)
    return model


def encoder_times_ms(methods: Sequence[Method]) -> list[float]:
    """Returns the median time of each method's encoder for one image."""
    return medians_ms(
        [method.encoder() for method in methods],
        [method.single_images() for method in methods],
    )


def measure_classification(method: Method, label: str, extract_ms: float) -> Measured:
    """Measures heads that answer without a database.

    Args:
        method: The method.
        label: Its name.
        extract_ms: Time of its encoder.
    """
    result = method.opened.evaluate(method.evaluation_set)
    n, singles = method.num_predictions, method.single_queries()
    with resident_growth() as grown:
        predictor = method.heads()
        classify_ms = median_ms(lambda query: predictor.predict(query, n), singles)
    return Measured(
        label,
        "classification",
        result.recalls,
        found_first(result),
        extract_ms,
        classify_ms,
        math.nan,
        held_bytes(predictor),
        grown.bytes,
        str(method.run),
    )


def measure_retrieval(
    method: Method, label: str, extract_ms: float, engine: Engine = EXACT
) -> Measured:
    """Measures the search of the whole database.

    Args:
        method: The method.
        label: Its name.
        extract_ms: Time of its encoder.
        engine: Builds the index.
    """
    n, singles = method.num_predictions, method.single_queries()
    queries = method.queries()
    database = method.database()  # described before memory is measured
    with resident_growth() as grown:
        index = engine.build(database)
        search_ms = median_ms(lambda query: index.search(query, n), singles)
    distances, predictions = index.search(queries, n)
    result = method.judged(predictions, distances, index.is_exact)
    return Measured(
        label,
        "retrieval" if index.is_exact else "approximate",
        result.recalls,
        found_first(result),
        extract_ms,
        math.nan,
        search_ms,
        index_bytes(index),
        grown.bytes,
        str(method.run),
        index=engine.name,
        pca_dim=method.pca_dim,
    )


def found_first(result: EvaluationResult) -> np.ndarray:
    """Whether the first prediction of each query of known position is right."""
    return np.asarray(result.hits[result.num_positives >= 0, 0], bool)
