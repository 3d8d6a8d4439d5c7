"""What `vpr localize --index` does."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from vpr_tf.cli.named_photos import describe, expanded, named_photos
from vpr_tf.cli.sequences import SequenceOptions, track_notes
from vpr_tf.extraction.photo_sources import PhotoImages
from vpr_tf.localization import (
    InlierCounter,
    Localization,
    LocalizationResult,
    Track,
)
from vpr_tf.place_index import IndexManifest, PlaceIndex, Reranking
from vpr_tf.place_index.localizing import (
    LocalizationOptions,
    LocalizationSettings,
    localize_descriptors,
)

HowToRerank = Callable[[IndexManifest], tuple[Reranking | None, list[str]]]


def locate_photos(
    index_folder: str | Path,
    photos: Sequence[str],
    model: str | Path | None = None,
    options: LocalizationOptions | None = None,
    *,
    key: str | Path | None = None,
    rerank: HowToRerank | None = None,
    sequence: SequenceOptions | None = None,
) -> LocalizationResult:
    """Locates photos by an index.

    Args:
        index_folder: The index.
        photos: Files, folders and patterns such as `trip/*.jpg`.
        model: Where the encoder is; None for the copy in the index.
        options: How photos are located.
        key: Public key of whoever must have signed the index; None to not ask.
        rerank: Returns how photos of an index are compared with their candidates, and
            what is to be said of it; None re-ranks none.
        sequence: How photos of one camera localize each other; None where each is
            localized by itself.

    Raises:
        PhotoSourceError: There are no photos.
        LocalizationError: The calibration is damaged, or no photo of a sequence says
            when it was taken.
        IndexMismatchError: The index is damaged or of another encoder.
    """
    options = options or LocalizationOptions()
    looks: Reranking | None = None
    notes: list[str] = []
    with PlaceIndex.open(index_folder, key=key) as index:
        manifest = index.manifest
        if rerank is not None:
            looks, notes = rerank(manifest)
            config = looks.config if looks else None
            options = dataclasses.replace(options, rerank=config)
        settings = LocalizationSettings.from_manifest(manifest, options)
        files, named = named_photos(photos), expanded(photos)
        of_camera = sequence.of_photos(named, files) if sequence else None
        if sequence:
            sequence.warn_of_names([path.decode() for path in files.paths])
        found: list[Localization] = []
        counter: InlierCounter | None = None
        if len(files):
            # TensorFlow is loaded when photos and index turned out to be usable.
            described = describe(files, index.extractor(model, of_queries=True))
            files, state = described.photos, index.state()
            if looks is not None:
                pixels = PhotoImages(files).pixels
                counter = looks.counter(state, index.extractor, pixels)
            of_camera = sequence.of_photos(named, files) if sequence else None
            found = localize_descriptors(
                state,
                described.in_memory(),
                [path.decode() for path in files.paths],
                options,
                heading_deg=files.photos.heading_deg,
                cells=index.cell_filter(options.cells, files),
                counter=counter,
                sequence=of_camera,
            )
    track = None
    if sequence and of_camera:
        track = Track.of(found, of_camera, sequence.utc_offset)
    return LocalizationResult(
        source={
            "index": str(index_folder),
            "encoder": manifest.encoder_description,
            "num_photos": manifest.num_photos,
        },
        calibration=settings.calibration,
        notes=[
            settings.note,
            *notes,
            *_of_reranked(found, counter),
            *track_notes(track, found, of_camera),
        ],
        localizations=found,
        unreadable=[(one.printable_path, one.reason) for one in files.rejected],
        track=track,
    )


def _of_reranked(
    found: Sequence[Localization], counter: InlierCounter | None
) -> Iterator[str]:
    """Yields what to know of the photos that were compared, and of those not."""
    if counter is None:
        return
    num_reranked = sum(one.reranked for one in found)
    yield (
        f"Re-ranked by {counter.matched_by}: {num_reranked:,} of {len(found):,} photos."
    )
    for one in found:
        if one.warning:
            yield f"{one.photo}: {one.warning}."
