"""What `vpr localize --index` does."""

from __future__ import annotations

import dataclasses
import glob
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vpr_tf.config import LocalizationConfig
from vpr_tf.localization import (
    Calibration,
    Localization,
    LocalizationError,
    LocalizationResult,
    calibrated_settings,
    explain_confidence,
    localize_matches,
    read_stored,
)
from vpr_tf.photos import PhotoFiles, scan_named_photos
from vpr_tf.place_index import GeoCircle, IndexManifest, Matches, PlaceIndex
from vpr_tf.place_index.index_classifier import STORED, best_cells

if TYPE_CHECKING:
    from vpr_tf.place_index.photo_source import DescribedPhotos

# About the field of view of a photo: beyond, two photos of a place share nothing.
_HEADING_TOLERANCE_DEG = 60.0


@dataclass(frozen=True)
class LocalizeOptions:
    """How photos are located, besides what the index says.

    Attributes:
        num_predictions: Matches that vote, None for the index's setting; of heads:
            places that are listed.
        within: Only photos of this circle are searched.
        heading_deg: Where all photos look; None for what their EXIF data says.
        min_confidence: Positions below are withheld; None for the calibration's.
        cells: How many of the best cells are searched, None for all, `stored` for as
            many as the index says.
    """

    num_predictions: int | None = None
    within: GeoCircle | None = None
    heading_deg: float | None = None
    min_confidence: float | None = None
    cells: int | str | None = STORED

    def __post_init__(self) -> None:
        heading = self.heading_deg
        if heading is not None and not 0 <= heading <= 360:
            raise LocalizationError(
                f"`--heading` must be 0 to 360 degrees. Received: {heading}"
            )
        minimum = self.min_confidence
        if minimum is not None and not 0 <= minimum <= 1:
            raise LocalizationError(
                f"`--min-confidence` must be 0 to 1. Received: {minimum}"
            )


def locate_photos(
    index_folder: str | Path,
    photos: Sequence[str],
    model: str | Path | None = None,
    options: LocalizeOptions | None = None,
) -> LocalizationResult:
    """Locates photos by an index.

    Args:
        index_folder: The index.
        photos: Files, folders and patterns such as `trip/*.jpg`.
        model: Where the encoder is; None for the copy in the index.
        options: How photos are located.

    Raises:
        LocalizationError: There are no photos, or the calibration is damaged.
        IndexMismatchError: The index is damaged or of another encoder.
    """
    options = options or LocalizeOptions()
    with PlaceIndex.open(index_folder) as index:
        manifest = index.manifest
        config, calibration, notes = _settings(manifest, options)
        files = scan_named_photos(list(expanded(photos)))
        if not len(files) and not files.rejected:
            raise LocalizationError(f"No photos in {', '.join(photos)}.")
        found: list[Localization] = []
        if len(files):
            described = _describe(index_folder, model, files)
            files = described.photos
            matches = index.search(
                described.in_memory(),
                config.num_predictions,
                within=options.within,
                cells=best_cells(index, options.cells, files),
            )
            found = _localize(files, matches, config, calibration, options)
    return LocalizationResult(
        source={
            "index": str(index_folder),
            "encoder": manifest.encoder_description,
            "num_photos": manifest.num_photos,
        },
        calibration=calibration,
        notes=notes,
        localizations=found,
        unreadable=[(one.printable_path, one.reason) for one in files.rejected],
    )


def _describe(
    index_folder: str | Path, model: str | Path | None, files: PhotoFiles
) -> DescribedPhotos:
    # TensorFlow is loaded when the photos and the index turned out to be usable.
    from vpr_tf.place_index.photo_source import open_encoder

    progress = sys.stderr.isatty() and len(files) > 1
    return open_encoder(index_folder, model).describe(files, progress=progress)


def _localize(
    files: PhotoFiles,
    matches: Matches,
    config: LocalizationConfig,
    calibration: Calibration | None,
    options: LocalizeOptions,
) -> list[Localization]:
    heading_deg = files.photos.heading_deg
    if options.heading_deg is not None:
        heading_deg = np.full(len(files), options.heading_deg)
    return localize_matches(
        [path.decode() for path in files.paths],
        matches.distances,
        matches.rows,
        matches.photos,
        config,
        calibration=calibration,
        query_heading_deg=heading_deg,
        min_confidence=options.min_confidence,
    )


def _settings(
    manifest: IndexManifest, options: LocalizeOptions
) -> tuple[LocalizationConfig, Calibration | None, list[str]]:
    """Returns the settings, their calibration if they have one, and what to know."""
    config, calibration = read_stored(
        manifest.localization, manifest.encoder_fingerprint
    )
    stored = calibrated_settings(config)
    if options.num_predictions is not None:
        config = dataclasses.replace(config, num_predictions=options.num_predictions)
    if options.heading_deg is not None and config.heading_tolerance_deg is None:
        config = dataclasses.replace(
            config, heading_tolerance_deg=_HEADING_TOLERANCE_DEG
        )
    if calibration is None:
        return config, None, [_NOT_CALIBRATED]
    changed = [
        f"localization.{name}={value}"
        for name, value in calibrated_settings(config).items()
        if stored[name] != value
    ]
    searched = manifest.classifier.num_cells if manifest.classifier else None
    if options.cells not in (STORED, searched):
        changed.append(f"--cells {'all' if options.cells is None else options.cells}")
    if changed:
        note = f"Not calibrated for {', '.join(changed)}: no confidence and no error."
        return config, None, [note]
    return config, calibration, [explain_confidence(calibration)]


def meaning(calibration: Calibration) -> str:
    """Returns what expected error and confidence are, for people."""
    return (
        f"Within about: {calibration.error_quantile:.0%} of such answers are at least "
        "as near. Confidence: probability of an error of at most "
        f"{calibration.threshold_m:g} m. Calibrated on {calibration.fitted_on}, "
        f"{calibration.num_queries:,} queries."
    )


_NOT_CALIBRATED = (
    "Not calibrated: no confidence and no error, nothing is withheld. Calibrate by "
    "`vpr index calibrate --index DIR --config FILE`."
)


def expanded(photos: Sequence[str]) -> Iterator[str]:
    """Yields files and folders, those of patterns that the shell left as they are."""
    for photo in photos:
        if Path(photo).exists() or not glob.has_magic(photo):
            yield photo
        else:
            found = glob.glob(photo, recursive=True)  # noqa: PTH207 - of any folder
            yield from sorted(found) or [photo]
