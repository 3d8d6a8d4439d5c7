"""Encoders as files of another engine than TensorFlow: ONNX, OpenVINO, LiteRT."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpr_tf.config import AdaptedTo, Preprocessing
from vpr_tf.extraction.errors import EncoderError
from vpr_tf.extraction.export_record import EXPORT_RECORD, MODEL_FILES, ExportRecord
from vpr_tf.extraction.exported_model_check import check_contents
from vpr_tf.extras import import_extra
from vpr_tf.stored_files import Checksums, StoredFile
from vpr_tf.stored_paths import StoredPathError, inside
from vpr_tf.stored_values import from_stored, read_json
from vpr_tf.trusted_models import models_are_trusted

ENGINE_OF_FORMAT = {"onnx": "onnxruntime", "openvino": "openvino", "litert": "litert"}
_MOST_BYTES = 2 << 30  # an encoder of 500 million weights


@dataclass(frozen=True)
class ExportedEncoder:
    """An encoder that engines compute without TensorFlow.

    Attributes:
        folder: Where its files lie.
        format: One of `MODEL_FILES`.
        files: What its files must be, by path relative to the folder, in the order of
            `MODEL_FILES`.
        descriptor_dim: Length of a descriptor.
        fingerprint: Identity of the encoder; in float32 that of its source.
        preprocessing: How images are prepared for it; `precision` is that of the file.
        description: What it is, for people.
        adapted_to: Photos that it was adapted to; None if it was not.
    """

    folder: Path
    format: str
    files: dict[str, StoredFile]
    descriptor_dim: int
    fingerprint: str
    preprocessing: Preprocessing
    description: str = ""
    adapted_to: AdaptedTo | None = None

    def __call__(self, images: Any, training: bool = False) -> Any:
        """Raises an error: an engine computes it, see `FeatureExtractor`."""
        raise EncoderError(
            "An exported encoder is computed by its engine. Pass it to "
            "FeatureExtractor."
        )

    @classmethod
    def from_folder(cls, folder: str | Path) -> ExportedEncoder:
        """Reads what `vpr export` wrote, and looks into its files.

        Args:
            folder: Of one version.

        Raises:
            EncoderError: It cannot be read, is damaged, or may do more than compute.
        """
        folder = Path(folder)
        record = read_record(folder)
        encoder = cls(
            folder,
            record.format,
            {name: record.files[name] for name in MODEL_FILES[record.format]},
            record.descriptor_dim,
            record.fingerprint,
            record.preprocessing,
            record.description,
            record.adapted_to,
        )
        encoder.contents()
        return encoder

    def contents(self) -> list[bytes]:
        """Returns the files, compared with what was written, and looked into.

        What is read here is what an engine gets: a path might lead to another file
        by then.

        Raises:
            EncoderError: A file is missing, damaged, a link, or of another encoder.
            UntrustedModelError: It may do more than compute.
        """
        contents = [self._content(name, file) for name, file in self.files.items()]
        check_contents(self.format, contents, self.folder)
        if self.format == "onnx" and not models_are_trusted():
            self._check_fingerprint(contents[0])
        return contents

    def _check_fingerprint(self, model: bytes) -> None:
        """Sees that an ONNX model says of itself to be this encoder."""
        metadata = import_extra("onnx", "onnx").ModelProto.FromString(model)
        found = {one.key: one.value for one in metadata.metadata_props}
        received = found.get("fingerprint", "none")
        if received != self.fingerprint:
            raise EncoderError(
                f"The ONNX model in {self.folder} must be the encoder of the "
                f"fingerprint {self.fingerprint[:16]}. Received: that of "
                f"{received[:16]!a}. Copy or export the encoder again."
            )

    def copy_to(self, folder: Path) -> Path:
        """Writes a copy, without the config, into a new folder; returns the folder.

        Raises:
            EncoderError: See `contents`.
            OSError: It cannot be written.
        """
        folder.mkdir()
        record = inside(self.folder, EXPORT_RECORD).read_bytes()
        (folder / EXPORT_RECORD).write_bytes(record)
        for name, content in zip(self.files, self.contents(), strict=True):
            (folder / name).write_bytes(content)
        return folder

    def _content(self, name: str, file: StoredFile) -> bytes:
        try:
            path = inside(self.folder, name)
            problem = file.problem(path, "size")
            if file.num_bytes > _MOST_BYTES:
                problem = f"has more than {_MOST_BYTES} bytes"
            content = b"" if problem else path.read_bytes()
        except (StoredPathError, OSError) as error:
            raise EncoderError(
                f"{self.folder / name} cannot be read: {error}"
            ) from error
        if problem is None:
            sums = Checksums()
            sums.update(content)
            if sums.stored() == file:
                return content
            problem = "has another content"
        raise EncoderError(
            f"{path} is damaged: it {problem}. Copy or export the encoder again."
        )


def loses_refusal(encoder: Any, preprocessing: Preprocessing) -> bool:
    """Whether an export would describe images that an encoder refuses.

    SALAD refuses those of too few patches by a check that only TensorFlow has; squares
    all have the size that is compared with Keras.

    Args:
        encoder: A `GeoLocalizationNet`.
        preprocessing: How images are prepared for it.
    """
    return (
        encoder.aggregation_name == "optimal_transport"
        and preprocessing.resize != "square"
    )


def read_record(folder: Path) -> ExportRecord:
    """Reads what an export says of itself; its files are not looked at.

    Raises:
        EncoderError: It cannot be read, or is none.
    """
    try:
        return from_stored(ExportRecord, read_json(inside(folder, EXPORT_RECORD)))
    except (ValueError, OSError) as error:
        raise EncoderError(
            f"{folder / EXPORT_RECORD} is no record of an export: {error}. Copy or "
            "export the encoder again."
        ) from error
