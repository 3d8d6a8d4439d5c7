"""What an open index folder is read, searched and localized with, unchanged."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy.typing as npt

from vpr_tf.engine_choice import chosen_engine
from vpr_tf.geo import GeoCircle
from vpr_tf.photos import PhotoFiles, PhotoTable
from vpr_tf.place_index.checked_files import checked_encoder_path
from vpr_tf.place_index.index_state import IndexState, Matches
from vpr_tf.place_index.layout import MANIFEST_FILE, index_path
from vpr_tf.place_index.localizing import (
    LocalizationOptions,
    known_headings,
    localize_descriptors,
)
from vpr_tf.place_index.manifest import (
    STORED,
    IndexManifest,
    RecallReport,
    parse_manifest,
    unreadable,
)
from vpr_tf.place_index.manifest_file import ManifestFile
from vpr_tf.place_index.photo_arguments import parse_time
from vpr_tf.place_index.recall import RECALL_QUERIES, recall_of_state
from vpr_tf.place_index.signing_keys import read_public_key
from vpr_tf.place_index.verification import (
    VerificationReport,
    check_signed,
    verify,
)
from vpr_tf.search import CellFilter, IndexMismatchError, RetrievalError
from vpr_tf.stored_files import Progress

if TYPE_CHECKING:
    from vpr_tf.extraction import FeatureExtractor
    from vpr_tf.localization import Localization
    from vpr_tf.place_index.index_classifier import IndexClassifier
    from vpr_tf.place_index.reranking import Reranking


class IndexReader:
    """The half of `PlaceIndex` that needs no lock and no permission to write.

    Args:
        folder: The index.
        key: Public key of whoever must have signed it, see `open`.
    """

    def __init__(self, folder: str | Path, key: str | Path | None = None) -> None:
        self.folder = Path(folder)
        self._key = None if key is None else read_public_key(key)
        self._lock = threading.Lock()
        self._state: IndexState | None = None
        self._file: ManifestFile | None = None
        self._is_closed = False
        self._extractor: tuple[Any, FeatureExtractor] | None = None
        self._classifier: IndexClassifier | None = None

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        encoder_fingerprint: str | None = None,
        key: str | Path | None = None,
    ) -> Self:
        """Opens a folder after comparing its checksums.

        Args:
            folder: Made by `PlaceIndex.create`.
            encoder_fingerprint: Of the encoder of the queries; None to not compare.
            key: Public key (PEM file) of whoever must have signed the index: every file
                is compared before it is used, again after each change. None to not ask.

        Raises:
            IndexMismatchError: The folder is no index, is damaged, its descriptors are
                of another encoder, or it is not as the owner of the key signed it.

        Example:
            >>> from vpr_tf.place_index import PlaceIndex
            >>> with PlaceIndex.open("city.index") as index:
            ...     index.num_photos
            3
        """
        index = cls(folder, key)
        manifest = index.manifest
        if encoder_fingerprint not in (None, manifest.encoder_fingerprint):
            raise IndexMismatchError(
                f"{folder} holds descriptors of another encoder: "
                f"{manifest.encoder_fingerprint} ({manifest.encoder_description}). "
                f"Received: {encoder_fingerprint}. Use that encoder, or build the "
                "index again."
            )
        return index

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the files; what was found can still be used."""
        with self._lock:
            self._is_closed = True
            self._state = self._file = self._extractor = self._classifier = None

    @property
    def manifest(self) -> IndexManifest:
        """Of the newest state."""
        return self.state().manifest

    @property
    def num_photos(self) -> int:
        """Photos that can be found."""
        return self.manifest.num_photos

    @property
    def is_exact(self) -> bool:
        """Whether every true neighbour is found."""
        return self.state().is_exact

    @property
    def photos(self) -> PhotoTable:
        """The photos that can be found; a copy if some were removed."""
        return self.state().alive_photos

    @property
    def encoder_path(self) -> Path | None:
        """The encoder kept in the folder, its files compared; None if there is none.

        Raises:
            IndexMismatchError: A file is missing or damaged.
        """
        manifest = self.manifest
        if manifest.encoder is None or manifest.encoder.file is None:
            return None
        files = manifest.encoder_files
        return checked_encoder_path(self.folder, manifest.encoder, files)

    def search(
        self,
        descriptors: npt.ArrayLike,
        k: int,
        *,
        within: GeoCircle | None = None,
        cells: CellFilter | None = None,
    ) -> Matches:
        """Finds the k nearest photos of each query, nearest first.

        Args:
            descriptors: Of the queries, `(num_queries, descriptor_dim)`; of one query,
                `(descriptor_dim,)`.
            k: Photos a query; may exceed the number of photos.
            within: Search only inside this circle, exactly.
            cells: Search only the best cells, exactly; of those that have photos, in
                the circle if there is one. All cells are searched as without.

        Raises:
            ValueError: `k` is below 1, or the queries are not finite or have another
                length.
            IndexMismatchError: The folder was damaged since it was opened.

        Example:
            >>> from vpr_tf.place_index import GeoCircle, PlaceIndex
            >>> index = PlaceIndex.open("city.index")
            >>> index.search([0.1, 0.9, 0.2], k=2).keys
            [['b.jpg', 'c.jpg']]
            >>> circle = GeoCircle(37.7, -122.5, radius_m=100)
            >>> index.search([0.1, 0.9, 0.2], k=2, within=circle).keys
            [['a.jpg']]
        """
        return self.state().search(descriptors, k, within=within, cells=cells)

    def localize(
        self,
        photos: Sequence[Any],
        *,
        min_confidence: float | None = None,
        num_predictions: int | None = None,
        heading_deg: float | None = None,
        within: GeoCircle | None = None,
        cells: int | str | None = STORED,
        rerank: Reranking | None = None,
    ) -> list[Localization]:
        """Localizes photos, by the encoder of the index, which is loaded once.

        Args:
            photos: Paths, bytes of JPEG or PNG files, PIL images and arrays `(height,
                width[, channels])`.
            min_confidence: Positions below are withheld; None for the calibration's.
            num_predictions: Matches that vote; None for the index's setting.
            heading_deg: Where the photos look; None for what names or EXIF data of
                files say, where the index's settings use it.
            within: Only photos of this circle are searched.
            cells: How many of the best cells of the index's classifier are searched,
                None for all, `stored` for as many as the index says.
            rerank: Compares photos with their candidates; None does not.

        Raises:
            InvalidEntryError: A photo cannot be read.
            IndexMismatchError: The index is damaged, or keeps no encoder.
            LocalizationError: An option cannot be.

        Example:
            >>> from vpr_tf.place_index import PlaceIndex
            >>> index = PlaceIndex.open("holiday.index")  # doctest: +SKIP
            >>> [one] = index.localize(["holiday/1.jpg"])  # doctest: +SKIP
            >>> one.latitude, one.longitude, one.confidence  # doctest: +SKIP
            (37.704829, -122.462268, 0.98)
        """
        from vpr_tf.extraction.photo_sources import GivenPhotos, photo_list, photo_names

        photos = photo_list(photos)
        looks = rerank.config if rerank else None
        options = LocalizationOptions(
            num_predictions, within, heading_deg, min_confidence, cells, looks
        )
        state = self.state()
        descriptors = self.extractor(of_queries=True).extract(photos)
        config, _ = state.manifest.localization_settings
        counter = None
        if rerank is not None:
            pixels = GivenPhotos(photos).pixels
            counter = rerank.counter(state, self.extractor, pixels)
        uses_headings = config.heading_tolerance_deg is not None
        return localize_descriptors(
            state,
            descriptors,
            photo_names(photos),
            options,
            heading_deg=known_headings(photos) if uses_headings else None,
            cells=self.cell_filter(cells, photos),
            counter=counter,
        )

    def extractor(
        self, model: str | Path | None = None, *, of_queries: bool = False
    ) -> FeatureExtractor:
        """Returns the encoder that the index was built with, loaded once.

        Args:
            model: Where it is, see `load_extractor`; None for the copy in the index.
            of_queries: Whether the ONNX copy of the index will do, which is loaded
                without TensorFlow in a fraction of the time. Descriptors differ from
                those of the index in the fifth digit or less.

        Raises:
            IndexMismatchError: No encoder or a damaged one in the index, or `model` is
                another encoder, or descriptors would be of another precision than
                those of the index; of queries that is only said.
            EncoderError: The model cannot be loaded.
        """
        wanted = self.manifest.encoder, str(model or ""), of_queries, chosen_engine()
        if self._extractor is None or self._extractor[0] != wanted:
            self._extractor = wanted, self._open_extractor(model, of_queries)
        return self._extractor[1]

    def _open_extractor(
        self, model: str | Path | None, of_queries: bool
    ) -> FeatureExtractor:
        if of_queries and model is None:
            from vpr_tf.place_index.onnx_copy import open_onnx_copy

            copy = open_onnx_copy(self.folder, self.manifest)
            if copy is not None:
                return copy
        from vpr_tf.place_index.index_encoder import open_encoder

        return open_encoder(self.folder, self.manifest, model, of_queries=of_queries)

    def classifier(self) -> IndexClassifier:
        """Returns the classifier that the index keeps, loaded once.

        Raises:
            ClassificationError: The index keeps none.
            IndexMismatchError: It is damaged.
        """
        from vpr_tf.place_index.index_classifier import IndexClassifier

        manifest = self.manifest
        if self._classifier is None or self._classifier.kept != manifest.classifier:
            self._classifier = IndexClassifier.open(self.folder, manifest)
        return self._classifier

    def cell_filter(
        self, cells: int | str | None, photos: PhotoFiles | Sequence[Any] | None
    ) -> CellFilter | None:
        """Returns what restricts a search to the best cells; None if nothing.

        Args:
            cells: See `localize`.
            photos: The queries.

        Raises:
            ClassificationError: The index cannot rank cells.
            IndexMismatchError: The classifier is damaged.
        """
        if cells == STORED:
            kept = self.manifest.classifier
            cells = kept.num_cells if kept else None
        return self.classifier().cell_filter(int(cells), photos) if cells else None

    def select(
        self, *, older_than: Any = None, within: GeoCircle | None = None
    ) -> list[str]:
        """Returns the keys of the photos that meet all conditions.

        Args:
            older_than: A time, as `2019`, `2019-06-30` or a date. Photos of unknown
                time are not older than anything.
            within: A circle.

        Example:
            >>> from vpr_tf.place_index import PlaceIndex
            >>> PlaceIndex.open("city.index").select(older_than="2020")
            []
        """
        state = self.state()
        time = None if older_than is None else parse_time(older_than)
        rows = state.select(time, within)
        return [key.decode() for key in state.photos.take(rows).keys]

    def verify(
        self, *, key: str | Path | None = None, progress: Progress | None = None
    ) -> VerificationReport:
        """Compares the sha256 of every file; works on read-only folders.

        Nothing may change the index meanwhile.

        Args:
            key: Public key of whoever must have signed the index, see `sign`: files
                that do not belong to it are then problems as well.
            progress: Called with the bytes of each part that was read.

        Raises:
            IndexMismatchError: There is no index, its manifest is damaged or edited, or
                it is not signed with that key.

        Example:
            >>> from vpr_tf.place_index import PlaceIndex
            >>> PlaceIndex("city.index").verify().is_intact
            True
        """
        public = self._key if key is None else read_public_key(key)
        return verify(self.folder, key=public, progress=progress)

    def measure_recall(
        self, *, num_queries: int = RECALL_QUERIES, seed: int = 0
    ) -> RecallReport:
        """Searches stored photos, each without itself, and compares with exact search.

        Args:
            num_queries: Photos to search.
            seed: Of their choice.
        """
        return recall_of_state(self.state(), num_queries, seed)

    def state(self) -> IndexState:
        """Returns the newest state, for several questions about the same one."""
        with self._lock:
            if self._is_closed:
                raise RetrievalError(
                    f"The index {self.folder} was closed. Open it again."
                )
            if not (self._state and self._file and self._file.is_current()):
                self._state = self._newest_state()
            return self._state

    def _newest_state(self) -> IndexState:
        while True:
            file = ManifestFile.open(index_path(self.folder, MANIFEST_FILE))
            try:
                manifest = parse_manifest(file.text, file.path)
                if self._key is not None:
                    check_signed(self.folder, file.text, manifest, self._key)
                state = IndexState.open(self.folder, manifest, self._state)
            except (OSError, IndexMismatchError) as error:
                if not file.is_current():
                    continue  # a change deleted what this state was made of
                if isinstance(error, OSError):
                    raise unreadable(error, self.folder) from error
                raise
            self._file = file
            return state
