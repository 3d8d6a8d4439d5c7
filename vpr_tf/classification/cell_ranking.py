"""The best cells of a classifier."""

from __future__ import annotations

import functools

import numpy as np

from vpr_tf.classification.classifier import PlaceClassifier, best_columns
from vpr_tf.classification.errors import ClassificationError
from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.positions import Positions

_SCORES_PER_BLOCK = 1 << 23  # float32: 32 MiB


class ClassifierCells:
    """Ranks cells by their best place, for `NarrowedIndex`.

    Places that differ in their heading, or in their group, are one cell. Equal scores
    are ordered by the lowest cell.

    Args:
        classifier: Scores the places.
    """

    def __init__(self, classifier: PlaceClassifier) -> None:
        self.classifier = classifier

    @classmethod
    def of_heads(cls, heads: PlacePredictor) -> ClassifierCells:
        """Takes heads of classes.

        Raises:
            ClassificationError: The heads are a regression.
        """
        if isinstance(heads, PlaceClassifier):
            return cls(heads)
        raise ClassificationError(
            "Only heads of classes have cells that a search can be narrowed to. "
            f"Received: {type(heads).__name__}. Name a classifier by "
            "`classification.model`."
        )

    @property
    def descriptor_dim(self) -> int:
        """Length of the classifier's descriptors."""
        return self.classifier.descriptor_dim

    @property
    def num_cells(self) -> int:
        """Cells of the class table."""
        return self.classifier.table.num_cells

    def cells_of(self, positions: Positions) -> np.ndarray:
        """Returns the cell of each position, int64; -1 outside of all cells."""
        return self.classifier.table.cells.locate(positions)

    def best_cells(
        self, descriptors: np.ndarray, n: int, competing: np.ndarray
    ) -> np.ndarray:
        """See `CellRanking.best_cells`."""
        cells = np.flatnonzero(competing)
        chosen = np.empty((len(descriptors), min(n, len(cells))), np.int64)
        step = max(1, _SCORES_PER_BLOCK // max(1, len(self.classifier.table)))
        for start in range(0, len(descriptors), step):
            block = slice(start, start + step)
            scores = self._cell_scores(self.classifier.scores(descriptors[block]))
            chosen[block] = cells[best_columns(scores[:, cells], n)[0]]
        return chosen

    def _cell_scores(self, scores: np.ndarray) -> np.ndarray:
        """Returns the best score of each cell, `(num_queries, num_cells)`."""
        order, starts = self._places_by_cell
        if len(order) == len(starts):
            return scores[:, order]
        return np.maximum.reduceat(scores[:, order], starts, axis=1)

    @functools.cached_property
    def _places_by_cell(self) -> tuple[np.ndarray, np.ndarray]:
        cell = self.classifier.table.cell
        order = np.argsort(cell, kind="stable")
        return order, np.searchsorted(cell[order], np.arange(self.num_cells))
