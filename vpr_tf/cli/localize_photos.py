"""What `vpr localize --index` does."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from vpr_tf.cli.output import print_left_out
from vpr_tf.localization import Localization, LocalizationError, LocalizationResult
from vpr_tf.photos import scan_named_photos
from vpr_tf.place_index import PlaceIndex
from vpr_tf.place_index.localizing import (
    LocalizationOptions,
    LocalizationSettings,
    localize_descriptors,
)


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
        print_left_out(files)
        if not len(files) and not files.rejected:
            raise LocalizationError(f"No photos in {', '.join(photos)}.")
        found: list[Localization] = []
        if len(files):
            progress = sys.stderr.isatty() and len(files) > 1
            # TensorFlow is loaded when photos and index turned out to be usable.
            encoder = index.extractor(model)
            described = encoder.extract_files(files, progress=progress)
            files = described.photos
            found = localize_descriptors(
                index.state(),
                described.in_memory(),
                [path.decode() for path in files.paths],
                options,
                heading_deg=files.photos.heading_deg,
                cells=index.cell_filter(options.cells, files),
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


def expanded(photos: Sequence[str]) -> Iterator[str]:
    """Yields files and folders, those of patterns that the shell left as they are."""
    for photo in photos:
        if Path(photo).exists() or not glob.has_magic(photo):
            yield photo
        else:
            found = glob.glob(photo, recursive=True)  # noqa: PTH207 - of any folder
            yield from sorted(found) or [photo]
