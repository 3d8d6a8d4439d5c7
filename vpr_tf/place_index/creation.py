"""Makes an index folder."""

from __future__ import annotations

import contextlib
import functools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpr_tf.photos import PhotoTable
from vpr_tf.place_index.agreement import check_credit
from vpr_tf.place_index.changes import check_photos, commit, with_segment
from vpr_tf.place_index.kept_features import PhotoFeatures
from vpr_tf.place_index.layout import CLASSIFIER_FOLDER, ENCODER_FOLDER
from vpr_tf.place_index.manifest import (
    DTYPES,
    EncoderIdentity,
    IndexManifest,
    KeptClassifier,
)
from vpr_tf.place_index.transaction import (
    Transaction,
    clear_errors,
    writer_lock,
)
from vpr_tf.search import Descriptors, RetrievalError
from vpr_tf.stored_files import StoredFile, fsync, store_folder
from vpr_tf.work_folder import (
    LOCK_FILE,
    claim_folder,
    delete_folder,
    empty_folder,
    give_up_folder,
)

if TYPE_CHECKING:
    from vpr_tf.extraction import FeatureExtractor


@dataclass(frozen=True)
class KeptParts:
    """What an index keeps besides photos and descriptors.

    Attributes:
        encoder: What the descriptors were computed with; its `file` is set when it is
            kept. None where it is not known.
        keep_encoder: Writes the encoder into a new folder and returns its file; None
            to not keep it.
        classifier: Heads whose best cells are searched; its `files` are set when it is
            kept, and its encoder's file, which is relative to `classifier_source`.
        classifier_source: Folder of all that belongs to the classifier.
        localization: Settings and calibration of `vpr_tf.localization`, JSON-ready.
        attribution: Whom the photos are from; None where it is not known.
        licence: Under which they may be used; likewise.
        local: Key points of the photos; None to keep none.
    """

    encoder: EncoderIdentity | None = None
    keep_encoder: Callable[[Path], Path] | None = None
    classifier: KeptClassifier | None = None
    classifier_source: str | Path | None = None
    localization: dict[str, Any] | None = None
    attribution: str | None = None
    licence: str | None = None
    local: PhotoFeatures | None = None


def kept_encoder(
    encoder: FeatureExtractor | EncoderIdentity | None,
) -> tuple[EncoderIdentity | None, Callable[[Path], Path] | None]:
    """Returns what an index notes of an encoder, and how it is kept."""
    if encoder is None or isinstance(encoder, EncoderIdentity):
        return encoder, None
    from vpr_tf.place_index.index_encoder import identity_of, is_kept, keep_encoder

    identity, model = identity_of(encoder), encoder.encoder
    if not is_kept(model):
        return identity, None
    return identity, functools.partial(keep_encoder, model, queries=identity)


def create_folder(
    folder: Path,
    descriptors: Descriptors,
    photos: PhotoTable,
    parts: KeptParts,
    *,
    kind: str,
    settings: dict[str, Any] | None,
    dtype: str,
    recall_queries: int,
) -> IndexManifest:
    """See `PlaceIndex.create`."""
    if dtype not in DTYPES:
        raise ValueError(f"`dtype` must be {' or '.join(DTYPES)}. Received: {dtype!r}")
    dim = parts.encoder.descriptor_dim if parts.encoder else descriptors.shape[-1]
    check_photos(descriptors, photos, dim)
    check_credit("attribution", parts.attribution)
    check_credit("licence", parts.licence)
    with clear_errors(folder), _unfinished_folder(folder) as unfinished:
        encoder, encoder_files = _keep_encoder(unfinished, parts)
        empty = IndexManifest(
            kind=kind,
            settings=settings,
            descriptor_dim=dim,
            dtype=dtype,
            encoder=encoder,
            encoder_files=encoder_files,
            segments=(),
            removed_file=None,
            removed=None,
            num_photos=0,
            num_removed=0,
            generation=0,
            localization=parts.localization,
            classifier=_keep_classifier(unfinished, parts),
            attribution=parts.attribution,
            licence=parts.licence,
            local_features=parts.local.kept if parts.local else None,
        )
        change = Transaction(unfinished, empty)
        local = parts.local.rows if parts.local else None
        manifest = with_segment(change, (), descriptors, photos, local)
        return commit(change, manifest, recall_queries)


@contextlib.contextmanager
def _unfinished_folder(folder: Path) -> Iterator[Path]:
    """Yields an empty folder that gets its name at the end."""
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    _refuse_existing(folder)
    claim_folder(unfinished)
    with writer_lock(unfinished, wait_s=0):
        _refuse_existing(folder)
        empty_folder(unfinished, LOCK_FILE)
        try:
            yield unfinished
            _refuse_existing(folder)
            unfinished.rename(folder)
            give_up_folder(folder)
        except BaseException:
            with contextlib.suppress(OSError):
                delete_folder(unfinished)
            raise
        fsync(folder.parent)


def _refuse_existing(folder: Path) -> None:
    if folder.exists() or folder.is_symlink():
        raise RetrievalError(
            f"{folder} exists already. Add to that index, delete it, or choose another "
            "name."
        )


def _keep_encoder(
    folder: Path, parts: KeptParts
) -> tuple[EncoderIdentity | None, dict[str, StoredFile]]:
    """Writes an encoder; returns it with its file, and its files."""
    if parts.encoder is None or parts.keep_encoder is None:
        return parts.encoder, {}
    file = parts.keep_encoder(folder / ENCODER_FOLDER)
    identity = replace(parts.encoder, file=file.relative_to(folder).as_posix())
    return identity, _stored(folder, ENCODER_FOLDER)


def _keep_classifier(folder: Path, parts: KeptParts) -> KeptClassifier | None:
    """Copies a classifier; returns it with its files."""
    classifier = parts.classifier
    if classifier is None or parts.classifier_source is None:
        return None
    shutil.copytree(parts.classifier_source, folder / CLASSIFIER_FOLDER)
    encoder = classifier.encoder
    if encoder is not None:
        encoder = replace(encoder, file=f"{CLASSIFIER_FOLDER}/{encoder.file}")
    files = _stored(folder, CLASSIFIER_FOLDER)
    return replace(classifier, encoder=encoder, files=files)


def _stored(folder: Path, part: str) -> dict[str, StoredFile]:
    stored = store_folder(folder / part)
    return {f"{part}/{name}": file for name, file in stored.items()}
