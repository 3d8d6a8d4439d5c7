"""The search for described photos of a request, and what to know of what it found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpr_tf.geo import GeoCircle
from vpr_tf.localization import Localization, PhotoSequence
from vpr_tf.place_index.localizing import (
    NO_MATCH_OF_HEADING,
    NO_PHOTO_WITHIN,
    LocalizationSettings,
    localize_descriptors,
)
from vpr_tf.search import CellFilter
from vpr_tf.serving.options import SharedOptions
from vpr_tf.serving.reranking import counter_of, with_reranking
from vpr_tf.serving.served_index import IndexSnapshot


@dataclass(frozen=True, eq=False)
class DescribedPhoto:
    """A photo that can be searched for.

    Attributes:
        number: Which of the request it is.
        name: Its name.
        size: Height and width in pixels.
        circle: Where it is searched; None for everywhere.
        descriptors: By each encoder of the index.
        decoded_at: When it was decoded, see `time.perf_counter`.
        taken: When it was taken, as its EXIF data say, if that was wanted; else empty.
        matched: What is compared with candidates; None if nothing is.
    """

    number: int
    name: str
    size: tuple[int, int]
    circle: GeoCircle | None
    descriptors: list[np.ndarray]
    decoded_at: float
    taken: str = ""
    matched: np.ndarray | None = None


def search(
    snapshot: IndexSnapshot,
    photos: list[DescribedPhoto],
    options: SharedOptions,
    sequence: PhotoSequence | None,
) -> list[Localization]:
    """Localizes photos, those of the same circle together.

    Args:
        snapshot: The index.
        photos: What is searched for.
        options: How.
        sequence: When one camera took the photos, all of one circle; None for photos
            that have nothing to do with each other.
    """
    reranking = None if sequence else snapshot.reranking
    found: dict[int, Localization] = {}
    for circle in dict.fromkeys(photo.circle for photo in photos):
        places = [n for n, photo in enumerate(photos) if photo.circle == circle]
        together = [photos[place] for place in places]
        descriptors = np.stack([photo.descriptors[0] for photo in together])
        localizations = localize_descriptors(
            snapshot.state,
            descriptors,
            [photo.name for photo in together],
            with_reranking(options.of_photo(circle), reranking),
            cells=_cells(snapshot, together),
            counter=counter_of(
                reranking,
                snapshot.state,
                [photo.matched for photo in together],
                [photo.size for photo in together],
                lambda: snapshot.describers[0].extractor,
            ),
            sequence=sequence,
        )
        found |= zip(places, localizations, strict=True)
    return [found[place] for place in range(len(photos))]


def _cells(snapshot: IndexSnapshot, photos: list[DescribedPhoto]) -> CellFilter | None:
    """Returns what restricts the search to the best cells of the classifier."""
    classifier = snapshot.classifier
    if classifier is None:
        return None
    descriptors = None
    if len(snapshot.describers) > 1:
        descriptors = np.stack([photo.descriptors[1] for photo in photos])
    return CellFilter(classifier.ranking, classifier.kept.num_cells, descriptors)


def outside_warnings(localizations: list[Localization]) -> list[str]:
    """Returns what options left nothing to find, and what to do."""
    remedies = {
        NO_PHOTO_WITHIN: "make it larger, or correct its centre.",
        NO_MATCH_OF_HEADING: "correct heading_deg, or leave it out.",
    }
    return [
        f"{one.photo}: {one.reason}; {remedies[one.reason]}"
        for one in localizations
        if one.reason in remedies
    ]


def photo_warnings(
    snapshot: IndexSnapshot,
    settings: LocalizationSettings,
    photos: list[DescribedPhoto],
    options: SharedOptions,
) -> list[str]:
    """Returns what to know of photos and options.

    Args:
        snapshot: The index.
        settings: How the photos were localized.
        photos: These.
        options: What was asked for.
    """
    found = []
    preprocessing = snapshot.preprocessings[0]
    if preprocessing.resize != "native":
        wanted = preprocessing.image_size
        found += [
            f"{one.name} has {one.size[1]} x {one.size[0]} pixels, fewer than the "
            f"{wanted} a side that the encoder looks at: it is harder to recognise."
            for one in photos
            if min(one.size) < wanted
        ]
    if options.min_confidence is not None and settings.calibration is None:
        found.append(
            "min_confidence changes nothing: there is no confidence, see the notes."
        )
    return found
