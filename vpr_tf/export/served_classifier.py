"""From images to places, in one graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from vpr_tf.classification import ClassificationError, PlaceClassifier
from vpr_tf.classification.class_table import OWN_GROUP, PRODUCT
from vpr_tf.config import Preprocessing
from vpr_tf.export.served_calibration import ServedCalibration
from vpr_tf.export.served_encoder import ServedEncoder
from vpr_tf.export.served_heads import ServedHead, fixed
from vpr_tf.export.served_inputs import IMAGE_BYTES, IMAGES
from vpr_tf.geo import ecef
from vpr_tf.localization import calibrated_settings
from vpr_tf.localization.calibration import Calibration
from vpr_tf.localization.features import SAME_PLACE_M, SMALLEST_PROBABILITY

_WITHOUT_CALIBRATION = 20  # places looked at: nothing depends on them


class ServedClassifier(tf.Module):
    """The places that a classifier names, with confidence.

    It computes what `PlaceClassifier.predict`, `estimate_positions` and a calibration
    do, in float32 up to the scores and float64 from there on: a float32 latitude would
    be some metres off.

    Args:
        encoder: A `GeoLocalizationNet` that computes in float32.
        classifier: Its heads, with the score that is served.
        preprocessing: `resize` and `image_size`.
        num_places: Places a query, fewer if there are fewer.
        calibration: Of this classifier and score; None serves NaN as confidence.

    Raises:
        ClassificationError: The heads do not fit the encoder, or `num_places` is not
            positive.
        LocalizationError: The calibration is of another score.
    """

    def __init__(
        self,
        encoder: Any,
        classifier: PlaceClassifier,
        preprocessing: Preprocessing,
        num_places: int,
        calibration: Calibration | None = None,
    ) -> None:
        super().__init__(name="served_classifier")
        table = classifier.table
        _check(encoder, classifier, num_places)
        self.encoder = ServedEncoder(encoder, preprocessing)
        self._of_encoder = self.encoder.as_module()
        self._num_places = min(num_places, len(table))
        wanted = _WITHOUT_CALIBRATION
        if calibration is not None:
            wanted = int(calibration.settings.get("num_predictions", wanted))
        self._settings = classifier.settings(wanted)
        if calibration is not None:
            calibration.check_settings(calibrated_settings(self._settings))
        self._num_features_of = min(wanted, len(table))
        self._calibration = ServedCalibration(calibration, self._num_features_of)
        self._combine = table.combine
        self._heads = [
            ServedHead(head, classifier.head_score) for head in classifier.heads
        ]
        # Which column of all groups' scores each place reads, or each factor of it.
        if table.combine == PRODUCT:
            self._members = [fixed(column) for column in table.members.T]
        else:
            self._place_of_column = [fixed(p) for p in table.places_of_groups]
            order = np.concatenate(table.places_of_groups)
            columns = np.argsort(order)
            in_order = np.array_equal(order, np.arange(len(order)))
            self._columns = None if in_order else fixed(columns)
        self._latitude_deg = fixed(table.positions.latitude_deg)
        self._longitude_deg = fixed(table.positions.longitude_deg)
        self._points = fixed(
            ecef.from_lat_lon(
                table.positions.latitude_deg, table.positions.longitude_deg
            )
        )

    @tf.function(input_signature=IMAGE_BYTES)
    def from_bytes(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Locates JPEG or PNG files; see `locate`.

        Args:
            image_bytes: Strings of shape `(batch,)`; sizes may differ.
        """
        return self.locate(self.encoder.from_bytes(image_bytes)["descriptors"])

    @tf.function(input_signature=IMAGE_BYTES)
    def flagged(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Locates the files that can be read; see `locate`.

        Args:
            image_bytes: Strings of shape `(batch,)`; sizes may differ.

        Returns:
            Also `is_valid`, bool `(batch,)`; where it is False all else is NaN.
        """
        described = self.encoder.flagged(image_bytes)
        is_valid = described["is_valid"]
        located = {"is_valid": is_valid}
        for name, value in self.locate(described["descriptors"]).items():
            known = is_valid if value.shape.rank == 1 else is_valid[:, tf.newaxis]
            located[name] = tf.where(known, value, tf.constant(np.nan, value.dtype))
        return located

    @tf.function(input_signature=IMAGES)
    def from_images(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Locates RGB images in [0, 1] as they are, without a resize; see `locate`.

        Args:
            images: Float32 `(batch, height, width, 3)`.
        """
        return self.locate(self.encoder.from_images(images)["descriptors"])

    def locate(self, descriptors: tf.Tensor) -> dict[str, tf.Tensor]:
        """Locates descriptors, float32 `(batch, descriptor_dim)`.

        Returns:
            `latitude`, `longitude`, float64, and `score`, float32, of the best places,
            `(batch, num_places)`; `confidence`, `expected_error_m` and `spread_m` of
            the first, float32 `(batch,)`, NaN where unknown.
        """
        of_groups = [head.scores(descriptors) for head in self._heads]
        k = max(self._num_places, self._num_features_of)
        scores, places = tf.math.top_k(self._combined(of_groups), k)
        spread_m = self._spread(of_groups)
        confidence, expected_error_m = self._calibration.apply(
            self._features(scores, places, spread_m)
        )
        shown = places[:, : self._num_places]
        return {
            "latitude": tf.gather(self._latitude_deg, shown),
            "longitude": tf.gather(self._longitude_deg, shown),
            "score": scores[:, : self._num_places],
            "confidence": tf.cast(confidence, tf.float32),
            "expected_error_m": tf.cast(expected_error_m, tf.float32),
            "spread_m": tf.cast(spread_m, tf.float32),
        }

    def _combined(self, of_groups: list[tf.Tensor]) -> tf.Tensor:
        if self._combine == PRODUCT:
            combined = tf.ones((), tf.float32)
            for scores, members in zip(of_groups, self._members, strict=True):
                combined *= tf.gather(scores, members, axis=1)
            return combined
        combined = tf.concat(of_groups, axis=1)
        if self._columns is None:
            return combined
        return tf.gather(combined, self._columns, axis=1)

    def _spread(self, of_groups: list[tf.Tensor]) -> tf.Tensor:
        """See `spread_m`; float64."""
        if self._combine != OWN_GROUP or len(of_groups) < 2:
            batch = tf.shape(of_groups[0])[:1]
            return tf.fill(batch, tf.constant(np.nan, tf.float64))
        best = [
            tf.gather(places, tf.argmax(scores, axis=1))
            for places, scores in zip(self._place_of_column, of_groups, strict=True)
        ]
        points = tf.gather(self._points, tf.stack(best, axis=1))
        offsets = points - points[:, :1]
        offsets -= tf.reduce_mean(offsets, axis=1, keepdims=True)
        squares = tf.reduce_sum(tf.square(offsets), axis=2)
        return tf.sqrt(tf.reduce_mean(squares, axis=1))

    def _features(
        self, scores: tf.Tensor, places: tf.Tensor, spread_m: tf.Tensor
    ) -> tf.Tensor:
        """See `cell_features`; float64."""
        values = tf.cast(scores[:, : self._num_features_of], tf.float64)
        if self._settings.log_scores:
            values = tf.math.log(tf.maximum(values, SMALLEST_PROBABILITY))
        points = tf.gather(self._points, places[:, : self._num_features_of])
        offset_m = tf.norm(points - points[:, :1], axis=2)
        lowest = tf.constant(-np.inf, tf.float64)
        rival = tf.reduce_max(tf.where(offset_m > SAME_PLACE_M, values, lowest), axis=1)
        last = tf.reduce_min(values, axis=1)
        rival = tf.where(tf.math.is_finite(rival), rival, last)
        known_m = tf.where(tf.math.is_nan(spread_m), tf.zeros_like(spread_m), spread_m)
        agreement = -tf.math.log1p(known_m / SAME_PLACE_M)
        best = values[:, 0]
        return tf.stack([agreement, best, best - rival], axis=1)


def _check(encoder: Any, classifier: PlaceClassifier, num_places: int) -> None:
    if num_places < 1:
        raise ClassificationError(
            f"`num_places` must be 1 or more. Received: {num_places}"
        )
    if encoder.descriptor_dim != classifier.descriptor_dim:
        raise ClassificationError(
            "The heads must take the descriptors of the encoder, of length "
            f"{encoder.descriptor_dim}. Received heads for "
            f"{classifier.descriptor_dim}"
        )
