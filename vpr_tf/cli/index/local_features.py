"""Key points that an index keeps of its photos: what `build` and `add` do."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vpr_tf.cli.index.build_sources import SplitSource
from vpr_tf.cli.main import UsageError
from vpr_tf.cli.rerank_options import add_matcher, override_of
from vpr_tf.config import RerankConfig
from vpr_tf.photos import PhotoFiles
from vpr_tf.place_index import IndexManifest, PhotoFeatures
from vpr_tf.search import RetrievalError

if TYPE_CHECKING:
    from vpr_tf.extraction import FeatureExtractor
    from vpr_tf.matching import PhotoMatching


def add_keep_local_features(parser: argparse.ArgumentParser) -> None:
    """Adds `--keep-local-features`, and the matcher that finds them."""
    add_matcher(parser).add_argument(
        "--keep-local-features",
        action="store_true",
        help="keep the key points of the photos, so that re-ranking needs no photos: "
        "about 70 kB a photo",
    )


def matching_to_build(
    options: argparse.Namespace,
    config: RerankConfig,
    extractor: Callable[[], FeatureExtractor],
) -> PhotoMatching | None:
    """Returns what finds the key points of a new index; None if it keeps none.

    Args:
        options: Of `add_keep_local_features`.
        config: Matcher, weights and size of images, if the options do not say them.
        extractor: Returns the encoder, for the matcher `dense`.

    Raises:
        UsageError: A matcher is named for nothing.
        ImportError: The extra `rerank` is not installed.
        ValueError: The matcher has no weights, or cannot use the encoder.
    """
    if options.keep_local_features:
        return _opened(override_of(options).over(config), extractor)
    for name in ("matcher", "matcher_weights"):
        if getattr(options, name) is not None:
            raise UsageError(
                f"--{name.replace('_', '-')} finds the key points that an index keeps. "
                "Pass --keep-local-features as well."
            )
    return None


def add_weights_to_add(parser: argparse.ArgumentParser) -> None:
    """Adds `--matcher-weights` of an index that keeps key points, or does without."""
    from vpr_tf.cli.options import existing_file

    group = parser.add_argument_group("key points, if the index keeps them")
    group.add_argument(
        "--matcher-weights",
        type=existing_file,
        metavar="FILE",
        help="of xfeat, if the index keeps key points by it",
    )
    group.add_argument(
        "--without-local-features",
        action="store_true",
        help="keep none of these photos: re-ranking looks for them in a folder",
    )


def matching_to_add(
    options: argparse.Namespace,
    manifest: IndexManifest,
    extractor: Callable[[], FeatureExtractor],
) -> PhotoMatching | None:
    """Returns what finds the key points of photos that are added; None if none are.

    Args:
        options: Of `add_weights_to_add`.
        manifest: Of the index.
        extractor: Returns its encoder.

    Raises:
        UsageError: Weights are named, and nothing is found by them.
        RetrievalError: The weights are not those of the index.
        ImportError: The extra `rerank` is not installed.
        ValueError: The matcher has no weights.
    """
    kept = manifest.local_features
    if kept is None or options.without_local_features:
        if options.matcher_weights is not None:
            raise UsageError(
                "--matcher-weights finds key points, and none are kept of these "
                "photos. Leave it out."
            )
        return None
    weights = options.matcher_weights
    if kept.matcher == "xfeat" and weights is None:
        raise UsageError(
            f"The index keeps key points by {kept.identity}: pass --matcher-weights "
            "FILE, or --without-local-features to keep none of these photos."
        )
    config = RerankConfig(
        matcher=kept.matcher,
        weights=None if weights is None else str(weights),
        image_size=kept.image_size,
    )
    matching = _opened(config, extractor)
    if matching.identity != kept.identity:
        raise RetrievalError(
            f"The index keeps key points by {kept.identity}. Received: "
            f"{matching.identity}. Use the same weights, or build the index again."
        )
    return matching


def _opened(
    config: RerankConfig, extractor: Callable[[], FeatureExtractor]
) -> PhotoMatching:
    from vpr_tf.matching.opening import open_matching

    return open_matching(config, extractor)


def find_local_features(
    matching: PhotoMatching | None, source: PhotoFiles | SplitSource, folder: Path
) -> PhotoFeatures | None:
    """Finds the key points of photos, or what an interrupted run left to do.

    Args:
        matching: Finds them; None for none.
        source: The photos that were described.
        folder: Where they are kept until they are in the index.
    """
    if matching is None:
        return None
    from vpr_tf.place_index import extract_local_features

    images, count, what = _images_of(source)
    return extract_local_features(matching, images, count, folder, what)


def _images_of(
    source: PhotoFiles | SplitSource,
) -> tuple[Callable[[int], np.ndarray], int, dict[str, Any]]:
    """Returns what loads the photos, how many there are, and what they are."""
    if isinstance(source, SplitSource):
        from vpr_tf.evaluation.record_images import read_image

        dataset, names = source.dataset, source.split_names
        splits = [dataset.split(name) for name in names]
        places = [(split, row) for split in splits for row in range(len(split))]
        prints = {name: dataset.split_fingerprint(name) for name in names}
        return lambda number: read_image(*places[number]), len(places), prints
    from vpr_tf.extraction.photo_sources import PhotoImages

    return PhotoImages(source).pixels, len(source), {"photos": source.identity()}
