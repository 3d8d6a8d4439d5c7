"""Writes an encoder with its heads: from an image to places, in one SavedModel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vpr_tf.classification import (
    SAVED_MODEL_FOLDER,
    PlaceClassifier,
    save_calibration,
    save_heads,
)
from vpr_tf.config import ExperimentConfig
from vpr_tf.export.saved_model import write_version
from vpr_tf.export.served_classifier import ServedClassifier
from vpr_tf.localization import Calibration
from vpr_tf.models import in_precision

NUM_PLACES = 20


def export_classifier(
    encoder: Any,
    classifier: PlaceClassifier,
    config: ExperimentConfig,
    folder: str | Path,
    *,
    calibration: Calibration | None = None,
    num_places: int = NUM_PLACES,
) -> Path:
    """Exports an encoder with its heads and their calibration.

    Signatures: `serving_default` maps `image_bytes`, JPEG or PNG files of any size, and
    `places` maps `images`, floats in [0, 1]; both give `latitude`, `longitude` and
    `score` of the best places, `(batch, num_places)`, best first, and `confidence`,
    `expected_error_m` and `spread_m` of the first, `(batch,)`, NaN where unknown.
    `flagged` locates the files that can be read and flags the others by `is_valid`.
    `descriptors` maps `images` as `export_encoder` does. The heads with their class
    table and the calibration lie in `assets.extra/classifier`, so that `vpr evaluate`
    and `vpr localize` need the SavedModel alone.

    Args:
        encoder: A `GeoLocalizationNet`.
        classifier: Its heads, with the score that is served.
        config: Its experiment, see `export_encoder`.
        folder: The folder of all SavedModels, `config.savedmodels_dir`.
        calibration: Of these heads and this score; None serves no confidence.
        num_places: Places a query, fewer if there are fewer.

    Returns:
        The folder of the version.

    Raises:
        ClassificationError: The heads do not fit the encoder.
        LocalizationError: The calibration is of another score.
        ExportError: See `export_encoder`.
    """
    served = ServedClassifier(
        in_precision(encoder, "float32"),
        classifier,
        config.evaluation.preprocessing,
        num_places,
        calibration,
    )

    def write_heads(extra: Path) -> None:
        heads = extra / SAVED_MODEL_FOLDER.name
        save_heads(classifier, heads)
        if calibration is not None:
            save_calibration(calibration, heads)

    signatures = {
        "serving_default": served.from_bytes,
        "flagged": served.flagged,
        "places": served.from_images,
        "descriptors": served.encoder.from_images,
    }
    return write_version(
        *(served, signatures, config, folder, write_heads),
        adapted_to=getattr(encoder, "adapted_to", None),
    )
