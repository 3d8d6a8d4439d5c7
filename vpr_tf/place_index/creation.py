"""Makes an index folder."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from vpr_tf.photos.photo_table import PhotoTable
from vpr_tf.place_index.manifest import (
    EncoderIdentity,
    IndexManifest,
    KeptClassifier,
)
from vpr_tf.place_index.next_state import (
    ChangeReport,
    check_photos,
    commit,
    with_segment,
)
from vpr_tf.place_index.recall import RECALL_QUERIES
from vpr_tf.place_index.stored_files import StoredFile, fsync, store_folder
from vpr_tf.place_index.transaction import (
    LOCK_FILE,
    Transaction,
    clear_errors,
    writer_lock,
)
from vpr_tf.search import Descriptors, RetrievalError

CLASSIFIER_FOLDER = "classifier"
_ENCODER_FOLDER = "encoder"


def create_place_index(
    folder: str | Path,
    descriptors: Descriptors,
    photos: PhotoTable,
    encoder: EncoderIdentity,
    *,
    encoder_source: str | Path | None = None,
    kind: str = "auto",
    settings: dict[str, Any] | None = None,
    dtype: str = "float32",
    localization: dict[str, Any] | None = None,
    classifier: KeptClassifier | None = None,
    classifier_source: str | Path | None = None,
    recall_queries: int = RECALL_QUERIES,
) -> ChangeReport:
    """Makes an index folder, which appears under its name when it is complete.

    The memory used does not grow with the descriptors, besides what the search
    structure needs; they are copied block by block. Zero vectors are allowed.

    Args:
        folder: Must not exist.
        descriptors: `(num_photos, descriptor_dim)`, finite; e.g. memory-mapped.
        photos: One a descriptor, with unique keys.
        encoder: What the descriptors were computed with; its `file` is set here.
        encoder_source: File (`.keras`) or folder (SavedModel) to keep in the index.
        kind: `exact`, `scann`, `milvus`, or `auto` for what suits the size.
        settings: Of the search structure, see `SearchIndex.build`.
        dtype: Of the stored descriptors: float32, or float16 for half the space.
        localization: See `set_localization`.
        classifier: Heads whose best cells are searched; its `files` are set here, and
            its encoder's file, which is relative to `classifier_source`.
        classifier_source: Folder of all that belongs to the classifier.
        recall_queries: Photos on which recall is measured; 0 to not measure.

    Raises:
        ValueError: Something of this cannot be.
        RetrievalError: The folder exists, is being made, or cannot be written.
    """
    folder = Path(folder)
    if dtype not in ("float32", "float16"):
        raise ValueError(f"`dtype` must be float32 or float16. Received: {dtype!r}")
    check_photos(descriptors, photos, encoder.descriptor_dim)
    with clear_errors(folder), _unfinished_folder(folder) as unfinished:
        file, encoder_files = _keep_encoder(unfinished, encoder_source)
        empty = IndexManifest(
            kind=kind,
            settings=settings,
            descriptor_dim=encoder.descriptor_dim,
            dtype=dtype,
            encoder=replace(encoder, file=file),
            encoder_files=encoder_files,
            segments=(),
            removed_file=None,
            removed=None,
            num_photos=0,
            num_removed=0,
            generation=0,
            localization=localization,
            classifier=_keep_classifier(unfinished, classifier, classifier_source),
        )
        change = Transaction(unfinished, empty)
        manifest = with_segment(change, (), descriptors, photos)
        return commit(change, manifest, recall_queries)


@contextlib.contextmanager
def _unfinished_folder(folder: Path) -> Iterator[Path]:
    """Yields an empty folder that gets its name at the end."""
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    _refuse_existing(folder)
    unfinished.mkdir(parents=True, exist_ok=True)
    with writer_lock(unfinished, wait_s=0):
        _refuse_existing(folder)
        _empty(unfinished)
        try:
            yield unfinished
            _refuse_existing(folder)
            unfinished.rename(folder)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        fsync(folder.parent)


def _refuse_existing(folder: Path) -> None:
    if folder.exists() or folder.is_symlink():
        raise RetrievalError(
            f"{folder} exists already. Add to that index, delete it, or choose another "
            "name."
        )


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LOCK_FILE:
            path.unlink()


def _keep_encoder(
    folder: Path, source: str | Path | None
) -> tuple[str | None, dict[str, StoredFile]]:
    """Copies an encoder; returns its path and its files, relative to the index."""
    if source is None:
        return None, {}
    source, encoders = Path(source), folder / _ENCODER_FOLDER
    if not source.exists():
        raise RetrievalError(f"No encoder at {source}, which the index should keep.")
    encoders.mkdir()
    if source.is_dir():
        kept = encoders / "saved_model"
        shutil.copytree(source, kept)
    else:
        kept = encoders / f"encoder{source.suffix}"
        shutil.copyfile(source, kept)
    files = store_folder(encoders)
    return (
        kept.relative_to(folder).as_posix(),
        {f"{_ENCODER_FOLDER}/{name}": file for name, file in files.items()},
    )


def _keep_classifier(
    folder: Path, classifier: KeptClassifier | None, source: str | Path | None
) -> KeptClassifier | None:
    """Copies a classifier; returns it with its files, relative to the index."""
    if classifier is None or source is None:
        return None
    shutil.copytree(source, folder / CLASSIFIER_FOLDER)
    files = store_folder(folder / CLASSIFIER_FOLDER)
    encoder = classifier.encoder
    if encoder is not None:
        encoder = replace(encoder, file=f"{CLASSIFIER_FOLDER}/{encoder.file}")
    return replace(
        classifier,
        encoder=encoder,
        files={f"{CLASSIFIER_FOLDER}/{name}": file for name, file in files.items()},
    )
