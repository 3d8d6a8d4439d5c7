"""Photos of requests compared with their candidates."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Sequence

import numpy as np

from vpr_tf.extraction import FeatureExtractor
from vpr_tf.localization import InlierCounter, NotMatchedError
from vpr_tf.place_index import IndexManifest, IndexState, PlaceIndex, Reranking
from vpr_tf.place_index.localizing import LocalizationOptions, LocalizationSettings
from vpr_tf.place_index.reranking import lacking
from vpr_tf.serving.settings import ServiceSettings

_WARM_UP = np.zeros((64, 64, 3), np.uint8)


def open_reranking(
    index: PlaceIndex,
    state: IndexState,
    settings: ServiceSettings,
    rerankings: dict[Hashable, Reranking],
) -> Reranking | None:
    """Returns what compares photos with candidates, warmed up; None if nothing does.

    Args:
        index: The index.
        state: Of the index.
        settings: Where photos are, and what is said instead of the index.
        rerankings: Those of former states, which keep key points; another is added.

    Raises:
        ImportError: The extra `rerank` is not installed.
        ValueError: The matcher cannot be used, or the calibration is of another.
    """
    manifest = state.manifest
    config = settings.rerank.over(manifest.localization_settings[0].rerank)
    if config.when == "never":
        return None
    if _lacking(manifest, settings):
        return None
    key = (config, manifest.encoder_fingerprint)
    if key not in rerankings:
        found = Reranking(settings.photos, config)
        found.open(config, index.extractor).features(_WARM_UP)
        rerankings[key] = found
    counter = counter_of(rerankings[key], state, [], [], index.extractor)
    if counter is not None:  # one of another calibration is refused now
        options = with_reranking(LocalizationOptions(), rerankings[key])
        LocalizationSettings.from_manifest(manifest, options).second_look(counter)
    return rerankings[key]


def not_compared(manifest: IndexManifest, settings: ServiceSettings) -> list[str]:
    """Returns what to know of photos that are not compared though the index says so.

    Args:
        manifest: Of the index.
        settings: Where photos are, and what is said instead of the index.
    """
    lacks = _lacking(manifest, settings)
    if not lacks:
        return []
    what = (
        "the photos of the index, or key points in it" if lacks == "photos" else lacks
    )
    return [f"No photo was compared with its candidates: the service lacks {what}."]


def _lacking(manifest: IndexManifest, settings: ServiceSettings) -> str:
    kept, photos = manifest.local_features, settings.photos
    if photos is None and kept is None and settings.rerank.when not in (None, "never"):
        return "photos"  # of an index that kept key points when the service started
    stored = manifest.localization_settings[0].rerank
    return lacking(settings.rerank, stored, kept, photos)


def with_reranking(
    options: LocalizationOptions, reranking: Reranking | None
) -> LocalizationOptions:
    """Returns options that say which photos are compared."""
    config = None if reranking is None else reranking.config
    return dataclasses.replace(options, rerank=config)


def counter_of(
    reranking: Reranking | None,
    state: IndexState,
    images: Sequence[np.ndarray | None],
    photo_sizes: Sequence[tuple[int, int]],
    extractor: Callable[[], FeatureExtractor],
) -> InlierCounter | None:
    """Returns what compares photos with their candidates; None if nothing does.

    Args:
        reranking: How.
        state: Of the index.
        images: Of the photos; None of one that was decoded before there was re-ranking.
        photo_sizes: Height and width of the photos as they were sent.
        extractor: Returns the encoder, for the matcher `dense`.
    """
    if reranking is None or reranking.config is None:
        return None

    def image(number: int) -> np.ndarray:
        found = images[number]
        if found is None:
            raise NotMatchedError("it was decoded before the index was re-ranked")
        return found

    return reranking.counter(state, extractor, image, photo_sizes)
