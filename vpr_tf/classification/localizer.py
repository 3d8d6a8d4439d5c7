"""Where photos were taken, by heads alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.config import LocalizationConfig
from vpr_tf.localization import (
    NUM_CANDIDATES,
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
        extractor: Of the encoder that the heads were trained with.
        predictor: The heads, with the score that they are calibrated for.
        calibration: Gives confidences and expected errors; None without.
    """

    extractor: _Extractor
    predictor: PlacePredictor
    calibration: Calibration | None = None

    def localize(
        self, photos: Sequence[Any], *, min_confidence: float | None = None
    ) -> list[Localization]:
        """See `Localizer.localize`."""
        return localize_by_cells(
            [str(photo) if isinstance(photo, (str, Path)) else "" for photo in photos],
            self.extractor.extract(photos),
            self.predictor,
            calibration=self.calibration,
            min_confidence=min_confidence,
        )


def localize_by_cells(
    names: Sequence[str],
    descriptors: np.ndarray,
    predictor: PlacePredictor,
    *,
    calibration: Calibration | None = None,
    min_confidence: float | None = None,
    num_candidates: int = NUM_CANDIDATES,
) -> list[Localization]:
    """Localizes photos by the cells that heads predict.

    Args:
        names: Of the photos.
        descriptors: Float32 `(num_photos, descriptor_dim)`.
        predictor: The heads, with the score that they are calibrated for.
        calibration: Gives confidences and expected errors.
        min_confidence: Positions below are withheld; None for what the calibration
            says.
        num_candidates: Cells that are listed for each photo.

    Raises:
        ClassificationError: The descriptors do not fit the heads.
        LocalizationError: The calibration is of another score.
    """
    count = LocalizationConfig().num_predictions
    if calibration is not None:
        count = int(calibration.settings.get("num_predictions", count))
    estimates = estimate_positions(
        predictor.predict(descriptors, max(count, num_candidates)),
        predictor.settings(count),
        calibration=calibration,
        min_confidence=min_confidence,
    )
    return localizations(names, estimates, num_candidates=num_candidates)
