"""The encoder of an index: what is noted of it, kept, and loaded again."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from vpr_tf.config import save_config, shared_config
from vpr_tf.engine_choice import chosen_engine
from vpr_tf.extraction import (
    FeatureExtractor,
    load_extractor,
    read_stored_encoder,
    store_encoder,
)
from vpr_tf.extraction.engines import REMOTE, check_installed
from vpr_tf.extraction.errors import EncoderError
from vpr_tf.extraction.exported_encoder import ExportedEncoder
from vpr_tf.extraction.model_source import EXPORTED_CONFIG, EXPORTED_SCORE
from vpr_tf.extraction.saved_encoder import SavedEncoder
from vpr_tf.models import GeoLocalizationNet
from vpr_tf.place_index.checked_files import checked_encoder_path
from vpr_tf.place_index.layout import ONNX_COPY
from vpr_tf.place_index.manifest import EncoderIdentity, IndexManifest
from vpr_tf.place_index.onnx_copy import keep_onnx_copy
from vpr_tf.search import IndexMismatchError
from vpr_tf.stored_files import StoredFile

_LOG = logging.getLogger("vpr_tf")
_KERAS_FILE, _SAVED_MODEL_FOLDER = "encoder.keras", "saved_model"
_EXPORT_FOLDER = "export"


def open_encoder(
    folder: Path,
    manifest: IndexManifest,
    model: str | Path | None = None,
    *,
    of_queries: bool = False,
) -> FeatureExtractor:
    """Loads the encoder that an index was built with.

    Args:
        folder: The index.
        manifest: Its state.
        model: Where the encoder is, see `load_extractor`; None for the copy that the
            index keeps.
        of_queries: Whether descriptors may be of another precision than those of the
            index, which is said.

    Raises:
        IndexMismatchError: No encoder or a damaged one in it, or `model` is another
            encoder, or it is computed otherwise than those of the index.
        EncoderError: The model cannot be loaded.
    """
    identity = manifest.encoder
    if identity is None:
        raise IndexMismatchError(
            f"The index {folder} was made of descriptors alone, so the encoder of its "
            "photos is not known. Search it with descriptors."
        )
    if model is None:
        if identity.file is None:
            raise IndexMismatchError(
                f"The index {folder} keeps no encoder. Pass --model MODEL: "
                f"{identity.description}."
            )
        kept = open_kept_encoder(folder, identity, manifest.encoder_files)
        return _as_built(folder, identity, kept, of_queries)
    loaded = load_extractor(model=model, preprocessing=identity.preprocessing)
    if loaded.fingerprint != identity.fingerprint:
        raise IndexMismatchError(
            f"The index {folder} was built with another encoder: "
            f"{identity.description}, fingerprint {identity.fingerprint[:16]}. "
            f"Received: {loaded.description}, fingerprint {loaded.fingerprint[:16]}. "
            "Leave out --model to use the encoder of the index, or build it again."
        )
    return _as_built(folder, identity, loaded, of_queries)


def _as_built(
    folder: Path, identity: EncoderIdentity, opened: FeatureExtractor, of_queries: bool
) -> FeatureExtractor:
    """Compares what an encoder is computed in with what it was for the index.

    Raises:
        IndexMismatchError: Descriptors would differ, and be more than queries.
    """
    built, received = identity.preprocessing.precision, opened.preprocessing.precision
    is_same = (built, identity.engine) == (received, opened.engine)
    if is_same or built == received == "float32":
        return opened
    difference = (
        f"The descriptors of the index {folder} were computed in {built} by "
        f"{identity.engine}. Received: {received} by {opened.engine}"
    )
    if not of_queries:
        raise IndexMismatchError(
            f"{difference}, which gives others. Leave out --engine, pass --engine "
            f"{identity.engine} on a machine that computes in {built}, or build the "
            "index again."
        )
    _LOG.warning("%s: distances are less exact.", difference)
    return opened


def identity_of(extractor: FeatureExtractor) -> EncoderIdentity:
    """Returns what an index notes about its encoder."""
    return EncoderIdentity(
        fingerprint=extractor.fingerprint,
        description=extractor.description,
        descriptor_dim=extractor.descriptor_dim,
        preprocessing=extractor.preprocessing,
        engine=extractor.engine,
    )


def is_kept(encoder: Any) -> bool:
    """Whether an index can keep such an encoder."""
    return isinstance(encoder, GeoLocalizationNet | SavedEncoder | ExportedEncoder)


def keep_encoder(
    encoder: Any, folder: Path, queries: EncoderIdentity | None = None
) -> Path:
    """Writes an encoder into a new folder; returns its file, or that of a SavedModel.

    Args:
        encoder: A `GeoLocalizationNet`, of which an ONNX copy is written as well, or a
            SavedModel.
        folder: The folder.
        queries: What is noted of it for queries; None for no ONNX copy.

    Raises:
        EncoderError: It cannot be written.
    """
    folder.mkdir()
    stored = store_encoder(encoder, folder / _KERAS_FILE)
    if not stored.is_dir():
        if queries is not None:
            keep_onnx_copy(encoder, queries, folder / Path(ONNX_COPY).name)
        return stored
    if isinstance(encoder, ExportedEncoder):
        return encoder.copy_to(folder / _EXPORT_FOLDER)
    # An export of a former version says where it was trained.
    ignored = shutil.ignore_patterns(EXPORTED_SCORE.name)
    kept = Path(shutil.copytree(stored, folder / _SAVED_MODEL_FOLDER, ignore=ignored))
    save_config(shared_config(encoder.config), kept / EXPORTED_CONFIG)
    return kept


def open_kept_encoder(
    folder: Path, identity: EncoderIdentity, files: dict[str, StoredFile]
) -> FeatureExtractor:
    """Loads an encoder that an index keeps, after comparing its checksums.

    Args:
        folder: The index.
        identity: The encoder, whose file is relative to the index.
        files: Its files.

    Raises:
        IndexMismatchError: A file is missing or damaged.
    """
    path = checked_encoder_path(folder, identity, files)
    return FeatureExtractor(
        read_stored_encoder(path),
        identity.preprocessing,
        engine=_engine_of(identity),
        description=identity.description,
        fingerprint=identity.fingerprint,
    )


def _engine_of(identity: EncoderIdentity) -> str | None:
    """Returns the engine that an index was built by; None for that of the encoder.

    That is taken where the user chooses one, or it is not here.
    """
    if chosen_engine().name is not None or identity.engine == REMOTE:
        return None
    try:
        check_installed(identity.engine)
    except EncoderError as error:
        _LOG.warning("The engine that the index was built by is not used: %s", error)
        return None
    return identity.engine
