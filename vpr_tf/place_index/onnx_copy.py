"""The encoder of an index as ONNX: it describes queries without TensorFlow.

To import TensorFlow takes longer than all else that one photo needs.
"""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vpr_tf.engine_choice import chosen_engine
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.extraction.exported_encoder import ExportedEncoder, loses_refusal
from vpr_tf.place_index.checked_files import check_file
from vpr_tf.place_index.layout import ONNX_COPY
from vpr_tf.place_index.manifest import EncoderIdentity, IndexManifest
from vpr_tf.stored_files import StoredFile

if TYPE_CHECKING:
    from vpr_tf.config import Preprocessing
    from vpr_tf.models import GeoLocalizationNet

_LOG = logging.getLogger("vpr_tf")
_ENGINE = "onnxruntime"
_READ_WITH = ("onnx", _ENGINE)
_WRITTEN_WITH = (*_READ_WITH, "tf2onnx")
_COMPARED_SIZES = (97, 130), (320, 240)  # height and width in pixels
_LARGEST_DIFFERENCE = 1e-4


def keep_onnx_copy(
    encoder: GeoLocalizationNet, identity: EncoderIdentity, path: Path
) -> None:
    """Writes an encoder as ONNX, where that gives the descriptors of the index.

    It is opened as it will be for queries, and compared with Keras. Where it will not
    do, no file is left, and a line says why.

    Args:
        encoder: The encoder.
        identity: What the index notes of it.
        path: The file.
    """
    reason = _why_not(encoder, identity.preprocessing)
    if not reason:
        try:
            from vpr_tf.models.onnx_conversion import to_onnx

            path.write_bytes(to_onnx(encoder, identity.preprocessing))
            reason = _how_unlike(encoder, identity, path)
        except OSError:
            raise
        except Exception as error:  # whatever the converter comes to
            reason = str(error) or type(error).__name__
    if reason:
        path.unlink(missing_ok=True)
        _LOG.warning("TensorFlow is loaded to localize by this index: %s", reason)


def _how_unlike(
    encoder: GeoLocalizationNet, identity: EncoderIdentity, path: Path
) -> str:
    """Returns how the descriptors of a copy differ from those of its encoder, if so."""
    file = {path.name: StoredFile.from_path(path)}
    exact = FeatureExtractor(encoder, identity.preprocessing, engine="tensorflow")
    rng = np.random.default_rng(0)
    photos = [rng.random((*size, 3), np.float32) for size in _COMPARED_SIZES]
    found = _opened(path.parent, file, identity).extract(photos)
    difference = np.max(np.abs(found - exact.extract(photos)))
    if difference <= _LARGEST_DIFFERENCE:
        return ""
    return (
        "an ONNX copy of its encoder must give the descriptors of Keras within "
        f"{_LARGEST_DIFFERENCE:g}. Received: a difference of {difference:.1e}"
    )


def _why_not(encoder: GeoLocalizationNet, preprocessing: Preprocessing) -> str:
    """Returns why there is no ONNX copy of an encoder; empty if there is."""
    if preprocessing.precision != "float32":
        return f"photos are described in {preprocessing.precision}, queries as well."
    if loses_refusal(encoder, preprocessing):
        return "its encoder refuses small images, which ONNX would not."
    if not _are_installed(*_WRITTEN_WITH):
        return (
            "an ONNX copy of its encoder needs packages that are not installed. "
            "Install them by `pip install 'vpr_tf[onnx]'` and build it again."
        )
    return ""


def open_onnx_copy(folder: Path, manifest: IndexManifest) -> FeatureExtractor | None:
    """Opens the ONNX copy of the encoder of an index.

    Args:
        folder: The index.
        manifest: Its state.

    Returns:
        None where there is no copy, its packages are not installed, or the user wants
        another engine.

    Raises:
        IndexMismatchError: The file is damaged.
    """
    identity, file = manifest.encoder, manifest.encoder_files.get(ONNX_COPY)
    chosen = chosen_engine()
    is_wanted = chosen.engine in (None, _ENGINE) and chosen.encoder_url is None
    if identity is None or file is None or not is_wanted:
        return None
    if identity.preprocessing.precision != "float32" or not _are_installed(*_READ_WITH):
        return None
    check_file(folder, ONNX_COPY, file)
    return _opened(folder, {ONNX_COPY: file}, identity)


def _opened(
    folder: Path, files: dict[str, StoredFile], identity: EncoderIdentity
) -> FeatureExtractor:
    copy = ExportedEncoder(
        folder,
        "onnx",
        files,
        identity.descriptor_dim,
        identity.fingerprint,
        identity.preprocessing,
        identity.description,
    )
    return FeatureExtractor(
        copy, identity.preprocessing, engine=_ENGINE, description=identity.description
    )


def _are_installed(*packages: str) -> bool:
    return all(importlib.util.find_spec(package) for package in packages)
