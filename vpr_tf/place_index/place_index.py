"""A movable folder that finds the photos that look like a query."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy.typing as npt

from vpr_tf.geo import GeoCircle
from vpr_tf.localization import MotionModel
from vpr_tf.photos import PhotoTable
from vpr_tf.place_index import changes
from vpr_tf.place_index.creation import KeptParts, create_folder, kept_encoder
from vpr_tf.place_index.kept_features import PhotoFeatures
from vpr_tf.place_index.localizing import LocalizationOptions
from vpr_tf.place_index.manifest import (
    STORED,
    EncoderIdentity,
    IndexManifest,
    KeptClassifier,
)
from vpr_tf.place_index.photo_arguments import (
    PhotoColumns,
    as_descriptors,
    next_number,
    parse_time,
    photo_table,
)
from vpr_tf.place_index.recall import RECALL_QUERIES
from vpr_tf.place_index.sequences import localize_sequence
from vpr_tf.place_index.signing import sign
from vpr_tf.place_index.tunable_index import TunableIndex
from vpr_tf.search import Descriptors, RetrievalError

if TYPE_CHECKING:
    from vpr_tf.extraction import FeatureExtractor
    from vpr_tf.localization import Localization
    from vpr_tf.place_index.signature import Signature
    from vpr_tf.stored_files import Progress


class PlaceIndex(TunableIndex):
    """An index folder: photos with positions, their descriptors, a search structure.

    Made by `PlaceIndex.create`, opened by `PlaceIndex.open`. Searching is safe for
    several threads and processes: each search is of one state of the index, the newest,
    so that what another process adds or removes is found, or not, by the next search.
    Each change is made in whole or not at all, whatever is killed.

    Args:
        folder: The index; `PlaceIndex.open` looks whether it is one.
        key: Public key of whoever must have signed it, see `open`.

    Example:
        >>> import numpy as np
        >>> from vpr_tf.place_index import PlaceIndex
        >>> with PlaceIndex.create(
        ...     "city.index",
        ...     descriptors=np.eye(3),
        ...     latitude=[37.7, 37.8, 37.9],
        ...     longitude=[-122.5, -122.5, -122.5],
        ...     keys=["a.jpg", "b.jpg", "c.jpg"],
        ... ) as index:
        ...     index.search([0.1, 0.9, 0.2], k=2).keys
        [['b.jpg', 'c.jpg']]
    """

    @classmethod
    def create(
        cls,
        folder: str | Path,
        descriptors: Descriptors | npt.ArrayLike,
        *,
        encoder: FeatureExtractor | EncoderIdentity | None = None,
        classifier: KeptClassifier | None = None,
        classifier_source: str | Path | None = None,
        kind: str = "auto",
        settings: dict[str, Any] | None = None,
        dtype: str = "float32",
        recall_queries: int = RECALL_QUERIES,
        attribution: str | None = None,
        licence: str | None = None,
        local_features: PhotoFeatures | None = None,
        photos: PhotoTable | None = None,
        **columns: Unpack[PhotoColumns],
    ) -> PlaceIndex:
        """Makes an index folder, which appears under its name when it is complete.

        The memory used does not grow with the descriptors, besides what the search
        structure needs; they are copied block by block. Zero vectors are allowed.

        Args:
            folder: Must not exist.
            descriptors: `(num_photos, descriptor_dim)`, finite; e.g. memory-mapped.
            encoder: What the descriptors were computed with, which is kept in the index
                if it is a `GeoLocalizationNet` or a SavedModel; None where it is not
                known.
            classifier: Heads whose best cells are searched.
            classifier_source: Folder of all that belongs to the classifier.
            kind: `exact`, `scann`, `milvus`, or `auto` for what suits the size.
            settings: Of the search structure, see `SearchIndex.build`.
            dtype: Of the stored descriptors: float32, or float16 for half the space.
            recall_queries: Photos on which recall is measured; 0 to not measure.
            attribution: Whom the photos are from, which answers of a service say.
            licence: Under which they may be used; likewise.
            local_features: Key points of the photos, see `extract_local_features`,
                which re-ranking then needs no photos for; None to keep none.
            photos: What is known of the photos, as one table; or
            **columns: One value a photo of each: `latitude` and `longitude`, or
                `utm_east`, `utm_north` and `utm_zone`; `keys`, `heading_deg` and
                `timestamps`. See `PhotoColumns`; any may be left out.

        Raises:
            TypeError: A column is unknown, or given besides `photos`.
            ValueError: Something of this cannot be.
            RetrievalError: The folder exists, is being made, or cannot be written.

        Example:
            >>> from vpr_tf.place_index import PlaceIndex
            >>> index = PlaceIndex.create(
            ...     "two_photos.index",
            ...     descriptors=[[1.0, 0.0], [0.0, 1.0]],
            ...     utm_east=[547000.0, 547100.0],
            ...     utm_north=[4173000.0, 4173000.0],
            ...     utm_zone=10,
            ... )
            >>> index.search([0.6, 0.8], k=1).keys
            [['00000001']]
        """
        matrix = as_descriptors(descriptors)
        identity, keep = kept_encoder(encoder)
        create_folder(
            Path(folder),
            matrix,
            photo_table(len(matrix), photos, **columns),
            KeptParts(
                identity,
                keep,
                classifier,
                classifier_source,
                attribution=attribution,
                licence=licence,
                local=local_features,
            ),
            kind=kind,
            settings=settings,
            dtype=dtype,
            recall_queries=recall_queries,
        )
        return cls.open(folder)

    def add(
        self,
        descriptors: Descriptors | npt.ArrayLike,
        *,
        replace_existing: bool = False,
        recall_queries: int = RECALL_QUERIES,
        local_features: PhotoFeatures | None = None,
        photos: PhotoTable | None = None,
        **columns: Unpack[PhotoColumns],
    ) -> IndexManifest:
        """Adds photos, which the next search finds, exactly until `compact`.

        Args:
            descriptors: `(num_photos, descriptor_dim)`, finite, of the index's encoder.
            replace_existing: Whether photos whose keys the index has take their place.
            recall_queries: Photos on which recall is measured; 0 to not measure.
            local_features: Key points of the photos, by the same matcher as those of
                the index; None to keep none of these.
            photos: See `create`.
            **columns: See `create`.

        Returns:
            The new state.

        Raises:
            ValueError: Descriptors or photos cannot be, or a key is there already. The
                index is as it was.
            RetrievalError: The folder is damaged or cannot be written.

        Example:
            >>> from vpr_tf.place_index import PlaceIndex
            >>> state = PlaceIndex.open("city.index").add(
            ...     descriptors=[[0.0, 0.6, 0.8]],
            ...     latitude=[37.85],
            ...     longitude=[-122.5],
            ...     keys=["d.jpg"],
            ...     timestamps=["2019-06-30"],
            ... )
            >>> state.num_photos
            4
        """
        matrix = as_descriptors(descriptors)
        numbered = photos is None and columns.get("keys") is None
        first = next_number(self.photos.keys) if numbered else 0
        table = photo_table(len(matrix), photos, first_number=first, **columns)
        return changes.add_photos(
            self.folder,
            matrix,
            table,
            replace_existing,
            recall_queries,
            local_features,
        )

    def remove(
        self,
        keys: Iterable[str | bytes] | None = None,
        *,
        older_than: Any = None,
        within: GeoCircle | None = None,
        recall_queries: int = RECALL_QUERIES,
    ) -> IndexManifest:
        """Removes photos, which the next search does not find.

        `compact` frees their space.

        Args:
            keys: Of the photos; all must be there, or nothing is removed.
            older_than: Instead of keys, see `select`.
            within: Likewise.
            recall_queries: See `add`.

        Returns:
            The new state.

        Raises:
            RetrievalError: Neither keys nor conditions, or both; a key is unknown; the
                folder is damaged or cannot be written.

        Example:
            >>> from vpr_tf.place_index import PlaceIndex
            >>> PlaceIndex.open("city.index").remove(older_than="2020").num_photos
            3
        """
        if (keys is None) == (older_than is None and within is None):
            raise RetrievalError(
                "Pass what to remove: either `keys`, or `older_than` or `within` or "
                f"both. Received: keys={keys}, older_than={older_than}, within={within}"
            )
        time = None if older_than is None else parse_time(older_than)
        return changes.remove_photos(self.folder, keys, time, within, recall_queries)

    def compact(self, *, recall_queries: int = RECALL_QUERIES) -> IndexManifest:
        """Makes one segment of all photos, and builds its search structure.

        Does nothing if no photos were added or removed since.

        Args:
            recall_queries: See `add`.

        Returns:
            The new state.

        Raises:
            RetrievalError: The folder is damaged or cannot be written.

        Example:
            >>> from vpr_tf.place_index import PlaceIndex
            >>> PlaceIndex.open("city.index").compact().num_removed
            0
        """
        return changes.rebuild(self.folder, recall_queries)

    def localize_sequence(
        self,
        photos: Sequence[Any],
        times: Sequence[float | None] | None = None,
        *,
        seconds_between: float | None = None,
        max_speed_kmh: float = MotionModel.max_speed_kmh,
        min_confidence: float | None = None,
        num_predictions: int | None = None,
        within: GeoCircle | None = None,
        cells: int | str | None = STORED,
    ) -> list[Localization]:
        """Localizes photos of one camera, each by its matches and by the others.

        The camera may start anywhere, stand still, leave the map and return.

        Args:
            photos: See `localize`.
            times: Seconds of any clock, None where unknown; None for what names or EXIF
                data of files say. Photos are put in the order of their times.
            seconds_between: Instead, the seconds from each photo to the next.
            max_speed_kmh: The camera hardly moves faster.
            min_confidence: See `localize`.
            num_predictions: Same.
            within: Same.
            cells: Same.

        Returns:
            One for each photo, as they were given.

        Raises:
            InvalidEntryError: A photo cannot be read.
            IndexMismatchError: The index is damaged, or keeps no encoder.
            LocalizationError: Times or an option cannot be, or no time is known.

        Example:
            >>> from vpr_tf.place_index import PlaceIndex
            >>> index = PlaceIndex.open("city.index")  # doctest: +SKIP
            >>> drive = index.localize_sequence(  # doctest: +SKIP
            ...     ["1.jpg", "2.jpg", "3.jpg"], seconds_between=2
            ... )
            >>> [one.status for one in drive]  # doctest: +SKIP
            ['localized', 'localized', 'outside']
        """
        options = LocalizationOptions(
            num_predictions, within, None, min_confidence, cells
        )
        motion = MotionModel(max_speed_kmh)
        return localize_sequence(self, photos, times, seconds_between, motion, options)

    def sign(
        self,
        key: str | Path,
        *,
        passphrase: str | None = None,
        progress: Progress | None = None,
    ) -> Signature:
        """Signs the index as it is now, so that others see whom it is from.

        The signature lies in the folder, and counts until the next change.

        Args:
            key: Private Ed25519 key, a PEM file.
            passphrase: Of the key, if it is locked.
            progress: Called with the bytes of each part that was read.

        Returns:
            The signature; `PlaceIndex.open(folder, key=public_key)` checks it.

        Raises:
            ImportError: The extra `sign` is not installed.
            SigningKeyError: The file is not such a key.
            RetrievalError: The folder is damaged, holds what does not belong to the
                index, or cannot be written.

        Example:
            >>> from vpr_tf.place_index import PlaceIndex
            >>> index = PlaceIndex.open("city.index")
            >>> index.sign("private.pem").generation  # doctest: +SKIP
            5
        """
        return sign(self.folder, key, passphrase, progress)
