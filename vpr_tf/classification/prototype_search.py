"""The best places of many: prototypes as a database that is searched."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vpr_tf.classification.class_table import OWN_GROUP
from vpr_tf.classification.classifier import PlaceClassifier
from vpr_tf.classification.errors import ClassificationError
from vpr_tf.classification.group_head import GroupHead, unit_rows
from vpr_tf.search import (
    MISSING_ID,
    ScannIndex,
    SearchIndex,
    build_index,
    load_saved_index,
    save_index,
)

# Values of all prototypes from which on ScaNN finds the best of a query sooner than
# the product. By `python -m benchmarks.narrowed` 0.6 million take 0.4 and 2.0 ms of
# CPU time (product, ScaNN), 58 million 38 and 9 ms.
SEARCHED_PROTOTYPE_VALUES = 8_000_000
_SMALLEST_LENGTH = 1e-30
_REORDERED_OF_FOUND = 3
_TRAINING_SAMPLE = 10_000


def is_searchable(classifier: PlaceClassifier) -> bool:
    """Whether the order of places is that of distances to prototypes.

    Probabilities need all logits of a group, and densities of mixtures all weights:
    these stay products.
    """
    return (
        classifier.table.combine == OWN_GROUP
        and classifier.score in ("cosine", "raw")
        and all(head.density is None for head in classifier.heads)
    )


def is_worth_searching(classifier: PlaceClassifier) -> bool:
    """Whether a search finds the best of single queries sooner than the product."""
    values = sum(head.kernel.size for head in classifier.heads)
    return is_searchable(classifier) and values >= SEARCHED_PROTOTYPE_VALUES


@dataclass(frozen=True, eq=False)
class _HeadSearch:
    """The prototypes of one head.

    Attributes:
        head: The head.
        index: Of its prototypes, made equally long.
        length: Of the longest prototype, with its bias; None for cosines.
    """

    head: GroupHead
    index: SearchIndex
    length: float | None

    def best(self, descriptors: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns classes, int64, and scores, float32, `(num_queries, n)`."""
        x = self.head.embedded(descriptors)
        if self.length is None:
            queries = unit_rows(x)
        else:
            ends = np.tile(np.array([[1, 0]], np.float32), (len(x), 1))
            queries = np.concatenate([x, ends], axis=1)
        index = self.index
        if isinstance(index, ScannIndex) and not index.is_exact:
            known = index.settings["reordered_neighbors"]
            index = index.with_search_settings(
                reordered_neighbors=max(known, _REORDERED_OF_FOUND * n)
            )
        distances, classes = index.search(queries, n)
        norms = np.einsum("qd,qd->q", queries, queries)[:, None]
        products = (norms + 1 - distances) / 2
        return classes, products * np.float32(self.length or 1)


class PrototypeSearch:
    """Finds the best places of a classifier without comparing a query with all.

    The largest cosines are those of the nearest unit prototypes. The largest products
    are the nearest as well when one more value makes all prototypes, with their bias,
    equally long. Use `build` or `read`.

    Args:
        classifier: Its places are found.
        heads: The prototypes of each group.

    Reference:
        Bachrach et al., "Speeding Up the Xbox Recommender System Using a Euclidean
        Transformation for Inner-Product Spaces", RecSys 2014.
    """

    def __init__(
        self, classifier: PlaceClassifier, heads: tuple[_HeadSearch, ...]
    ) -> None:
        self.classifier = classifier
        self._heads = heads

    @classmethod
    def build(cls, classifier: PlaceClassifier, kind: str = "scann") -> PrototypeSearch:
        """Makes an index of each group's prototypes.

        Args:
            classifier: Of cosine or raw scores.
            kind: See `build_index`; `exact` gives the order of the product.

        Raises:
            ClassificationError: The scores need more than the nearest prototypes.
        """
        _check_searchable(classifier)
        return cls(
            classifier,
            tuple(
                _HeadSearch(head, build_index(kind, rows, _settings(kind)), length)
                for head in classifier.heads
                for rows, length in [_prototypes(head, classifier.score)]
            ),
        )

    @classmethod
    def read(cls, folder: Path, classifier: PlaceClassifier) -> PrototypeSearch:
        """Reads what `write` wrote for the same classifier.

        Raises:
            IndexMismatchError: It is damaged, or of other prototypes.
        """
        _check_searchable(classifier)
        heads = []
        for group, head in enumerate(classifier.heads):
            rows, length = _prototypes(head, classifier.score)
            index = load_saved_index(folder / f"group{group}", rows, _identity(rows))
            heads.append(_HeadSearch(head, index, length))
        return cls(classifier, tuple(heads))

    def write(self, folder: Path) -> None:
        """Writes the indexes, without the prototypes, into a folder."""
        for group, head in enumerate(self._heads):
            identity = _identity(np.asarray(head.index.descriptors))
            save_index(head.index, folder / f"group{group}", identity)

    def best_places(self, descriptors: np.ndarray, n: int) -> np.ndarray:
        """Returns the n best places of each query, best first.

        Equal scores are ordered by the lowest place.

        Args:
            descriptors: Float32 `(num_queries, descriptor_dim)`.
            n: Places a query, 1 or more.

        Returns:
            Rows of the class table, int64 `(num_queries, n)`; -1 where there are
            fewer.

        Raises:
            ClassificationError: The descriptors have another length.
        """
        descriptors = self.classifier.checked(descriptors)
        places, scores = [], []
        of_groups = self.classifier.table.places_of_groups
        for head, cells in zip(self._heads, of_groups, strict=True):
            classes, values = head.best(descriptors, min(n, len(cells)))
            found = classes >= 0
            places.append(np.where(found, cells[classes], MISSING_ID))
            scores.append(np.where(found, values, -np.inf))
        rows, values = np.hstack(places), np.hstack(scores).astype(np.float32)
        order = np.lexsort((rows, -values), axis=1)[:, :n]
        best = np.full((len(descriptors), n), MISSING_ID, np.int64)
        best[:, : order.shape[1]] = np.take_along_axis(rows, order, axis=1)
        return best


def _prototypes(head: GroupHead, score: str) -> tuple[np.ndarray, float | None]:
    """Returns equally long prototypes, `(num_classes, dim)`, and what they were."""
    rows = np.ascontiguousarray(head.kernel.T, np.float32)
    if score == "cosine":
        return unit_rows(rows), None
    bias = np.zeros(len(rows)) if head.bias is None else head.bias
    squares = np.einsum("nd,nd->n", rows, rows, dtype=np.float64) + np.square(bias)
    length = max(float(np.sqrt(squares.max())), _SMALLEST_LENGTH)
    rest = np.sqrt(np.maximum(0, 1 - squares / length**2))
    equal = np.concatenate([rows / length, bias[:, None] / length, rest[:, None]], 1)
    return equal.astype(np.float32), length


def _settings(kind: str) -> dict[str, object] | None:
    # So few codes are all read in no time, and no tree need be trained.
    quantized = {"structure": "quantized", "training_sample": _TRAINING_SAMPLE}
    return quantized if kind == "scann" else None


def _identity(rows: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(rows).data).hexdigest()


def _check_searchable(classifier: PlaceClassifier) -> None:
    if not is_searchable(classifier):
        raise ClassificationError(
            "Only cosine and raw scores of places with one class each can be searched. "
            f"Received: score={classifier.score!r}, combine="
            f"{classifier.table.combine!r}. Other scores are computed for all places."
        )
