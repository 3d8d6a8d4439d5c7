"""One trained head, as arrays."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from vpr_tf.classification.errors import ClassificationError
from vpr_tf.classification.hidden_layers import (
    Hidden,
    embedded,
    hidden_arrays,
    hidden_of_arrays,
)
from vpr_tf.classification.stored_arrays import StoredArrays

COSINE, LINEAR, MIXTURE = "cosine", "linear", "mixture"
HEAD_KINDS = (COSINE, LINEAR, MIXTURE)
SCORE_KINDS = ("raw", "cosine", "softmax")
_SMALLEST_NORM = 1e-12


@dataclass(frozen=True, eq=False)
class GroupHead:
    """A layer of class prototypes, perhaps behind hidden layers.

    Attributes:
        kind: `cosine` (CosFace, ArcFace: `scale` times the cosine), `linear` (product
            and bias), or `mixture` (the products weigh normal densities around the
            classes' places).
        kernel: Prototypes, float32 `(dim, num_classes)`.
        bias: Float32 `(num_classes,)`; None for cosine heads.
        scale: Factor of the cosine in training.
        hidden: Kernel and bias of each hidden layer, followed by SiLU.
        density: Of a mixture: density of each component (rows) at the middle of each
            component, float32 `(num_classes, num_classes)`, per square metre.
    """

    kind: str
    kernel: np.ndarray
    bias: np.ndarray | None = None
    scale: float = 1.0
    hidden: Hidden = ()
    density: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.kind not in HEAD_KINDS:
            raise ClassificationError(
                f"The kind of a head must be one of {', '.join(HEAD_KINDS)}. "
                f"Received: {self.kind!r}"
            )

    @property
    def num_classes(self) -> int:
        """Classes of the group."""
        return int(self.kernel.shape[1])

    @property
    def trained_score(self) -> str:
        """The score that the training made right: see `scores`.

        The logits of a margin head are cosines. Those of a linear layer are not: its
        norms and biases are learned, and a cosine would drop them.
        """
        return "softmax" if self.kind == LINEAR else "cosine"

    def embedded(self, descriptors: np.ndarray) -> np.ndarray:
        """Applies the hidden layers; float32 `(num_queries, dim)`."""
        return embedded(descriptors, self.hidden)

    def scores(self, descriptors: np.ndarray, score: str) -> np.ndarray:
        """Scores all classes of the group.

        Args:
            descriptors: Float32 `(num_queries, descriptor_dim)`.
            score: `raw`: product with the prototype as it is (and the bias), what the
                official code of Divide&Classify ranks by; `cosine`: of descriptor and
                prototype; `softmax`: the probability inside the group, as in the paper.

        Returns:
            Float32 `(num_queries, num_classes)`. A mixture always gives its density,
            in images per square metre, at the middle of each component.
        """
        x = self.embedded(descriptors)
        if self.density is not None:
            return softmax(x @ self.kernel + self._bias) @ self.density
        if score == "raw":
            return x @ self.kernel + self._bias
        if score == "cosine" or self.kind == COSINE:
            cosine = unit_rows(x) @ self.unit_kernel
            return cosine if score == "cosine" else softmax(self.scale * cosine)
        return softmax(x @ self.kernel + self._bias)

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns the arrays by their names."""
        arrays = {"kernel": self.kernel, **hidden_arrays(self.hidden)}
        for name in ("bias", "density"):
            value = getattr(self, name)
            if value is not None:
                arrays[name] = value
        return arrays

    @classmethod
    def from_arrays(
        cls, arrays: dict[str, np.ndarray], kind: str, scale: float
    ) -> GroupHead:
        """Makes the head that `arrays` described.

        Raises:
            ClassificationError: An array is missing or does not fit the others.
        """
        hidden = hidden_of_arrays(arrays)
        width = hidden[-1][1].shape[0] if hidden else None
        stored = StoredArrays(arrays)
        kernel = stored.take("kernel", "f", (width, None))
        classes = kernel.shape[1]
        shapes = {"bias": (classes,), "density": (classes, classes)}
        more = {
            name: stored.take(name, "f", shape)
            for name, shape in shapes.items()
            if name in arrays
        }
        return cls(kind, kernel, scale=scale, hidden=hidden, **more)

    @functools.cached_property
    def unit_kernel(self) -> np.ndarray:
        """Prototypes of unit length, `(dim, num_classes)`."""
        return unit_rows(self.kernel.T).T

    @property
    def _bias(self) -> np.ndarray | float:
        return 0.0 if self.bias is None else self.bias


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Returns the rows of a matrix at unit length."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, _SMALLEST_NORM), np.float32)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Returns the probabilities of each row, float32."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)
