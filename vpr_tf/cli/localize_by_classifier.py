"""What `vpr localize --classifier` does."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.classification import PlaceClassifier
from vpr_tf.classification.named_places import PlaceAnswer, place_answers_of
from vpr_tf.classification.place_answers import answer_places
from vpr_tf.classification.place_features import PlaceSettings
from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.classification.saved_arrays import read_info
from vpr_tf.classification.stored_calibration import load_calibration
from vpr_tf.classification.trained import heads_folder, load_heads
from vpr_tf.classification.unseen_places import best_of_groups
from vpr_tf.cli.localize_photos import LocalizeOptions, expanded, meaning
from vpr_tf.config import ClassificationConfig, LocalizationConfig, load_config
from vpr_tf.localization.answer_formats import (
    HEADER,
    answer_feature,
    cells,
    feature,
    point,
    summary,
)
from vpr_tf.localization.calibration import Calibration
from vpr_tf.localization.errors import LocalizationError
from vpr_tf.photos import PhotoFiles, scan_named_photos

_NUM_PLACES = 5
_NOT_CALIBRATED = (
    "Not calibrated: no confidence and no error, every photo is answered. Calibrate by "
    "`vpr index calibrate --classifier RUN --config FILE`."
)


@dataclass(frozen=True)
class HeadsAnswers:
    """What `vpr localize` found by heads.

    Attributes:
        classifier: Folder of the model.
        encoder: What described the photos.
        score: What places are ordered by; empty for regressions.
        num_places: Places that can be answered; None for regressions.
        calibration: What confidences come from; None without.
        notes: What to know of all answers.
        answers: One for each photo that could be read.
        unreadable: Path and reason of each other photo.
    """

    classifier: str
    encoder: str
    score: str
    num_places: int | None
    calibration: Calibration | None
    notes: list[str]
    answers: list[PlaceAnswer]
    unreadable: list[tuple[str, str]]

    def rows(self) -> list[tuple[str, ...]]:
        """See `Found.rows`."""
        header = (*HEADER, "groups that agree")
        return [header, *((*cells(a), _groups(a)) for a in self.answers)]

    def content(self) -> dict[str, Any]:
        """See `Found.content`."""
        return {
            "classifier": self.classifier,
            "encoder": self.encoder,
            "score": self.score or None,
            "num_places": self.num_places,
            "calibration": summary(self.calibration),
            "notes": self.notes,
            "answers": [dataclasses.asdict(answer) for answer in self.answers],
        }

    def features(self) -> list[dict[str, Any]]:
        """See `Found.features`: a point for each answer and each other place."""
        features = []
        for answer in self.answers:
            properties = dataclasses.asdict(answer)
            del properties["places"]
            features.append(answer_feature(answer, properties))
            others = answer.places[1:] if answer.answered else []
            for rank, place in enumerate(others, start=2):
                properties = {"kind": "place", "photo": answer.photo, "rank": rank}
                properties |= {"score": place.score, "heading_deg": place.heading_deg}
                features.append(feature(point(place), properties))
        return features


def _groups(answer: PlaceAnswer) -> str:
    if not answer.answered:
        return f"withheld: {answer.reason}"
    if answer.num_groups is None:
        return "-"
    return f"{answer.num_agreeing} of {answer.num_groups}"


def locate_by_classifier(
    model: str | Path,
    photos: Sequence[str],
    encoder_model: str | Path | None = None,
    options: LocalizeOptions | None = None,
) -> HeadsAnswers:
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
    options = options or LocalizeOptions()
    num_places = _checked_count(options)
    folder = heads_folder(model)
    calibration = load_calibration(folder)
    predictor = _load_scored(folder, calibration)
    files = scan_named_photos(list(expanded(photos)))
    if not len(files) and not files.rejected:
        raise LocalizationError(f"No photos in {', '.join(photos)}.")
    answers: list[PlaceAnswer] = []
    source = Path(encoder_model or _encoder_folder(Path(model), folder))
    encoder = str(source)
    if len(files):
        encoder, files, descriptors = _describe(source, files)
        answers = _answers(
            predictor, descriptors, files, calibration, options, num_places
        )
    score, num_known = "", None
    if isinstance(predictor, PlaceClassifier):
        score, num_known = predictor.score, len(predictor.table)
    return HeadsAnswers(
        classifier=str(model),
        encoder=encoder,
        score=score,
        num_places=num_known,
        calibration=calibration,
        notes=[_NOT_CALIBRATED if calibration is None else meaning(calibration)],
        answers=answers,
        unreadable=[(one.printable_path, one.reason) for one in files.rejected],
    )


def _checked_count(options: LocalizeOptions) -> int:
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
    return _NUM_PLACES if count is None else count


def _load_scored(folder: Path, calibration: Calibration | None) -> PlacePredictor:
    """Loads heads with the score they are calibrated for, or that they keep."""
    score = read_info(folder).get("score")
    if calibration is not None:
        score = calibration.settings.get("score") or score
    return load_heads(folder, ClassificationConfig(score=score or "cosine"))


def _encoder_folder(model: Path, folder: Path) -> Path:
    """Returns the run or SavedModel that a folder of heads lies in."""
    return folder.parents[1] if model.resolve() == folder.resolve() else model


def _describe(source: Path, files: PhotoFiles) -> tuple[str, PhotoFiles, np.ndarray]:
    # TensorFlow is loaded when the photos and the heads turned out to be usable.
    from vpr_tf.extraction.model_sources import load_encoder
    from vpr_tf.extraction.photo_descriptors import describe_photos
    from vpr_tf.extraction.saved_encoder import find_saved_model

    config_file = source / "config.yaml"
    version = find_saved_model(source)
    if version is not None:
        config_file = version / "assets.extra" / "config.yaml"
    if not config_file.is_file():
        raise LocalizationError(
            "The encoder of the heads must be a run folder or a SavedModel, whose "
            f"config says how photos are prepared. Received: {source}. Pass --model RUN"
        )
    loaded = load_encoder(load_config(config_file), source)
    progress = sys.stderr.isatty() and len(files) > 1
    described = describe_photos(
        loaded.encoder, files, loaded.evaluation, progress=progress
    )
    return loaded.description, described.photos, described.in_memory()


def _answers(
    predictor: PlacePredictor,
    descriptors: np.ndarray,
    files: PhotoFiles,
    calibration: Calibration | None,
    options: LocalizeOptions,
    num_places: int,
) -> list[PlaceAnswer]:
    count = LocalizationConfig().num_predictions
    if calibration is not None:
        count = int(calibration.settings.get("num_predictions", count))
    predictions = predictor.predict(descriptors, max(count, num_places))
    answers = answer_places(
        predictions,
        PlaceSettings.of(predictor, count),
        calibration=calibration,
        min_confidence=options.min_confidence,
    )
    group_rows, heading_deg = None, predictions.heading_deg
    if isinstance(predictor, PlaceClassifier):
        heading_deg = predictor.table.heading_deg
        group_rows = best_of_groups(predictor.table, predictor.scores(descriptors))
    return place_answers_of(
        [path.decode() for path in files.paths],
        answers,
        predictions,
        heading_deg,
        group_rows,
        num_places=num_places,
        calibration=calibration,
        min_confidence=options.min_confidence,
    )
