"""Candidates of an index compared with queries, by the photos that it was built of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vpr_tf.config import RerankConfig
from vpr_tf.data.pillow_decoding import decode_image
from vpr_tf.localization import LocalizationError
from vpr_tf.matching import PhotoMatching
from vpr_tf.photos import image_header_of
from vpr_tf.stored_paths import inside

if TYPE_CHECKING:
    from vpr_tf.extraction import FeatureExtractor
    from vpr_tf.localization import InlierCounter


class Reranking:
    """How candidates of an index are compared with queries.

    An index keeps no photos: they are read from a folder. Key points of photos are
    computed when they are candidates and kept in memory; safe for several threads.

    Args:
        photos_root: Folder of photos that the keys of the index are paths in.
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
        self, photos_root: str | Path, config: RerankConfig | None = None
    ) -> None:
        self.photos_root, self.config = Path(photos_root), config
        if not self.photos_root.is_dir():
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
        stored: RerankConfig,
        extractor: Callable[[], FeatureExtractor],
        query: Callable[[int], np.ndarray],
    ) -> InlierCounter | None:
        """Returns what compares queries with photos of the folder; None if nothing is.

        Args:
            stored: See `open`.
            extractor: Same.
            query: Returns the image of a query by its number.

        Raises:
            ImportError: See `open`.
            ValueError: Same.
        """
        if (self.config or stored).when == "never":
            return None
        from vpr_tf.matching.photo_inliers import PhotoInliers

        return PhotoInliers(self.open(stored, extractor), query, self._photo)

    def _photo(self, key: bytes) -> tuple[Hashable, Callable[[], np.ndarray]]:
        path = inside(self.photos_root, key.decode())
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

        return (str(path), status.st_mtime_ns, status.st_size), load
