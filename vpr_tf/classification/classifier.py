"""Heads that are kept: from descriptors to places."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vpr_tf.classification.class_table import OWN_GROUP, PRODUCT, ClassTable, part
from vpr_tf.classification.errors import ClassificationError
from vpr_tf.classification.group_head import LINEAR, MIXTURE, SCORE_KINDS, GroupHead
from vpr_tf.classification.groups import best_of_groups
from vpr_tf.classification.hidden_layers import input_dim
from vpr_tf.localization import Candidates, CellSettings
from vpr_tf.search import MISSING_ID
from vpr_tf.stored_values import from_stored

_SCORES_PER_BLOCK = 1 << 23  # float32: 32 MiB


@dataclass(frozen=True)
class _StoredHead:
    kind: str
    scale: float


@dataclass(frozen=True)
class _Stored:
    """What is stored besides the arrays."""

    combine: str
    score: str
    heads: list[_StoredHead]
    info: dict[str, Any]


@dataclass(frozen=True, eq=False)
class PlaceClassifier:
    """Scores places by the heads of all groups.

    Attributes:
        table: The places.
        heads: One for each group.
        score: How a head scores its classes, see `GroupHead.scores`; places that have
            a class in every group are always scored by probabilities.
        info: What is known of the training, JSON-ready.

    Reference:
        Trivigno et al., "Divide&Classify: Fine-Grained Classification for City-Wide
        Visual Geo-Localization", ICCV 2023, arXiv:2307.08417.
    """

    table: ClassTable
    heads: tuple[GroupHead, ...]
    score: str = "cosine"
    info: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.score not in SCORE_KINDS:
            raise ClassificationError(
                f"`classification.score` must be one of {', '.join(SCORE_KINDS)}. "
                f"Received: {self.score!r}"
            )
        members = self.table.members
        known = [int(of_group.max(initial=MISSING_ID)) + 1 for of_group in members.T]
        counts = [head.num_classes for head in self.heads]
        dims = {input_dim(head.kernel, head.hidden) for head in self.heads}
        if len(dims) != 1:
            raise ClassificationError(
                "All heads must take descriptors of one length. Received: "
                f"{', '.join(map(str, sorted(dims))) or 'no heads'}"
            )
        if len(known) != len(counts) or any(
            classes > count for classes, count in zip(known, counts, strict=True)
        ):
            raise ClassificationError(
                f"The class table must fit the heads of {counts} classes. Received: "
                f"{self.table.num_groups} groups of up to {known} classes"
            )

    @property
    def descriptor_dim(self) -> int:
        """Length of the descriptors."""
        return input_dim(self.heads[0].kernel, self.heads[0].hidden)

    @property
    def head_score(self) -> str:
        """How each head scores its classes; see `GroupHead.scores`."""
        return "softmax" if self.table.combine == PRODUCT else self.score

    @property
    def ranked_by(self) -> str:
        """What orders the places: `density` of mixtures, else the score of heads."""
        of_mixture = any(head.kind == MIXTURE for head in self.heads)
        return "density" if of_mixture else self.head_score

    @property
    def drops_biases(self) -> bool:
        """Whether linear layers are scored by cosines, which they do not learn."""
        of_linear = any(head.kind == LINEAR for head in self.heads)
        return of_linear and self.head_score == "cosine"

    def with_score(self, score: str) -> PlaceClassifier:
        """Returns the same classifier with another score."""
        return dataclasses.replace(self, score=score)

    def scores(self, descriptors: np.ndarray) -> np.ndarray:
        """Returns the score of every place, float32 `(num_queries, num_places)`.

        Raises:
            ClassificationError: The descriptors have another length.
        """
        return self._combined(self._group_scores(self.checked(descriptors)))

    def predict(
        self,
        descriptors: np.ndarray,
        n: int,
        *,
        change_scores: Callable[[np.ndarray, slice], np.ndarray] | None = None,
    ) -> Candidates:
        """Returns the best places of each query over all groups.

        Equal scores are ordered by the lowest place.

        Args:
            descriptors: Float32 `(num_queries, descriptor_dim)`.
            n: Places a query.
            change_scores: Takes the scores of all places, and which queries they are
                of; returns others, -inf for places that are no candidates.

        Raises:
            ClassificationError: The descriptors have another length, or `n` is not
                positive.
        """
        if n < 1:
            raise ClassificationError(f"`n` must be 1 or more. Received: n={n}")
        descriptors, table = self.checked(descriptors), self.table
        rows = np.full((len(descriptors), n), MISSING_ID, np.int64)
        scores = np.full((len(descriptors), n), -np.inf, np.float32)
        group_rows = None
        if table.combine == OWN_GROUP and table.num_groups > 1:
            group_rows = np.zeros((len(descriptors), table.num_groups), np.int64)
        step = max(1, _SCORES_PER_BLOCK // max(1, len(table)))
        for start in range(0, len(descriptors), step):
            block = slice(start, start + step)
            of_groups = self._group_scores(descriptors[block])
            combined = self._combined(of_groups)
            if change_scores is not None:
                combined = change_scores(combined, block)
                if group_rows is not None:
                    of_groups = [combined[:, i] for i in table.places_of_groups]
            found, values = best_columns(combined, n)
            columns = slice(found.shape[1])
            rows[block, columns] = np.where(np.isfinite(values), found, MISSING_ID)
            scores[block, columns] = values
            if group_rows is not None:
                group_rows[block] = best_of_groups(table.places_of_groups, of_groups)
        return table.candidates(rows, scores, group_rows)

    @property
    def has_probabilities(self) -> bool:
        """Whether the scores are probabilities, or densities of one."""
        return self.ranked_by in ("density", "softmax")

    def settings(self, num_predictions: int) -> CellSettings:
        """See `PlacePredictor.settings`."""
        return CellSettings(self.score, num_predictions, self.has_probabilities)

    def to_stored(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """See `PlacePredictor.to_stored`."""
        arrays = self.table.arrays()
        for group, head in enumerate(self.heads):
            of_head = head.arrays().items()
            arrays |= {f"head{group}/{name}": value for name, value in of_head}
        content = {
            "kind": "classes",
            "combine": self.table.combine,
            "score": self.score,
            "heads": [{"kind": head.kind, "scale": head.scale} for head in self.heads],
            "info": self.info,
        }
        return arrays, content

    @classmethod
    def from_stored(
        cls, arrays: dict[str, np.ndarray], content: dict[str, Any]
    ) -> PlaceClassifier:
        """Makes what `to_stored` described.

        Raises:
            ClassificationError: Arrays are missing, damaged or contradict each other.
            StoredValueError: A field is missing or of another type.
        """
        stored = from_stored(_Stored, content, more=True)
        heads = tuple(
            GroupHead.from_arrays(part(arrays, f"head{g}/"), head.kind, head.scale)
            for g, head in enumerate(stored.heads)
        )
        table = ClassTable.from_arrays(arrays, stored.combine)
        if table.combine == OWN_GROUP:
            for rows, head in zip(table.places_of_groups, heads, strict=False):
                classes = table.members[rows].max(axis=1, initial=MISSING_ID)
                if classes.tolist() != list(range(head.num_classes)):
                    raise ClassificationError(
                        "Each class of a head must be one place of the class table."
                    )
        return cls(table, heads, stored.score, stored.info)

    def _group_scores(self, descriptors: np.ndarray) -> list[np.ndarray]:
        return [head.scores(descriptors, self.head_score) for head in self.heads]

    def _combined(self, of_groups: list[np.ndarray]) -> np.ndarray:
        members = self.table.members
        if self.table.combine == PRODUCT:
            parts = [
                scores[:, members[:, group]] for group, scores in enumerate(of_groups)
            ]
            return np.prod(parts, axis=0, dtype=np.float32)
        combined = np.empty((len(of_groups[0]), len(members)), np.float32)
        for group, scores in enumerate(of_groups):
            combined[:, self.table.places_of_groups[group]] = scores
        return combined

    def checked(self, descriptors: np.ndarray) -> np.ndarray:
        """Returns descriptors as float32.

        Raises:
            ClassificationError: They have another length.
        """
        descriptors = np.asarray(descriptors, np.float32)
        if descriptors.ndim != 2 or descriptors.shape[1] != self.descriptor_dim:
            raise ClassificationError(
                "`descriptors` must have the shape (num_queries, "
                f"{self.descriptor_dim}), that of the classifier's encoder. Received: "
                f"{descriptors.shape}"
            )
        return descriptors


def best_columns(scores: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the n highest columns of each row, highest first; ties lowest first.

    Returns:
        Columns, int64, and their values, both `(num_rows, min(n, num_columns))`.
    """
    n = min(n, scores.shape[1])
    if n < scores.shape[1]:
        # All that equal the n-th are kept until the order of columns decides.
        nth = -np.partition(-scores, n - 1, axis=1)[:, n - 1]
        columns = np.empty((len(scores), n), np.int64)
        for row, (values, lowest) in enumerate(zip(scores, nth, strict=True)):
            kept = np.flatnonzero(values >= lowest)
            columns[row] = kept[np.argsort(-values[kept], kind="stable")[:n]]
    else:
        columns = np.argsort(-scores, axis=1, kind="stable")
    return columns, np.take_along_axis(scores, columns, axis=1)
