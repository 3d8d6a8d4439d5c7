"""What `vpr localize --index` does."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vpr_tf.localization import Localization, LocalizationError, LocalizationResult
from vpr_tf.photos import PhotoFiles, scan_named_photos
from vpr_tf.place_index import PlaceIndex
from vpr_tf.place_index.index_classifier import best_cells
from vpr_tf.place_index.localizing import (
    LocalizationOptions,
    LocalizationSettings,
    localize_descriptors,
)

if TYPE_CHECKING:
    from vpr_tf.extraction import DescribedPhotos


def locate_photos(
    index_folder: str | Path,
    photos: Sequence[str],
    model: str | Path | None = None,
    options: LocalizationOptions | None = None,
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
    options = options or LocalizationOptions()
    with PlaceIndex.open(index_folder) as index:
        manifest = index.manifest
        settings = LocalizationSettings.from_manifest(manifest, options)
        files = scan_named_photos(list(expanded(photos)))
        if not len(files) and not files.rejected:
            raise LocalizationError(f"No photos in {', '.join(photos)}.")
        found: list[Localization] = []
        if len(files):
            described = _describe(index_folder, model, files)
            files = described.photos
            found = localize_descriptors(
                index.state(),
                described.in_memory(),
                [path.decode() for path in files.paths],
                options,
                heading_deg=files.photos.heading_deg,
                cells=best_cells(index, options.cells, files),
            )
    return LocalizationResult(
        source={
            "index": str(index_folder),
            "encoder": manifest.encoder_description,
            "num_photos": manifest.num_photos,
        },
        calibration=settings.calibration,
        notes=[settings.note],
        localizations=found,
        unreadable=[(one.printable_path, one.reason) for one in files.rejected],
    )


def _describe(
    index_folder: str | Path, model: str | Path | None, files: PhotoFiles
) -> DescribedPhotos:
    # TensorFlow is loaded when the photos and the index turned out to be usable.
    from vpr_tf.place_index.photo_source import open_encoder

    progress = sys.stderr.isatty() and len(files) > 1
    return open_encoder(index_folder, model).extract_files(files, progress=progress)


def expanded(photos: Sequence[str]) -> Iterator[str]:
    """Yields files and folders, those of patterns that the shell left as they are."""
    for photo in photos:
        if Path(photo).exists() or not glob.has_magic(photo):
            yield photo
        else:
            found = glob.glob(photo, recursive=True)  # noqa: PTH207 - of any folder
            yield from sorted(found) or [photo]
