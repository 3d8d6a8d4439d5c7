"""A classifier that an index folder keeps, so that searches look at its best cells."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpr_tf.classification.cell_ranking import ClassifierCells
from vpr_tf.classification.errors import ClassificationError
from vpr_tf.classification.prototype_search import PrototypeSearch, is_worth_searching
from vpr_tf.classification.stored_heads import load_heads, save_heads
from vpr_tf.config import ExperimentConfig
from vpr_tf.photos import PhotoFiles
from vpr_tf.place_index.checked_files import check_file, check_folder
from vpr_tf.place_index.layout import CLASSIFIER_FOLDER
from vpr_tf.place_index.manifest import EncoderIdentity, IndexManifest, KeptClassifier
from vpr_tf.search import CellFilter
from vpr_tf.stored_files import StoredFile

if TYPE_CHECKING:
    from vpr_tf.extraction import FeatureExtractor

_ENCODER_FOLDER, _SEARCH_FOLDER = "encoder", "search"


def keep_classifier(
    config: ExperimentConfig, model: str | Path, own: EncoderIdentity, folder: Path
) -> KeptClassifier:
    """Writes all of a classifier that an index needs, into a new folder.

    Args:
        config: `classification`: score and number of cells.
        model: See `heads_folder`.
        own: The encoder of the index; the classifier's own is kept if it is another.
        folder: See `PlaceIndex.create`, its `classifier_source`; replaced.

    Raises:
        ClassificationError: The model keeps no heads of classes.
        EncoderError: Its encoder cannot be loaded or written.
    """
    from vpr_tf.extraction import load_extractor
    from vpr_tf.place_index.index_encoder import identity_of, keep_encoder

    settings = config.classification
    classifier = ClassifierCells.from_heads(load_heads(model, settings)).classifier
    extractor = load_extractor(model=model)
    identity = identity_of(extractor)
    shutil.rmtree(folder, ignore_errors=True)
    save_heads(classifier, folder)
    if is_worth_searching(classifier):
        PrototypeSearch.build(classifier).write(folder / _SEARCH_FOLDER)
    kept_encoder = None
    if not _describes_like(identity, own):
        file = keep_encoder(extractor.encoder, folder / _ENCODER_FOLDER)
        kept_encoder = replace(identity, file=file.relative_to(folder).as_posix())
    elif classifier.descriptor_dim != own.descriptor_dim:
        raise ClassificationError(
            f"The heads of {model} must be of descriptors of {own.descriptor_dim} "
            f"values. Received: {classifier.descriptor_dim}"
        )
    return KeptClassifier(
        extractor.description, classifier.score, settings.num_cells, kept_encoder, {}
    )


@dataclass(frozen=True, eq=False)
class IndexClassifier:
    """The classifier of an index folder.

    Attributes:
        folder: The index.
        kept: What the manifest says of it.
        ranking: Chooses the cells.
    """

    folder: Path
    kept: KeptClassifier
    ranking: ClassifierCells

    @classmethod
    def open(cls, folder: str | Path, manifest: IndexManifest) -> IndexClassifier:
        """Opens the classifier of an index after comparing its checksums.

        Args:
            folder: The index.
            manifest: Its state.

        Raises:
            ClassificationError: The index keeps none.
            IndexMismatchError: A file is missing or damaged.
        """
        folder, kept = Path(folder), manifest.classifier
        if kept is None:
            raise ClassificationError(
                f"The index {folder} keeps no classifier, so its cells cannot be "
                "ranked. Build it with --classifier RUN."
            )
        of_encoder = _encoder_files(kept)
        for name, file in kept.files.items():
            if name not in of_encoder:
                check_file(folder, name, file)
        check_folder(folder, CLASSIFIER_FOLDER, kept.files)
        own = folder / CLASSIFIER_FOLDER
        heads = load_heads(own, score=kept.score)
        classifier = ClassifierCells.from_heads(heads).classifier
        search = None
        if (own / _SEARCH_FOLDER).is_dir():
            search = PrototypeSearch.read(own / _SEARCH_FOLDER, classifier)
        return cls(folder, kept, ClassifierCells(classifier, search))

    @functools.cached_property
    def encoder(self) -> FeatureExtractor | None:
        """Loads the encoder of the classifier; None if it is that of the index.

        Raises:
            IndexMismatchError: It is damaged.
        """
        if self.kept.encoder is None:
            return None
        from vpr_tf.place_index.index_encoder import open_kept_encoder

        files = _encoder_files(self.kept)
        return open_kept_encoder(self.folder, self.kept.encoder, files)

    def cell_filter(
        self, num_cells: int, photos: PhotoFiles | Sequence[Any] | None
    ) -> CellFilter:
        """Returns what restricts a search for photos.

        Args:
            num_cells: K.
            photos: The queries, as files or as `FeatureExtractor.extract` takes them;
                described here if the classifier has an encoder of its own.

        Raises:
            IndexMismatchError: The encoder is damaged.
            ClassificationError: A photo could be read before, and not now.
        """
        encoder = self.encoder
        if encoder is None:
            return CellFilter(self.ranking, num_cells)
        if not isinstance(photos, PhotoFiles):
            descriptors = encoder.extract(photos)
            return CellFilter(self.ranking, num_cells, descriptors)
        described = encoder.extract_files(photos, progress=False)
        if len(described.photos) != len(photos):
            raise ClassificationError(
                f"{described.photos.rejected[0]} changed while it was read. Run the "
                "command again."
            )
        return CellFilter(self.ranking, num_cells, described.in_memory())


def _encoder_files(kept: KeptClassifier) -> dict[str, StoredFile]:
    folder = f"{CLASSIFIER_FOLDER}/{_ENCODER_FOLDER}/"
    return {name: file for name, file in kept.files.items() if name.startswith(folder)}


def _describes_like(one: EncoderIdentity, other: EncoderIdentity) -> bool:
    same = one.preprocessing.identity() == other.preprocessing.identity()
    return same and one.fingerprint == other.fingerprint
