"""Encoders on disk: exported as SavedModels, or as files beside their descriptors."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import h5py
import tensorflow as tf

from vpr_tf.config import ExperimentConfig, load_saved_config
from vpr_tf.extraction.adaptation_notes import note_of_saved_model
from vpr_tf.extraction.encoders import Encoder
from vpr_tf.extraction.errors import EncoderError
from vpr_tf.extraction.export_record import EXPORT_RECORD
from vpr_tf.extraction.exported_encoder import ExportedEncoder
from vpr_tf.extraction.model_source import EXPORTED_CONFIG
from vpr_tf.extraction.saved_model_check import GRAPH_FILE, check_saved_model
from vpr_tf.models import GeoLocalizationNet, read_keras_file

_SIGNATURE = "descriptors"
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_METADATA, _WEIGHTS = "metadata.json", "model.weights.h5"


class SavedEncoder:
    """The `descriptors` signature of a SavedModel that `export_encoder` wrote.

    Args:
        folder: Folder of one version.

    Attributes:
        folder: Where it lies.
        config: The experiment that made it, with the preparation of images.
        descriptor_dim: Length of a descriptor.
        preprocessing: How its graph prepares images.
        fingerprint: Hash of the graph and the variables.
        adapted_to: Photos that it was adapted to; None if it was not.

    Raises:
        ValueError: The folder holds another kind of SavedModel, a damaged one, or one
            that may do more than compute, see `check_saved_model`.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = folder = Path(folder)
        check_saved_model(folder)
        if not (folder / EXPORTED_CONFIG).is_file():
            raise ValueError(
                f"The SavedModel {folder} has no {EXPORTED_CONFIG}, which says how "
                "images are prepared. Use one that training exported."
            )
        self.config: ExperimentConfig = load_saved_config(folder / EXPORTED_CONFIG)
        evaluation = self.config.evaluation
        self.preprocessing = dataclasses.replace(
            evaluation.preprocessing, precision="float32"
        )
        self.adapted_to = note_of_saved_model(folder)
        self._model = _load(folder)  # keeps the variables alive
        if _SIGNATURE not in self._model.signatures:
            raise ValueError(
                f"The SavedModel {folder} must have the signature {_SIGNATURE!r}. "
                f"Received: {sorted(self._model.signatures)}"
            )
        self._describe = self._model.signatures[_SIGNATURE]
        self.descriptor_dim = _descriptor_dim(self._describe, folder)
        self.fingerprint = _hash_of(folder)

    def __call__(self, images: Any, training: bool = False) -> Any:
        """Maps `(batch, height, width, 3)` in [0, 1] to unit descriptors."""
        if training:
            raise ValueError("A SavedModel does not train. Pass training=False.")
        return self._describe(images=images)["descriptors"]


def _load(folder: Path) -> Any:
    try:
        return tf.saved_model.load(str(folder))
    except Exception as error:  # whatever a damaged graph leads TensorFlow to
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(
            f"The SavedModel {folder} is damaged: {reason[0]}. Copy or export it again."
        ) from error


def _descriptor_dim(describe: Any, folder: Path) -> int:
    output = describe.structured_outputs
    shape = getattr(output.get("descriptors"), "shape", None) if output else None
    if shape is None or shape.rank != 2 or shape[1] is None:
        raise ValueError(
            f"The signature {_SIGNATURE!r} of the SavedModel {folder} must give "
            f"`descriptors` of the shape (batch, descriptor_dim). Received: {output}"
        )
    return int(shape[1])


def _hash_of(folder: Path) -> str:
    digest = hashlib.sha256()
    files = [folder / GRAPH_FILE, *sorted((folder / "variables").iterdir())]
    for path in files:
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def store_encoder(encoder: Any, path: str | Path) -> Path:
    """Writes a Keras encoder to a file, or finds where an export lies.

    Args:
        encoder: The encoder.
        path: The `.keras` file to write; the same encoder gives the same bytes.

    Returns:
        The file, or the folder of the export.

    Raises:
        EncoderError: Any other kind of encoder, or it cannot be written.
    """
    if isinstance(encoder, SavedEncoder | ExportedEncoder):
        return encoder.folder
    if not isinstance(encoder, GeoLocalizationNet):
        raise EncoderError(
            "An index keeps a GeoLocalizationNet or an export. Received: "
            f"{type(encoder).__name__}"
        )
    path = Path(path)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            saved = Path(folder) / "encoder.keras"
            encoder.save(saved)
            undated = Path(folder) / "undated.keras"
            _without_dates(saved, undated)
            undated.replace(path)
    except (OSError, RuntimeError) as error:  # of HDF5
        raise EncoderError(
            f"Cannot write the encoder to {path.parent}: {error}. Make space there, or "
            "give permission to write; the same command continues."
        ) from error
    return path


def read_stored_encoder(path: str | Path) -> Encoder:
    """Loads what `store_encoder` wrote, or a copy of an export.

    Raises:
        EncoderError: It cannot be loaded.
    """
    path = Path(path)
    try:
        if (path / EXPORT_RECORD).is_file():
            return ExportedEncoder.from_folder(path)
        return SavedEncoder(path) if path.is_dir() else read_keras_file(path)
    except (ValueError, OSError) as error:
        raise EncoderError(f"Cannot load the encoder {path}: {error}") from error


def _without_dates(source: Path, destination: Path) -> None:
    """Copies a `.keras` file without the times of its making."""
    with (
        zipfile.ZipFile(source) as dated,
        zipfile.ZipFile(destination, "w", zipfile.ZIP_STORED) as undated,
    ):
        for name in sorted(dated.namelist()):
            content = dated.read(name)
            if name == _METADATA:
                metadata = json.loads(content) | {"date_saved": ""}
                content = json.dumps(metadata).encode()
            elif name == _WEIGHTS:
                content = _without_layer_names(content)
            undated.writestr(zipfile.ZipInfo(name, _ZIP_EPOCH), content)


def _without_layer_names(content: bytes) -> bytes:
    """Copies HDF5 weights without the names that count the layers of a process."""
    copy = io.BytesIO()
    with h5py.File(io.BytesIO(content)) as named, h5py.File(copy, "w") as unnamed:
        for group in named:
            named.copy(group, unnamed, without_attrs=True)

        def copy_attributes(path: str, item: h5py.HLObject) -> None:
            for name, value in item.attrs.items():
                if name != "name":
                    unnamed[path].attrs[name] = value

        named.visititems(copy_attributes)
    return copy.getvalue()
