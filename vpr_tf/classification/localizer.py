"""Where photos were taken, by heads alone."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vpr_tf.classification.calibration import load_calibration
from vpr_tf.classification.errors import ClassificationError
from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.classification.stored_heads import heads_folder, load_heads
from vpr_tf.config import LocalizationConfig
from vpr_tf.localization import (
    NUM_CANDIDATES,
    Calibration,
    Localization,
    estimate_positions,
    localizations,
)

if TYPE_CHECKING:
    from vpr_tf.extraction import FeatureExtractor


class ClassifierLocalizer:
    """Localizes photos by the heads of a model, without a database.

    Args:
        model: A run folder or a SavedModel, or the folder of its heads.
        encoder_model: Run folder or SavedModel of the encoder; None for where the
            heads are.

    Attributes:
        predictor: The heads, with the score that they are calibrated for, or keep.
        calibration: Gives confidences and expected errors; None without.

    Raises:
        ClassificationError: The model keeps no heads, or they are damaged.
        LocalizationError: The calibration is damaged or of other heads.
    """

    def __init__(
        self, model: str | Path, encoder_model: str | Path | None = None
    ) -> None:
        folder = heads_folder(model)
        self.calibration = load_calibration(folder)
        self.predictor: PlacePredictor = _load_scored(folder, self.calibration)
        in_run = Path(model).resolve() == folder.resolve()
        self.encoder_folder = Path(
            encoder_model or (folder.parents[1] if in_run else model)
        )

    @functools.cached_property
    def extractor(self) -> FeatureExtractor:
        """Computes descriptors; loaded when it is needed.

        Raises:
            ClassificationError: Nothing says how photos are prepared.
            EncoderError: The encoder cannot be loaded.
        """
        from vpr_tf.extraction import find_model, load_extractor

        if find_model(self.encoder_folder).config_file is None:
            raise ClassificationError(
                "The encoder of the heads must be a run folder or a SavedModel, whose "
                "config says how photos are prepared. Received: "
                f"{self.encoder_folder}. Pass --model RUN"
            )
        return load_extractor(model=self.encoder_folder)

    def localize(
        self, photos: Sequence[Any], *, min_confidence: float | None = None
    ) -> list[Localization]:
        """See `Localizer.localize`."""
        from vpr_tf.extraction.photo_sources import photo_list, photo_names

        photos = photo_list(photos)
        return self.localize_descriptors(
            self.extractor.extract(photos),
            photo_names(photos),
            min_confidence=min_confidence,
        )

    def localize_descriptors(
        self,
        descriptors: np.ndarray,
        names: Sequence[str],
        *,
        min_confidence: float | None = None,
        num_candidates: int = NUM_CANDIDATES,
    ) -> list[Localization]:
        """Localizes photos by their descriptors.

        Args:
            descriptors: Float32 `(num_photos, descriptor_dim)`.
            names: Of the photos.
            min_confidence: See `Localizer.localize`.
            num_candidates: Cells that are listed for each photo.

        Raises:
            ClassificationError: The descriptors do not fit the heads.
            LocalizationError: The calibration is of another score.
        """
        count = LocalizationConfig().num_predictions
        if self.calibration is not None:
            count = int(self.calibration.settings.get("num_predictions", count))
        estimates = estimate_positions(
            self.predictor.predict(descriptors, max(count, num_candidates)),
            self.predictor.settings(count),
            calibration=self.calibration,
            min_confidence=min_confidence,
        )
        return localizations(names, estimates, num_candidates=num_candidates)


def _load_scored(folder: Path, calibration: Calibration | None) -> PlacePredictor:
    score = None if calibration is None else calibration.settings.get("score")
    return load_heads(folder, score=score or None)
