import numpy as np
import pytest
import tensorflow as tf

from vpr_tf.config import ConfigError, augmentation_of
from vpr_tf.data.extra_augmentations import ExtraAugmentations
from vpr_tf.data.extra_augmentations.frequencies import fourier_mixing


def images(height=12, width=16):
    """Grey enough that nothing is clipped."""
    rng = np.random.default_rng(0)
    one, other = rng.uniform(0.4, 0.6, (2, height, width, 3))
    return one, other * 0.8


def mixed_by_numpy(image, other, highest, share):
    """As the paper writes it: spectra with 0 in the middle, a square of them mixed."""
    height, width, _ = image.shape
    spectrum, theirs = (
        np.fft.fftshift(np.fft.fft2(one, axes=(0, 1)), axes=(0, 1))
        for one in (image, other)
    )
    amplitude, phase = np.abs(spectrum), np.angle(spectrum)
    y, x = height // 2, width // 2
    low = np.s_[y - highest : y + highest + 1, x - highest : x + highest + 1]
    amplitude[low] += share * (np.abs(theirs)[low] - amplitude[low])
    spectrum = np.fft.ifftshift(amplitude * np.exp(1j * phase), axes=(0, 1))
    return np.fft.ifft2(spectrum, axes=(0, 1)).real


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("window", "highest"), [(0.0, 0), (0.1, 1), (0.25, 3)])
def test_mixing_is_that_of_the_paper(window, highest, share):
    image, other = images()
    found = fourier_mixing(
        *(tf.constant(one, tf.float32) for one in (image, other)), window, share
    )
    expected = mixed_by_numpy(image, other, highest, share)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_mean_is_that_of_the_other():
    image, other = (tf.constant(one, tf.float32) for one in images())
    found = fourier_mixing(image, other, 0.0, 1.0)
    means = [tf.reduce_mean(one, axis=(0, 1)) for one in (found, other)]
    np.testing.assert_allclose(*means, atol=1e-5)
    expected = image - tf.reduce_mean(image, axis=(0, 1)) + means[1]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_without_photos_to_mix_with_it_is_refused():
    with pytest.raises(ConfigError, match="FourierMixing needs photos to mix with"):
        ExtraAugmentations([augmentation_of({"name": "FourierMixing"})])
