"""The encoder of an index as ONNX: it describes queries without TensorFlow.

To import TensorFlow takes longer than all else that one photo needs.
"""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from vpr_tf.engine_choice import chosen_engine
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.extraction.exported_encoder import ExportedEncoder
from vpr_tf.place_index.checked_files import check_file
from vpr_tf.place_index.layout import ONNX_COPY
from vpr_tf.place_index.manifest import IndexManifest

if TYPE_CHECKING:
    from vpr_tf.config import Preprocessing
    from vpr_tf.models import GeoLocalizationNet

_LOG = logging.getLogger("vpr_tf")
_ENGINE = "onnxruntime"
_WRITTEN_WITH, _READ_WITH = ("onnx", "tf2onnx"), ("onnx", _ENGINE)


def keep_onnx_copy(
    encoder: GeoLocalizationNet, preprocessing: Preprocessing, path: Path
) -> None:
    """Writes an encoder as ONNX, where that gives the descriptors of the index.

    Else nothing is written, and a line says why.

    Args:
        encoder: The encoder.
        preprocessing: How photos are prepared for it.
        path: The file.
    """
    reason = _why_not(encoder, preprocessing)
    if not reason:
        from vpr_tf.models.onnx_conversion import to_onnx

        try:
            path.write_bytes(to_onnx(encoder, preprocessing))
        except ValueError as error:
            reason = str(error)
    if reason:
        _LOG.warning("TensorFlow is loaded to localize by this index: %s", reason)


def _why_not(encoder: GeoLocalizationNet, preprocessing: Preprocessing) -> str:
    """Returns why there is no ONNX copy of an encoder; empty if there is."""
    if preprocessing.precision != "float32":
        return f"photos are described in {preprocessing.precision}, queries as well."
    if encoder.aggregation_name == "salad" and preprocessing.resize != "square":
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
    copy = ExportedEncoder(
        folder,
        "onnx",
        {ONNX_COPY: file},
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
