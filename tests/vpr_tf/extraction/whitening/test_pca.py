import numpy as np
import pytest
from sklearn.decomposition import PCA

from vpr_tf.extraction.whitening.pca import fit_whitening


def random_descriptors(num_descriptors=60, length=12, seed=0):
    """Unit vectors whose directions differ in variance."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((num_descriptors, length)) * np.linspace(2, 0.3, length)
    x = x @ np.linalg.qr(rng.standard_normal((length, length)))[0] + 0.5
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype("float32")


@pytest.mark.parametrize("whiten", [True, False])
@pytest.mark.parametrize("num_descriptors", [60, 9])
def test_values_equal_those_of_sklearn(whiten, num_descriptors):
    descriptors = random_descriptors(num_descriptors)
    whitening = fit_whitening(descriptors, 5, whiten)
    reference = PCA(5, whiten=whiten, svd_solver="full").fit(descriptors)
    new = random_descriptors(7, seed=1)
    found = new @ whitening.kernel + whitening.bias
    expected = reference.transform(new)
    signs = np.sign((found * expected).sum(axis=0))  # of a direction, free
    np.testing.assert_allclose(found * signs, expected, atol=1e-4)
    expected_share = reference.explained_variance_ratio_.sum()
    np.testing.assert_allclose(whitening.explained_variance, expected_share, rtol=1e-4)
    assert whitening.num_descriptors == num_descriptors
    assert whitening.kernel.dtype == whitening.bias.dtype == np.float32


def test_whitened_descriptors_have_unit_covariance():
    descriptors = random_descriptors(200)
    whitening = fit_whitening(descriptors, 6)
    whitened = descriptors @ whitening.kernel + whitening.bias
    np.testing.assert_allclose(whitened.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.cov(whitened.T), np.eye(6), atol=1e-3)


def test_the_same_descriptors_give_the_same_bytes():
    first, second = (fit_whitening(random_descriptors(), 4) for _ in range(2))
    np.testing.assert_array_equal(first.kernel, second.kernel)
    np.testing.assert_array_equal(first.bias, second.bias)


@pytest.mark.parametrize(
    ("num_descriptors", "dim", "largest"), [(60, 13, 12), (9, 9, 8), (60, 0, 12)]
)
def test_more_than_the_descriptors_can_tell_is_refused(num_descriptors, dim, largest):
    message = f"between 1 and {largest}, since there are {num_descriptors} .*dim={dim}"
    with pytest.raises(ValueError, match=message):
        fit_whitening(random_descriptors(num_descriptors), dim)


def test_directions_without_variance_are_not_whitened():
    descriptors = random_descriptors()
    descriptors[:, 3:] = 0.25
    message = "vary in 3 directions only, which cannot be whitened to dim=4"
    with pytest.raises(ValueError, match=message):
        fit_whitening(descriptors, 4)
    assert fit_whitening(descriptors, 4, whiten=False).kernel.shape == (12, 4)
    with pytest.raises(ValueError, match=r"must differ. Received: all equal"):
        fit_whitening(np.ones((9, 4)), 2)


def test_wrong_descriptors_are_named():
    with pytest.raises(ValueError, match=r"must be finite.*shape=\(9,\)"):
        fit_whitening(np.ones(9), 2)
    with pytest.raises(ValueError, match="must be finite"):
        fit_whitening(np.full((9, 4), np.nan), 2)
