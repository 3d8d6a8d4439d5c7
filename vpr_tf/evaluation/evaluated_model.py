"""What is evaluated: an encoder, and perhaps heads that know places."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.classification import ClassifierCells, PlacePredictor, load_heads
from vpr_tf.config import EvaluationConfig, ExperimentConfig
from vpr_tf.data.prepared_dataset import EvaluationSet, PreparedDataset
from vpr_tf.evaluation.errors import EvaluationError
from vpr_tf.evaluation.judge import Predictions
from vpr_tf.extraction.feature_extractor import FeatureExtractor
from vpr_tf.extraction.model_loading import load_extractor
from vpr_tf.localization import Candidates
from vpr_tf.search import (
    CellFilteredIndex,
    CellRanking,
    CellRows,
    IndexMismatchError,
    SearchIndex,
    build_index,
    index_kind,
    load_saved_index,
    save_index,
)


@dataclass(frozen=True, eq=False)
class EvaluatedModel:
    """An encoder alone, or with heads that predict places or restrict the search.

    Attributes:
        extractor: Describes the queries and the database.
        predictor: Heads that predict places without a database; None without.
        ranking: Heads whose best cells are searched; None searches all.
        num_cells: How many cells are searched (K); None for all.
        heads_extractor: The encoder of `ranking`; None if it is `extractor`.
        query_extractor: Describes the queries, in the descriptors of `extractor`, which
            then describes the database alone; None if it is `extractor`.
    """

    extractor: FeatureExtractor
    predictor: PlacePredictor | None = None
    ranking: CellRanking | None = None
    num_cells: int | None = None
    heads_extractor: FeatureExtractor | None = None
    query_extractor: FeatureExtractor | None = None

    @classmethod
    def load(
        cls, config: ExperimentConfig, model: str | Path | None = None
    ) -> EvaluatedModel:
        """Loads a model for the method of a config.

        With `classification.model` the cells are chosen by the heads of another model,
        whose images are prepared as its own config says.

        Args:
            config: Encoder, `evaluation` and `classification`.
            model: See `load_extractor`.

        Raises:
            EncoderError: There is no such model.
            ClassificationError: It has no heads, and the method needs them.
        """
        extractor = load_extractor(config, model)
        method, settings = config.evaluation.method, config.classification
        if method == "classification":
            return cls(extractor, predictor=load_heads(model, settings))
        if method == "retrieval":
            return cls(extractor)
        heads = load_heads(settings.model or model, settings)
        other = None
        if settings.model is not None:
            other = load_extractor(model=settings.model)
            if other.identity() == extractor.identity():
                other = None
        return cls(
            extractor,
            ranking=ClassifierCells.from_heads(heads),
            num_cells=settings.num_cells,
            heads_extractor=other,
        )

    def with_query_model(self, model: str | Path) -> EvaluatedModel:
        """Returns what describes the queries by another encoder.

        It must have learnt the descriptors of this one, as a student does of its
        teacher, or differ from it by the statistics of its batch norms.

        Args:
            model: See `load_extractor`.

        Raises:
            EncoderError: There is no such model.
            EvaluationError: Its descriptors are of another length, or this model
                predicts by heads.
        """
        if self.method != "retrieval":
            raise EvaluationError(
                "A model of the queries needs `evaluation.method: retrieval`. "
                f"Received: {self.method}"
            )
        queries = load_extractor(model=model)
        if queries.descriptor_dim != self.extractor.descriptor_dim:
            raise EvaluationError(
                "The model of the queries must give descriptors of the length of the "
                f"database's, {self.extractor.descriptor_dim}. Received: "
                f"{queries.descriptor_dim}"
            )
        return dataclasses.replace(self, query_extractor=queries)

    @property
    def method(self) -> str:
        """As `evaluation.method`."""
        if self.predictor is not None:
            return "classification"
        return "retrieval" if self.ranking is None else "narrowed"

    def predict(
        self,
        dataset: PreparedDataset,
        evaluation_set: EvaluationSet,
        config: EvaluationConfig,
        folder: Path,
        num_predictions: int,
        *,
        progress: bool = True,
    ) -> Predictions:
        """Predicts places for the queries of a set.

        Args:
            dataset: The prepared dataset.
            evaluation_set: Names of its database and query splits.
            config: How the database is searched.
            folder: Keeps the descriptors, and an approximate index.
            num_predictions: Of each query.
            progress: Whether to draw progress bars.

        Raises:
            EvaluationError: A split has no images.
        """
        names = [evaluation_set.queries, evaluation_set.database]
        if self.predictor is not None:
            names = names[:1]  # the database is not looked at
        for name in names:
            _check_images(dataset, name)

        def describe(name: str) -> np.ndarray:
            return self.extractor.extract_split(
                dataset, name, folder / name, progress=progress
            )

        if self.predictor is not None:
            queries = np.asarray(describe(evaluation_set.queries))
            return _from_places(self.predictor.predict(queries, num_predictions))
        database = describe(evaluation_set.database)
        queries = self._describe_queries(dataset, evaluation_set, folder, progress)
        source = self.extractor.split_source(dataset, evaluation_set.database)
        index_folder = folder / evaluation_set.database / "index"
        index = _index_of(config, database, index_folder, source)
        if self.ranking is None:
            distances, rows = index.search(queries, num_predictions)
            is_exact = index.is_exact
        else:
            cells = self.ranking.cells_of(
                dataset.split(evaluation_set.database).positions()
            )
            cell_rows = CellRows.from_cells(cells, self.ranking.num_cells)
            filtered = CellFilteredIndex(index, cell_rows, self.ranking, self.num_cells)
            ranked = None
            if self.heads_extractor is not None:
                name = evaluation_set.queries
                ranked = self.heads_extractor.extract_split(
                    dataset, name, folder / "classifier" / name, progress=progress
                )
            distances, rows = filtered.search(queries, num_predictions, ranked)
            is_exact = filtered.is_exact
        return Predictions.from_search(
            dataset, evaluation_set.database, rows, distances, is_exact
        )

    def _describe_queries(
        self,
        dataset: PreparedDataset,
        evaluation_set: EvaluationSet,
        folder: Path,
        progress: bool,
    ) -> np.ndarray:
        name = evaluation_set.queries
        extractor = self.query_extractor or self.extractor
        return extractor.extract_split(dataset, name, folder / name, progress=progress)


def _check_images(dataset: PreparedDataset, split: str) -> None:
    if not len(dataset.split(split)):
        raise EvaluationError(
            f"The split {split!r} of {dataset.path} has no images. Add them and "
            "build the dataset again."
        )


def _index_of(
    config: EvaluationConfig,
    descriptors: np.ndarray,
    folder: Path,
    source: dict[str, Any],
) -> SearchIndex:
    """Builds an index; an approximate one, which takes long, is kept."""
    kind = index_kind(config.index, len(descriptors))
    settings = {"uri": config.milvus_uri} if kind == "milvus" else {}
    text = json.dumps([source, kind, settings], sort_keys=True)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()
    if kind != "exact":
        with contextlib.suppress(IndexMismatchError):
            return load_saved_index(folder, descriptors, fingerprint)
    built = build_index(kind, descriptors, settings)
    if not built.is_exact:
        save_index(built, folder, fingerprint)
    return built


def _from_places(found: Candidates) -> Predictions:
    """Names each place by its latitude and longitude, local ones by x and y in m."""
    places = found.places
    coordinates = np.stack([places.latitude_deg, places.longitude_deg], axis=1)
    local = places.is_local
    coordinates[local] = places.utm_cm[local] / 100
    names = [f"{first:.6f},{second:.6f}".encode() for first, second in coordinates]
    return Predictions(
        found.rows,
        np.full(found.rows.shape, np.nan, np.float32),
        places,
        np.array(names)[found.rows],
        scores=found.scores,
        spread_m=found.spread_m,
    )
