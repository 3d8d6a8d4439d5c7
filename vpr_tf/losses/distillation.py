"""What a student learns of a teacher, without labels."""

from __future__ import annotations

from typing import Any

from keras import ops


def distillation(
    student: Any, teacher: Any, descriptor: float = 1.0, relation: float = 10.0
) -> Any:
    """The teacher's descriptor of each photo, and its similarities between photos.

    The cosine distance of the two descriptors of a photo, plus the squared difference
    of the two cosines of a pair of photos, each the mean over the batch.

    Args:
        student: Float descriptors `(num_photos, descriptor_dim)`, L2-normalised.
        teacher: Of the same photos, of that shape, L2-normalised.
        descriptor: Weight of the first term.
        relation: Weight of the second term.

    Returns:
        A float32 scalar.

    Reference:
        Park et al., "Relational Knowledge Distillation", arXiv:1904.05068; Tung and
        Mori, "Similarity-Preserving Knowledge Distillation", arXiv:1907.09682.
    """
    student, teacher = ops.cast(student, "float32"), ops.cast(teacher, "float32")
    distances = 1.0 - ops.sum(student * teacher, axis=1)
    # Zero on the diagonal, where both are 1.
    differences = _similarities(student) - _similarities(teacher)
    num_photos = ops.cast(ops.shape(student)[0], "float32")
    num_pairs = ops.maximum(num_photos * (num_photos - 1.0), 1.0)
    related = ops.sum(ops.square(differences)) / num_pairs
    return descriptor * ops.mean(distances) + relation * related


def _similarities(unit: Any) -> Any:
    return ops.matmul(unit, ops.transpose(unit))
