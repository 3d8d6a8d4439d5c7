"""PCA of descriptors as a linear layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Below this fraction of the first, a variance is rounding.
_LEAST_VARIANCE = 1e-10


@dataclass(frozen=True)
class Whitening:
    """The linear layer `descriptors @ kernel + bias`; L2 normalisation follows.

    Attributes:
        kernel: Float32 `(descriptor_dim, dim)`.
        bias: Float32 `(dim,)`.
        explained_variance: Fraction of the variance that the `dim` directions hold.
        num_descriptors: Number of descriptors it was fitted on.
    """

    kernel: np.ndarray
    bias: np.ndarray
    explained_variance: float
    num_descriptors: int


def fit_whitening(descriptors: np.ndarray, dim: int, whiten: bool = True) -> Whitening:
    """Finds the directions of largest variance.

    Args:
        descriptors: `(num_descriptors, descriptor_dim)`.
        dim: Number of directions that are kept.
        whiten: Whether to divide each by its standard deviation, which lowers the
            weight of what many places share; False rotates and cuts only.

    Raises:
        ValueError: `dim` is more than the descriptors can tell, or a descriptor is
            not finite.

    Reference:
        Jegou and Chum, "Negative evidences and co-occurences in image retrieval: the
        benefit of PCA and whitening", ECCV 2012.
    """
    from sklearn.decomposition import PCA

    descriptors = np.asarray(descriptors, "float64")
    if descriptors.ndim != 2 or not np.isfinite(descriptors).all():
        raise ValueError(
            "`descriptors` must be finite, of shape (num_descriptors, descriptor_dim). "
            f"Received: descriptors.shape={descriptors.shape}"
        )
    num_descriptors, descriptor_dim = descriptors.shape
    # The mean takes one direction from as many descriptors.
    largest = min(descriptor_dim, num_descriptors - 1)
    if not 1 <= dim <= largest:
        raise ValueError(
            f"`dim` must be between 1 and {largest}, since there are {num_descriptors} "
            f"descriptors of length {descriptor_dim}. Received: dim={dim}. Use more "
            "images, or a smaller `dim`."
        )
    if not np.ptp(descriptors, axis=0).any():
        raise ValueError(
            "`descriptors` must differ. Received: all equal. Check the encoder's "
            "weights."
        )
    many = num_descriptors > descriptor_dim
    pca = PCA(dim, svd_solver="covariance_eigh" if many else "full").fit(descriptors)
    kernel = pca.components_.T
    if whiten:
        kernel = kernel / _standard_deviations(pca.explained_variance_)
    return Whitening(
        kernel.astype("float32"),
        (-pca.mean_ @ kernel).astype("float32"),
        float(pca.explained_variance_ratio_.sum()),
        num_descriptors,
    )


def _standard_deviations(variances: np.ndarray) -> np.ndarray:
    num_known = int(np.sum(variances > _LEAST_VARIANCE * variances[0]))
    if num_known < len(variances):
        raise ValueError(
            f"The descriptors vary in {num_known} directions only, which cannot be "
            f"whitened to dim={len(variances)}. Use more images, or a smaller `dim`."
        )
    return np.sqrt(variances)
