"""A movable folder that finds the photos that look like a query."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy.typing as npt

from vpr_tf.config import EvaluationConfig, LocalizationConfig
from vpr_tf.geo import GeoCircle
from vpr_tf.photos import PhotoTable
from vpr_tf.place_index import changes
from vpr_tf.place_index.creation import KeptParts, create_folder, kept_encoder
from vpr_tf.place_index.index_reader import IndexReader
from vpr_tf.place_index.localizing import calibrate
from vpr_tf.place_index.manifest import EncoderIdentity, IndexManifest, KeptClassifier
from vpr_tf.place_index.photo_arguments import (
    PhotoColumns,
    as_descriptors,
    next_number,
    parse_time,
    photo_table,
)
from vpr_tf.place_index.recall import RECALL_QUERIES
from vpr_tf.search import CellFilter, Descriptors, RetrievalError

if TYPE_CHECKING:
    from vpr_tf.extraction import FeatureExtractor
    from vpr_tf.localization import Calibration
    from vpr_tf.place_index.tuning import TuningReport


class PlaceIndex(IndexReader):
    """An index folder: photos with positions, their descriptors, a search structure.

    Made by `PlaceIndex.create`, opened by `PlaceIndex.open`. Searching is safe for
    several threads and processes: each search is of one state of the index, the newest,
    so that what another process adds or removes is found, or not, by the next search.
    Each change is made in whole or not at all, whatever is killed.

    Args:
        folder: The index; `PlaceIndex.open` looks whether it is one.

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
            KeptParts(identity, keep, classifier, classifier_source),
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
        photos: PhotoTable | None = None,
        **columns: Unpack[PhotoColumns],
    ) -> IndexManifest:
        """Adds photos, which the next search finds, exactly until `compact`.

        Args:
            descriptors: `(num_photos, descriptor_dim)`, finite, of the index's encoder.
            replace_existing: Whether photos whose keys the index has take their place.
            recall_queries: Photos on which recall is measured; 0 to not measure.
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
            self.folder, matrix, table, replace_existing, recall_queries
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

    def set_search(
        self,
        kind: str,
        settings: dict[str, Any] | None = None,
        *,
        recall_queries: int = RECALL_QUERIES,
    ) -> IndexManifest:
        """Builds another search structure for all photos.

        Args:
            kind: `exact`, `scann`, `milvus` or `auto`.
            settings: See `SearchIndex.build`; `tune` finds the best.
            recall_queries: See `add`.

        Returns:
            The new state.

        Raises:
            ValueError: No such kind or settings. The index is as it was.
            RetrievalError: The folder is damaged or cannot be written.

        Example:
            >>> from vpr_tf.place_index import PlaceIndex
            >>> PlaceIndex.open("city.index").set_search("exact").kind
            'exact'
        """
        return changes.rebuild(self.folder, recall_queries, kind, settings)

    def tune(
        self,
        queries: npt.ArrayLike | None = None,
        *,
        min_recall: float = 0.99,
        recall_at: int = 1,
        kinds: Iterable[str] = ("scann",),
        sample: int = 1000,
        seed: int = 0,
        budget_s: float | None = None,
        dry_run: bool = False,
        queries_name: str | None = None,
        output: str | Path | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> TuningReport:
        """Measures ways to search, and sets the fastest one that finds enough.

        Each structure is built and measured in a process of its own. The index stays
        as it is until all is measured; interrupted tuning continues when it is run
        again. Results, their table and a figure are written.

        Args:
            queries: Descriptors `(num_queries, descriptor_dim)` of photos as they will
                be searched for; None: stored photos, each searched without itself.
            min_recall: Share of the true nearest photos that must be found.
            recall_at: Of how many nearest photos: 1, 10 or 20.
            kinds: What to try besides `exact`: `scann`, `milvus`.
            sample: How many stored photos are searched.
            seed: Of their choice.
            budget_s: Seconds after which no further structure is begun.
            dry_run: Whether the index is left as it is.
            queries_name: What the queries are, for people.
            output: Folder of the results; None for `tuning` in the index.
            progress: Called with what is being done; None prints to stderr.

        Raises:
            ValueError: An option cannot be.
            IndexMismatchError: There is no index, or it is damaged.
            RetrievalError: It was changed meanwhile, or cannot be written.

        Example:
            >>> from vpr_tf.place_index import PlaceIndex
            >>> report = PlaceIndex.open("city.index").tune(  # doctest: +SKIP
            ...     min_recall=0.99, kinds=["scann"], dry_run=True
            ... )
            >>> report.chosen.name, report.chosen.queries_per_s  # doctest: +SKIP
            ('scann 200 leaves int8 searched=4 reordered=50', 21400.0)
        """
        from vpr_tf.place_index.tuning import TuningOptions, tune

        options = TuningOptions(
            min_recall, recall_at, tuple(kinds), sample, seed, budget_s, dry_run
        )
        return tune(self.folder, queries, queries_name, options, output, progress)

    def calibrate(
        self,
        descriptors: npt.ArrayLike,
        *,
        config: LocalizationConfig | None = None,
        threshold_m: float = EvaluationConfig.positive_dist_threshold_m,
        cells: CellFilter | None = None,
        fitted_on: str | None = None,
        seed: int = 0,
        photos: PhotoTable | None = None,
        **columns: Unpack[PhotoColumns],
    ) -> Calibration:
        """Fits expected errors and confidences on queries of known position.

        The queries are searched in this index, so they must not be photos of it. What
        is found is stored in the index, for `localize`.

        Args:
            descriptors: Of the queries, `(num_queries, descriptor_dim)`.
            config: How matches become a position; None for what the index says.
            threshold_m: Largest error of a right position, metres.
            cells: What will restrict the searches of `localize`; see `search`.
            fitted_on: What the queries are, for people.
            seed: Of the division into folds.
            photos: What is known of the queries; see `create`.
            **columns: See `create`; the positions are the truth.

        Raises:
            ValueError: Descriptors or columns cannot be.
            LocalizationError: No query has a match and a known position.
            RetrievalError: The folder is damaged or cannot be written.

        Example:
            >>> from vpr_tf.place_index import PlaceIndex
            >>> index = PlaceIndex.open("city.index")
            >>> calibration = index.calibrate(
            ...     [[0.1, 0.9, 0.2], [0.9, 0.1, 0.2]],
            ...     latitude=[37.80001, 37.70001],
            ...     longitude=[-122.5, -122.5],
            ... )
            >>> calibration.threshold_m, calibration.num_queries
            (25.0, 2)
        """
        photos = photo_table(len(as_descriptors(descriptors)), photos, **columns)
        state = self.state()
        stored, calibration = calibrate(
            state,
            descriptors,
            photos,
            config,
            threshold_m=threshold_m,
            cells=cells,
            fitted_on=fitted_on or f"{len(photos)} queries",
            seed=seed,
        )
        self.set_localization(stored)
        return calibration

    def set_localization(self, localization: dict[str, Any] | None) -> None:
        """Stores settings and calibration of `vpr_tf.localization`.

        Args:
            localization: JSON-ready.

        Raises:
            ValueError: Not JSON.
            RetrievalError: The folder is damaged or cannot be written.
        """
        changes.set_localization(self.folder, localization)
