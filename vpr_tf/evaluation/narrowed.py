"""Recall of a search that is restricted to the best cells of a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vpr_tf.classification import load_heads
from vpr_tf.classification.cell_ranking import ClassifierCells
from vpr_tf.classification.heads_encoder import load_heads_encoder
from vpr_tf.config import EvaluationConfig, ExperimentConfig
from vpr_tf.data.prepared_dataset import EvaluationSet, PreparedDataset
from vpr_tf.evaluation.evaluate import (
    check_images,
    descriptor_folder,
    index_of,
    judge_predictions,
)
from vpr_tf.evaluation.results import EvaluationResult
from vpr_tf.extraction.descriptors import (
    descriptor_source,
    extract_descriptors,
    preparation,
)
from vpr_tf.extraction.encoders import encoder_fingerprint
from vpr_tf.extraction.model_sources import LoadedEncoder
from vpr_tf.models.precision import in_precision
from vpr_tf.search import CellFilteredIndex, CellRanking, CellRows


@dataclass(frozen=True, eq=False)
class DescribedBy:
    """An encoder and how images are prepared for it.

    Attributes:
        loaded: The encoder.
        fingerprint: Its identity.
    """

    loaded: LoadedEncoder
    fingerprint: str

    def describes_like(self, other: DescribedBy) -> bool:
        """Whether both give the same descriptors."""
        own, others = (
            preparation(each.loaded.evaluation, each.fingerprint)
            for each in (self, other)
        )
        return own == others

    def describe(
        self,
        dataset: PreparedDataset,
        split: str,
        folder: Path,
        *,
        progress: bool = True,
    ) -> np.ndarray:
        """Returns the descriptors of a split, kept in `folder`."""
        evaluation = self.loaded.evaluation
        return extract_descriptors(
            in_precision(self.loaded.encoder, evaluation.precision),
            dataset,
            split,
            evaluation,
            folder,
            encoder_fingerprint=self.fingerprint,
            progress=progress,
        )


@dataclass(frozen=True, eq=False)
class Narrowing:
    """What restricts a search.

    Attributes:
        ranking: Chooses the cells.
        num_cells: How many are searched (K); None for all.
        described_by: The encoder of the ranking; None if it is that of the search.
    """

    ranking: CellRanking
    num_cells: int | None
    described_by: DescribedBy | None = None

    @classmethod
    def open(
        cls, config: ExperimentConfig, model: str | Path | None, own: DescribedBy
    ) -> Narrowing:
        """Loads the heads that `classification.model` names.

        Images are prepared for them as their own run does; for heads of the searched
        model itself as for the search.

        Args:
            config: `classification`, and what `load_encoder` wants.
            model: The model that is evaluated, whose heads narrow by default.
            own: Its encoder.

        Raises:
            ClassificationError: There are no heads.
            EncoderError: Their encoder cannot be loaded.
        """
        told = config.classification
        ranking = ClassifierCells.from_heads(load_heads(told.model or model, told))
        if told.model is None:
            return cls(ranking, told.num_cells)
        loaded = load_heads_encoder(config, told.model)
        described_by = DescribedBy(loaded, encoder_fingerprint(loaded.encoder))
        same = described_by.describes_like(own)
        return cls(ranking, told.num_cells, None if same else described_by)


def evaluate_narrowed(
    described_by: DescribedBy,
    narrowing: Narrowing,
    dataset: PreparedDataset,
    evaluation_set: EvaluationSet,
    config: EvaluationConfig,
    *,
    work_dir: Path | None = None,
    num_predictions: int | None = None,
    progress: bool = True,
) -> EvaluationResult:
    """Describes database and queries, searches the best cells, measures recall@N.

    Args:
        described_by: The encoder of the database.
        narrowing: What restricts the search.
        dataset: The prepared dataset.
        evaluation_set: Names of its database and query splits.
        config: How it is searched and judged.
        work_dir: See `evaluate_encoder`; descriptors of the classifier's own encoder
            are kept in its folder `classifier`.
        num_predictions: Predictions of each query, if more than the largest recall
            value.
        progress: Whether to draw progress bars.

    Raises:
        EvaluationError: See `evaluate_encoder`.
        ValueError: The heads do not fit their encoder.
    """
    check_images(dataset, evaluation_set.database, evaluation_set.queries)
    names = (evaluation_set.database, evaluation_set.queries)
    with descriptor_folder(work_dir) as folder:
        database, queries = (
            described_by.describe(dataset, name, folder / name, progress=progress)
            for name in names
        )
        other, ranked = narrowing.described_by, None
        if other is not None:
            name = evaluation_set.queries
            ranked = other.describe(
                dataset, name, folder / "classifier" / name, progress=progress
            )
        source = descriptor_source(dataset, names[0], config, described_by.fingerprint)
        index = CellFilteredIndex(
            index_of(config, database, folder / names[0] / "index", source),
            _cell_rows(dataset, names[0], narrowing.ranking),
            narrowing.ranking,
            narrowing.num_cells,
        )
        k = max(*config.recall_values, num_predictions or 1)
        distances, predictions = index.search(queries, k, ranked)
    return judge_predictions(
        dataset, evaluation_set, config, predictions, distances, index.is_exact
    )


def _cell_rows(dataset: PreparedDataset, split: str, ranking: CellRanking) -> CellRows:
    positions = dataset.split(split).positions()
    return CellRows.from_cells(ranking.cells_of(positions), ranking.num_cells)
