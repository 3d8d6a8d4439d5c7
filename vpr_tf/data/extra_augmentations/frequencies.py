"""Mixing of frequencies: the light of another photo, the forms of one's own."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from vpr_tf.config.augmentations import FourierMixing
from vpr_tf.data.extra_augmentations.draws import Draws


def random_fourier_mixing(
    config: FourierMixing, image: tf.Tensor, other: tf.Tensor, draws: Draws
) -> tf.Tensor:
    """Takes a random share of the low frequencies' amplitudes from another image."""
    share = draws.uniform(high=config.max_share)
    return fourier_mixing(image, other, config.window, share)


def fourier_mixing(
    image: tf.Tensor, other: tf.Tensor, window: float, share: tf.Tensor
) -> tf.Tensor:
    """Replaces amplitudes of low frequencies by those of another image; phases stay.

    Args:
        image: float32 in [0, 1], `(height, width, 3)` of static shape.
        other: Of that shape.
        window: Frequencies of up to this part of the shorter side are mixed (beta).
        share: Scalar; 1 takes the amplitudes of the other image, 0 leaves all.

    Returns:
        float32 in [0, 1] of that shape.

    Reference:
        Yang and Soatto, "FDA: Fourier Domain Adaptation for Semantic Segmentation",
        arXiv:2004.05498.
    """
    height, width, _ = image.shape
    spectrum, theirs = _spectrum(image), _spectrum(other)
    amplitude = tf.abs(spectrum)
    mixed = amplitude + share * (tf.abs(theirs) - amplitude)
    amplitude = tf.where(_is_low(height, width, window), mixed, amplitude)
    phase = tf.math.angle(spectrum)
    changed = tf.complex(amplitude * tf.cos(phase), amplitude * tf.sin(phase))
    pixels = tf.transpose(tf.math.real(tf.signal.ifft2d(changed)), (1, 2, 0))
    return tf.clip_by_value(pixels, 0.0, 1.0)


def _spectrum(image: tf.Tensor) -> tf.Tensor:
    channels = tf.transpose(image, (2, 0, 1))
    return tf.signal.fft2d(tf.cast(channels, tf.complex64))


def _is_low(height: int, width: int, window: float) -> np.ndarray:
    """Returns which frequencies lie in a square around 0."""
    highest = int(window * min(height, width))
    rows, columns = (
        np.abs(np.rint(np.fft.fftfreq(side) * side)) <= highest
        for side in (height, width)
    )
    return rows[:, None] & columns
