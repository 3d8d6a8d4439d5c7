"""An exported encoder, used as any other."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import tensorflow as tf

from vpr_tf.config import ExperimentConfig, Preprocessing, load_config
from vpr_tf.extraction.model_source import EXPORTED_CONFIG

_SIGNATURE = "descriptors"


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

    Raises:
        ValueError: The folder holds another kind of SavedModel.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = folder = Path(folder)
        if not (folder / EXPORTED_CONFIG).is_file():
            raise ValueError(
                f"The SavedModel {folder} has no {EXPORTED_CONFIG}, which says how "
                "images are prepared. Use one that training exported."
            )
        self.config: ExperimentConfig = load_config(folder / EXPORTED_CONFIG)
        evaluation = self.config.evaluation
        self.preprocessing = Preprocessing(evaluation.resize, evaluation.image_size)
        self._model = tf.saved_model.load(str(folder))  # keeps the variables alive
        if _SIGNATURE not in self._model.signatures:
            raise ValueError(
                f"The SavedModel {folder} must have the signature {_SIGNATURE!r}. "
                f"Received: {sorted(self._model.signatures)}"
            )
        self._describe = self._model.signatures[_SIGNATURE]
        output = self._describe.structured_outputs["descriptors"]
        self.descriptor_dim = int(output.shape[1])
        self.fingerprint = _hash_of(folder)

    def __call__(self, images: Any, training: bool = False) -> Any:
        """Maps `(batch, height, width, 3)` in [0, 1] to unit descriptors."""
        if training:
            raise ValueError("A SavedModel does not train. Pass training=False.")
        return self._describe(images=images)["descriptors"]


def _hash_of(folder: Path) -> str:
    digest = hashlib.sha256()
    files = [folder / "saved_model.pb", *sorted((folder / "variables").iterdir())]
    for path in files:
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
