"""What `vpr localize --classifier` does."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vpr_tf.classification import (
    PlaceClassifier,
    PlacePredictor,
    heads_folder,
    load_calibration,
    load_heads,
    localize_by_cells,
)
from vpr_tf.cli.localize_photos import expanded
from vpr_tf.localization import (
    NUM_CANDIDATES,
    Calibration,
    Localization,
    LocalizationError,
    LocalizationResult,
    explain_confidence,
)
from vpr_tf.photos import PhotoFiles, scan_named_photos
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
        LocalizationError: There are no photos, an option does not apply, or the
            calibration is damaged or of other heads.
        EncoderError: The encoder cannot be loaded.
    """
    options = options or LocalizationOptions()
    num_candidates = _checked_count(options)
    folder = heads_folder(model)
    calibration = load_calibration(folder)
    predictor = _load_scored(folder, calibration)
    files = scan_named_photos(list(expanded(photos)))
    if not len(files) and not files.rejected:
        raise LocalizationError(f"No photos in {', '.join(photos)}.")
    found: list[Localization] = []
    source = Path(encoder_model or _encoder_folder(Path(model), folder))
    encoder = str(source)
    if len(files):
        encoder, files, descriptors = _describe(source, files)
        found = localize_by_cells(
            [path.decode() for path in files.paths],
            descriptors,
            predictor,
            calibration=calibration,
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


def _load_scored(folder: Path, calibration: Calibration | None) -> PlacePredictor:
    """Loads heads with the score they are calibrated for, or that they keep."""
    heads = load_heads(folder)
    score = None if calibration is None else calibration.settings.get("score")
    if score and isinstance(heads, PlaceClassifier):
        return heads.with_score(score)
    return heads


def _encoder_folder(model: Path, folder: Path) -> Path:
    """Returns the run or SavedModel that a folder of heads lies in."""
    return folder.parents[1] if model.resolve() == folder.resolve() else model


def _describe(source: Path, files: PhotoFiles) -> tuple[str, PhotoFiles, np.ndarray]:
    # TensorFlow is loaded when the photos and the heads turned out to be usable.
    from vpr_tf.extraction import find_model, load_extractor

    if find_model(source).config_file is None:
        raise LocalizationError(
            "The encoder of the heads must be a run folder or a SavedModel, whose "
            f"config says how photos are prepared. Received: {source}. Pass --model RUN"
        )
    extractor = load_extractor(model=source)
    progress = sys.stderr.isatty() and len(files) > 1
    described = extractor.extract_files(files, progress=progress)
    return extractor.description, described.photos, described.in_memory()
