"""Where photos were taken, by heads alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.config import LocalizationConfig
from vpr_tf.localization import (
    Calibration,
    Localization,
    estimate_positions,
    localizations,
)


class _Extractor(Protocol):
    def extract(self, photos: Sequence[Any]) -> np.ndarray:
        """Returns the descriptors of photos."""


@dataclass(frozen=True, eq=False)
class ClassifierLocalizer:
    """Localizes photos by the heads of a model, without a database.

    Attributes:
        predictor: The heads, with the score that they are calibrated for.
        calibration: Gives confidences and expected errors; None without.
        extractor: Computes descriptors; None where only descriptors are localized.
        num_candidates: Cells that are listed for each photo.
    """

    predictor: PlacePredictor
    calibration: Calibration | None = None
    extractor: _Extractor | None = None
    num_candidates: int = 5

    def localize(
        self, photos: Sequence[Any], *, min_confidence: float | None = None
    ) -> list[Localization]:
        """See `Localizer.localize`."""
        names = [photo if isinstance(photo, str) else "" for photo in photos]
        descriptors = self.extractor.extract(photos)
        return self.localize_descriptors(
            descriptors, names, min_confidence=min_confidence
        )

    def localize_descriptors(
        self,
        descriptors: np.ndarray,
        names: Sequence[str],
        *,
        min_confidence: float | None = None,
    ) -> list[Localization]:
        """Localizes photos by their descriptors.

        Args:
            descriptors: Float32 `(num_photos, descriptor_dim)`.
            names: Of the photos.
            min_confidence: See `Localizer.localize`.

        Raises:
            ClassificationError: The descriptors do not fit the heads.
            LocalizationError: The calibration is of another score.
        """
        count = LocalizationConfig().num_predictions
        if self.calibration is not None:
            count = int(self.calibration.settings.get("num_predictions", count))
        estimates = estimate_positions(
            self.predictor.predict(descriptors, max(count, self.num_candidates)),
            self.predictor.settings(count),
            calibration=self.calibration,
            min_confidence=min_confidence,
        )
        return localizations(names, estimates, num_candidates=self.num_candidates)
