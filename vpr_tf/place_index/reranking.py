"""Candidates of an index compared with queries: by key points kept, or by photos."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vpr_tf.config import RerankConfig, RerankOverride
from vpr_tf.data.pillow_decoding import decode_image
from vpr_tf.localization import LocalizationError
from vpr_tf.matching import LocalFeatures, PhotoMatching
from vpr_tf.photos import image_header_of
from vpr_tf.place_index.index_state import IndexState
from vpr_tf.place_index.manifest_parts import KeptLocalFeatures
from vpr_tf.place_index.packed_features import StoredFeaturesError
from vpr_tf.stored_paths import followed_inside

if TYPE_CHECKING:
    from vpr_tf.extraction import FeatureExtractor
    from vpr_tf.localization import InlierCounter


def lacking(
    override: RerankOverride,
    stored: RerankConfig,
    kept: KeptLocalFeatures | None,
    photos_root: str | Path | None,
) -> str:
    """Returns what is missing to compare photos as an index says; empty if nothing is.

    They are localized without, which is to be said. Where a command asks for it by
    name, what is missing is an error, see `Reranking`.

    Args:
        override: What the command says.
        stored: What the index says.
        kept: The key points that it keeps; None without.
        photos_root: Folder of its photos; None where it is not given.

    Returns:
        `photos`, `weights` or nothing.

    Raises:
        ConfigError: Command and index do not go together.
    """
    config = override.over(stored)
    if config.when == "never" or override.when or photos_root is not None:
        return ""
    if kept is None:
        return "photos"
    if override.matcher:
        return ""
    if config.matcher == "xfeat" and config.weights is None:
        return "weights"
    found, wanted = ((one.matcher, one.image_size) for one in (kept, config))
    return "" if found == wanted else "photos"


class Reranking:
    """How candidates of an index are compared with queries.

    An index keeps no photos. It may keep their key points, see
    `extract_local_features`; of what it does not keep they are found in a folder of the
    photos when these are candidates, and kept in memory. Safe for several threads.

    Args:
        photos_root: Folder of photos that the keys of the index are paths in; None
            where there is none.
        config: Which queries, and what compares; None for what the index says.

    Raises:
        LocalizationError: There is no such folder.

    Example:
        >>> import vpr_tf as vpr
        >>> from vpr_tf.config import RerankConfig
        >>> from vpr_tf.place_index import Reranking
        >>> look = Reranking("street_photos", RerankConfig("always", matcher="sift"))
        ... # doctest: +SKIP
        >>> index.localize(["night.jpg"], rerank=look)  # doctest: +SKIP
    """

    def __init__(
        self, photos_root: str | Path | None, config: RerankConfig | None = None
    ) -> None:
        self.photos_root = None if photos_root is None else Path(photos_root)
        self.config = config
        if self.photos_root is not None and not self.photos_root.is_dir():
            raise LocalizationError(
                f"Re-ranking needs the photos of the index: no folder at {photos_root}."
            )
        self._matching: tuple[RerankConfig, PhotoMatching] | None = None
        self._lock = threading.Lock()

    def open(
        self, stored: RerankConfig, extractor: Callable[[], FeatureExtractor]
    ) -> PhotoMatching:
        """Returns what compares photos, made once.

        Args:
            stored: What the index says.
            extractor: Returns the encoder, for the matcher `dense`.

        Raises:
            ImportError: The extra `rerank` is not installed.
            ValueError: The matcher has no weights, or cannot use the encoder.
        """
        from vpr_tf.matching.opening import open_matching

        config = self.config or stored
        with self._lock:
            if self._matching is None or self._matching[0] != config:
                self._matching = config, open_matching(config, extractor)
            return self._matching[1]

    def counter(
        self,
        state: IndexState,
        extractor: Callable[[], FeatureExtractor],
        query: Callable[[int], np.ndarray],
        photo_sizes: Sequence[tuple[int, int]] | None = None,
    ) -> InlierCounter | None:
        """Returns what compares queries with photos of an index; None if nothing is.

        Args:
            state: Of the index, which is searched.
            extractor: See `open`.
            query: Returns the image of a query by its number.
            photo_sizes: Height and width of the photos that these images were made of;
                None where they are the photos.

        Raises:
            ImportError: See `open`.
            ValueError: Same.
            LocalizationError: There is no folder of photos, and the index keeps no key
                points or those of another matcher.
        """
        stored = state.manifest.localization_settings[0].rerank
        if (self.config or stored).when == "never":
            return None
        from vpr_tf.matching.photo_inliers import PhotoInliers

        matching = self.open(stored, extractor)
        kept = state.manifest.local_features
        is_kept = kept is not None and kept.identity == matching.identity
        if not is_kept and self.photos_root is None:
            raise LocalizationError(
                f"Re-ranking by {matching.identity} needs the photos of the index, or "
                f"their key points in it. Received: no folder of photos, and "
                f"{'no key points' if kept is None else f'those by {kept.identity}'}. "
                "Name the folder, use that matcher, or build the index again with "
                "--keep-local-features."
            )
        features = state.local_rows

        def of_query(number: int) -> LocalFeatures:
            size = None if photo_sizes is None else photo_sizes[number]
            return matching.features(query(number), size)

        def of_photo(row: int, key: bytes) -> LocalFeatures:
            try:
                packed = features.packed(row) if is_kept else None
                if packed is not None:
                    return packed.unpacked()
            except StoredFeaturesError:
                if self.photos_root is None:
                    raise
            return self._of_photo(matching, key)

        return PhotoInliers(matching, of_query, of_photo)

    def _of_photo(self, matching: PhotoMatching, key: bytes) -> LocalFeatures:
        """Returns the key points of a photo of the folder.

        Raises:
            OSError: It cannot be read.
            ValueError: It is no photo, not in the folder, or not there.
        """
        if self.photos_root is None:
            raise ValueError("the index keeps no key points of it")
        path = followed_inside(self.photos_root, key.decode())
        try:
            status = path.stat()
        except FileNotFoundError as error:
            raise ValueError(
                "it is not in the folder of photos, which must be the one that the "
                "index was built of"
            ) from error

        def load() -> np.ndarray:
            content = path.read_bytes()
            header = image_header_of(content)
            return decode_image(content, header.exif_orientation)

        kept_as = str(path), status.st_mtime_ns, status.st_size
        return matching.kept_features(kept_as, load)
