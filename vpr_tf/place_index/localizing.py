"""Positions from the matches of an index, by the settings that it keeps."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vpr_tf.config import LocalizationConfig, RerankConfig
from vpr_tf.config.rules import MOST_PREDICTIONS
from vpr_tf.geo import UNKNOWN_HEADING_DEG, GeoCircle
from vpr_tf.localization import (
    OFF_TRACK,
    OUTSIDE,
    Calibration,
    FittedOn,
    InlierCounter,
    Localization,
    LocalizationError,
    PhotoSequence,
    SecondLook,
    calibrate_on_queries,
    calibrate_reranked,
    calibrated_settings,
    explain_confidence,
    localize_matches,
    localize_track,
    predictions_to_calibrate,
    to_stored,
)
from vpr_tf.photos import PhotoTable, scan_named_photos
from vpr_tf.place_index.index_state import IndexState
from vpr_tf.place_index.manifest import STORED, IndexManifest
from vpr_tf.search import CellFilter

# About the field of view of a photo: beyond, two photos of a place share nothing.
_HEADING_TOLERANCE_DEG = 60.0
# Why a photo is outside where an option is the reason.
NO_PHOTO_WITHIN = "no photo of the index lies in the circle that was searched"
NO_MATCH_OF_HEADING = "all matches look another way than the photo"
_NOT_CALIBRATED = (
    "Not calibrated: no confidence and no error, nothing is withheld. Calibrate by "
    "`vpr index calibrate --index DIR --config FILE`."
)


@dataclass(frozen=True)
class LocalizationOptions:
    """How photos are localized, besides what the index says.

    Attributes:
        num_predictions: Matches that vote; None for the index's setting.
        within: Only photos of this circle are searched.
        heading_deg: Where all photos look; None for what is known of each.
        min_confidence: Positions below are withheld; None for the calibration's.
        cells: How many of the best cells are searched, None for all, `stored` for as
            many as the index says.
        rerank: Which photos are compared with their candidates; None for what the
            index says.
        inlier_points: Whether matches of re-ranked photos say where the key points lie
            that they share.

    Raises:
        LocalizationError: Count, heading or confidence cannot be.
    """

    num_predictions: int | None = None
    within: GeoCircle | None = None
    heading_deg: float | None = None
    min_confidence: float | None = None
    cells: int | str | None = STORED
    rerank: RerankConfig | None = None
    inlier_points: bool = False

    def __post_init__(self) -> None:
        count, heading = self.num_predictions, self.heading_deg
        minimum = self.min_confidence
        if count is not None and not 1 <= count <= MOST_PREDICTIONS:
            raise LocalizationError(
                f"The matches that vote must be 1 to {MOST_PREDICTIONS:,}. Received: "
                f"{count}"
            )
        if heading is not None and not 0 <= heading <= 360:
            raise LocalizationError(
                f"The heading must be 0 to 360 degrees. Received: {heading}"
            )
        if minimum is not None and not 0 <= minimum <= 1:
            raise LocalizationError(
                f"The least confidence must be 0 to 1. Received: {minimum}"
            )


@dataclass(frozen=True)
class LocalizationSettings:
    """What applies to a localization by an index.

    Attributes:
        config: How matches become a position.
        calibration: Gives confidences and expected errors; None without one for these
            settings.
        reranked: The same, of re-ranked candidates.
        note: What to know of confidence and error, for people.
    """

    config: LocalizationConfig
    calibration: Calibration | None
    reranked: Calibration | None
    note: str

    @classmethod
    def from_manifest(
        cls, manifest: IndexManifest, options: LocalizationOptions
    ) -> LocalizationSettings:
        """Reads what an index keeps, and changes it as the options say.

        Raises:
            LocalizationError: The settings of the index are damaged.
        """
        config, calibration = manifest.localization_settings
        if options.rerank is not None:
            config = dataclasses.replace(config, rerank=options.rerank)
        stored = calibrated_settings(config)
        if options.num_predictions is not None:
            config = dataclasses.replace(
                config, num_predictions=options.num_predictions
            )
        if options.heading_deg is not None and config.heading_tolerance_deg is None:
            config = dataclasses.replace(
                config, heading_tolerance_deg=_HEADING_TOLERANCE_DEG
            )
        if calibration is None:
            return cls(config, None, None, _NOT_CALIBRATED)
        changed = [
            f"localization.{name}={value}"
            for name, value in calibrated_settings(config).items()
            if stored[name] != value
        ]
        searched = manifest.classifier.num_cells if manifest.classifier else None
        if options.cells not in (STORED, searched):
            cells = "all" if options.cells is None else options.cells
            changed.append(f"--cells {cells}")
        if changed:
            text = f"Not calibrated for {', '.join(changed)}: no confidence, no error."
            return cls(config, None, None, text)
        text = explain_confidence(calibration)
        return cls(config, calibration, manifest.reranked_calibration, text)

    def error_quantile(self, reranked: bool) -> float | None:
        """Returns the probability of errors within the expected one; None if unknown.

        Args:
            reranked: Whether of re-ranked photos.
        """
        calibration = self.reranked if reranked else self.calibration
        return None if calibration is None else calibration.error_quantile

    def second_look(
        self, counter: InlierCounter, *, keeps_points: bool = False
    ) -> SecondLook:
        """Returns how candidates are re-ranked.

        Args:
            counter: Compares photos.
            keeps_points: See `SecondLook`.

        Raises:
            LocalizationError: Confidences of photos would not be those of re-ranked
                ones.
        """
        look = SecondLook(self.config.rerank, counter, self.reranked, keeps_points)
        if self.calibration is None or self.config.rerank.when == "never":
            return look
        fitted = self.reranked.settings.get("matched_by") if self.reranked else None
        if fitted != look.matched_by:
            raise LocalizationError(
                "Re-ranked photos have a confidence by a calibration that was fitted "
                f"with {look.matched_by}. Received: one fitted with "
                f"{fitted or 'no re-ranking'}. Calibrate again by `vpr index calibrate "
                f"... localization.rerank.when={self.config.rerank.when}`, or do not "
                "re-rank."
            )
        return look


def known_headings(photos: Sequence[Any]) -> np.ndarray:
    """Returns where photos look, as names or EXIF data of files say.

    Args:
        photos: Paths, and others, whose heading is unknown.

    Returns:
        Degrees `(num_photos,)`; negative where unknown.
    """
    of_path = _of_files(photos, "heading_deg")
    return np.array([of_path.get(path, UNKNOWN_HEADING_DEG) for path in _paths(photos)])


def known_timestamps(photos: Sequence[Any]) -> np.ndarray:
    """Returns when photos were taken, as names or EXIF data of files say.

    Args:
        photos: Paths, and others, whose time is unknown.

    Returns:
        `YYYY[MM[DD[_hh[mm[ss]]]]]`, bytes `(num_photos,)`; empty where unknown.
    """
    of_path = _of_files(photos, "timestamps")
    return np.array([of_path.get(path, b"") for path in _paths(photos)], "S15")


def _of_files(photos: Sequence[Any], name: str) -> dict[bytes, Any]:
    """Returns a column of a `PhotoTable` of the files among photos, by their paths."""
    files = scan_named_photos([path.decode() for path in _paths(photos) if path]).photos
    return dict(zip(files.keys.tolist(), getattr(files, name).tolist(), strict=True))


def _paths(photos: Sequence[Any]) -> list[bytes]:
    """Returns the path of each photo; empty for what is no file."""
    return [
        str(Path(one)).encode() if isinstance(one, str | Path) else b""
        for one in photos
    ]


def localize_descriptors(
    state: IndexState,
    descriptors: np.ndarray,
    names: Sequence[str],
    options: LocalizationOptions,
    *,
    heading_deg: np.ndarray | None = None,
    cells: CellFilter | None = None,
    counter: InlierCounter | None = None,
    sequence: PhotoSequence | None = None,
) -> list[Localization]:
    """Localizes photos by their descriptors.

    Args:
        state: Of the index.
        descriptors: `(num_photos, descriptor_dim)`.
        names: Of the photos.
        options: How.
        heading_deg: Of each photo; negative or NaN where unknown.
        cells: What restricts the search, besides the options.
        counter: Compares photos with their candidates; None re-ranks none.
        sequence: When one camera took the photos, which then localize each other and
            are not re-ranked; None for photos that have nothing to do with each other.
    """
    settings = LocalizationSettings.from_manifest(state.manifest, options)
    config = settings.config
    if options.heading_deg is not None:
        heading_deg = np.full(len(names), options.heading_deg)
    look = None
    if counter is not None:
        look = settings.second_look(counter, keeps_points=options.inlier_points)
    most = config.num_predictions
    if look is not None and look.config.when != "never":
        most = max(most, look.config.candidates)
    matches = state.search(descriptors, most, within=options.within, cells=cells)
    localize = functools.partial(localize_matches, second_look=look)
    if sequence is not None:
        localize = functools.partial(localize_track, sequence=sequence)
    found = localize(
        names,
        matches.distances,
        matches.rows,
        matches.photos,
        config,
        calibration=settings.calibration,
        query_heading_deg=heading_deg,
        min_confidence=options.min_confidence,
    )
    return [
        _explained(one, rows[rows >= 0], matches.photos, options)
        for one, rows in zip(found, matches.rows, strict=True)
    ]


def _explained(
    found: Localization,
    rows: np.ndarray,
    photos: PhotoTable,
    options: LocalizationOptions,
) -> Localization:
    """Returns a localization that says which option left nothing, if one did."""
    if found.status != OUTSIDE or found.reason == OFF_TRACK:
        return found
    if options.within is not None and not len(rows):
        return dataclasses.replace(found, reason=NO_PHOTO_WITHIN)
    if photos.take(rows).positions.known.any():
        return dataclasses.replace(found, reason=NO_MATCH_OF_HEADING)
    return found


def calibrate(
    state: IndexState,
    descriptors: npt.ArrayLike,
    queries: PhotoTable,
    config: LocalizationConfig | None,
    *,
    threshold_m: float,
    cells: CellFilter | None,
    fitted_on: str,
    seed: int,
    counter: InlierCounter | None = None,
) -> tuple[dict[str, Any], Calibration]:
    """See `PlaceIndex.calibrate`; returns what the index is to keep as well."""
    manifest = state.manifest
    if config is None:
        config, _ = manifest.localization_settings
    matches = state.search(descriptors, predictions_to_calibrate(config), cells=cells)
    how = (
        matches.distances,
        matches.rows,
        queries,
        matches.photos,
        config,
        FittedOn(fitted_on, threshold_m, manifest.encoder_fingerprint, seed=seed),
    )
    calibration, reranked = calibrate_on_queries(*how), None
    if counter is not None and config.rerank.when != "never":
        reranked = calibrate_reranked(*how, SecondLook(config.rerank, counter))
    return to_stored(config, calibration, reranked), calibration
