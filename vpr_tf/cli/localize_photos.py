"""What `vpr localize --index` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vpr_tf.cli.named_photos import describe, named_photos
from vpr_tf.localization import Localization, LocalizationResult
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
    *,
    key: str | Path | None = None,
) -> LocalizationResult:
    """Locates photos by an index.

    Args:
        index_folder: The index.
        photos: Files, folders and patterns such as `trip/*.jpg`.
        model: Where the encoder is; None for the copy in the index.
        options: How photos are located.
        key: Public key of whoever must have signed the index; None to not ask.

    Raises:
        PhotoSourceError: There are no photos.
        LocalizationError: The calibration is damaged.
        IndexMismatchError: The index is damaged or of another encoder.
    """
    options = options or LocalizationOptions()
    with PlaceIndex.open(index_folder, key=key) as index:
        manifest = index.manifest
        settings = LocalizationSettings.from_manifest(manifest, options)
        files = named_photos(photos)
        found: list[Localization] = []
        if len(files):
            # TensorFlow is loaded when photos and index turned out to be usable.
            described = describe(files, index.extractor(model, of_queries=True))
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
