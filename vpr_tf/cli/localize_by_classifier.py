"""What `vpr localize --classifier` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vpr_tf.classification import ClassifierLocalizer, PlaceClassifier
from vpr_tf.cli.named_photos import describe, named_photos
from vpr_tf.localization import (
    NUM_CANDIDATES,
    Localization,
    LocalizationError,
    LocalizationResult,
    explain_confidence,
)
from vpr_tf.place_index.localizing import LocalizationOptions

_NOT_CALIBRATED = (
    "Not calibrated: no confidence and no error, nothing is withheld. Calibrate by "
    "`vpr index calibrate --classifier RUN --config FILE`."
)


def locate_by_classifier(
    model: str | Path,
    photos: Sequence[str],
    encoder_model: str | Path | None = None,
    options: LocalizationOptions | None = None,
) -> LocalizationResult:
    """Locates photos by the heads of a model, without a database.

    Args:
        model: A run folder or a SavedModel, or the folder of its heads.
        photos: Files, folders and patterns such as `trip/*.jpg`.
        encoder_model: Run folder or SavedModel of the encoder; None for where the
            heads are.
        options: How photos are located.

    Raises:
        ClassificationError: The model keeps no heads, or they are damaged.
        PhotoSourceError: There are no photos.
        LocalizationError: An option does not apply, or the calibration is damaged or
            of other heads.
        EncoderError: The encoder cannot be loaded.
    """
    options = options or LocalizationOptions()
    num_candidates = _checked_count(options)
    localizer = ClassifierLocalizer(model, encoder_model)
    calibration, predictor = localizer.calibration, localizer.predictor
    files = named_photos(photos)
    found: list[Localization] = []
    encoder = str(localizer.encoder_folder)
    if len(files):
        # TensorFlow is loaded when the photos and the heads turned out to be usable.
        extractor = localizer.extractor
        described = describe(files, extractor)
        encoder, files = extractor.description, described.photos
        found = localizer.localize_descriptors(
            described.in_memory(),
            [path.decode() for path in files.paths],
            min_confidence=options.min_confidence,
            num_candidates=num_candidates,
        )
    score, num_places = None, None
    if isinstance(predictor, PlaceClassifier):
        score, num_places = predictor.score, len(predictor.table)
    return LocalizationResult(
        source={
            "classifier": str(model),
            "encoder": encoder,
            "score": score,
            "num_places": num_places,
        },
        calibration=calibration,
        notes=[
            _NOT_CALIBRATED if calibration is None else explain_confidence(calibration)
        ],
        localizations=found,
        unreadable=[(one.printable_path, one.reason) for one in files.rejected],
    )


def _checked_count(options: LocalizationOptions) -> int:
    for name in ("within", "heading_deg"):
        if getattr(options, name) is not None:
            option = name.removesuffix("_deg")
            raise LocalizationError(
                f"`--{option}` chooses among the photos of an index: it needs --index. "
                "Received: --classifier"
            )
    count = options.num_predictions
    if count is not None and count < 1:
        raise LocalizationError(f"`--k` must be 1 or more. Received: {count}")
    return NUM_CANDIDATES if count is None else count
