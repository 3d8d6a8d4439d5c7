"""A calibration, in a graph."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from vpr_tf.localization.calibration import Calibration
from vpr_tf.localization.features import feature_set


class ServedCalibration:
    """Confidence and expected error as `Calibration.apply` gives them.

    Args:
        calibration: The calibration; None gives NaN.
        num_votes: Places that every query's features are computed from.
    """

    def __init__(self, calibration: Calibration | None, num_votes: int) -> None:
        if calibration is not None and num_votes < calibration.min_votes:
            calibration = None
        self._calibration = calibration

    def apply(self, features: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Maps features, float64 `(batch, num_features)`.

        Returns:
            Confidence and expected error in metres, float64 `(batch,)`.
        """
        calibration = self._calibration
        if calibration is None:
            unknown = tf.fill(tf.shape(features)[:1], tf.constant(np.nan, tf.float64))
            return unknown, unknown
        weights = calibration.feature_weights
        names = feature_set(weights).names
        scores = tf.linalg.matvec(
            features, tf.constant([weights[name] for name in names], tf.float64)
        )
        log_odds = interpolated(scores, calibration.scores, calibration.log_odds)
        confidence = tf.math.sigmoid(log_odds)
        error_m = interpolated(scores, calibration.error_scores, calibration.error_m)
        threshold_m = tf.constant(calibration.threshold_m, tf.float64)
        expected_m = tf.where(
            confidence < calibration.error_quantile,
            tf.maximum(error_m, threshold_m),
            tf.minimum(error_m, threshold_m),
        )
        return confidence, expected_m


def interpolated(x: tf.Tensor, at: list[float], values: list[float]) -> tf.Tensor:
    """Returns what `np.interp(x, at, values)` does, float64."""
    if len(at) == 1:
        return tf.fill(tf.shape(x), tf.constant(values[0], tf.float64))
    nodes, heights = (tf.constant(array, tf.float64) for array in (at, values))
    end = tf.searchsorted(nodes, x, side="right")
    end = tf.clip_by_value(end, 1, len(at) - 1)
    low, high = tf.gather(nodes, end - 1), tf.gather(nodes, end)
    share = tf.math.divide_no_nan(tf.clip_by_value(x, low, high) - low, high - low)
    first, last = tf.gather(heights, end - 1), tf.gather(heights, end)
    # Beyond the ends, and where two nodes are one, the curve is constant.
    share = tf.where((high == low) & (x >= high), tf.ones_like(share), share)
    return first + share * (last - first)
