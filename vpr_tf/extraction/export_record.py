"""What lies beside an exported encoder, and says what it is: `encoder.json`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from vpr_tf.config import AdaptedTo, Preprocessing
from vpr_tf.config.rules import MOST_VALUES
from vpr_tf.extraction.errors import EncoderError
from vpr_tf.stored_files import StoredFile

EXPORT_RECORD = "encoder.json"
EXPORT_CONFIG = "config.yaml"
FORMAT_VERSION = 1
# The files of each format; SavedModels have no record.
MODEL_FILES = {
    "onnx": ("model.onnx",),
    "openvino": ("model.xml", "model.bin"),
    "litert": ("model.tflite",),
}
# From the words of a command line to those of `Preprocessing`.
PRECISIONS = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
    "int8": "int8",
}
# What becomes of the weights and of the computation; no other pairs are exported.
EXPORTS = {
    ("onnx", "float32"): "weights and computation in float32",
    ("openvino", "float32"): "weights and computation in float32",
    ("openvino", "bfloat16"): "weights in float32, computation in bfloat16 on a CPU "
    "that has it, else in float32",
    ("openvino", "float16"): "weights in float16, half the size; computation in "
    "float16 on a CPU that has it, else in float32",
    ("openvino", "int8"): "weights and activations in 8 bits from the fourth "
    "convolution to the last, by ranges that are measured on photos",
    ("litert", "float32"): "weights and computation in float32",
    ("litert", "float16"): "weights in float16, half the size; computation in float32",
    ("litert", "int8"): "weights in 8 bits; activations too, by the range of each "
    "image",
}


@dataclass(frozen=True)
class Parity:
    """How near the descriptors of an export are to those of Keras in float32.

    Attributes:
        images: Which images were compared, for people.
        num_images: How many.
        max_difference: Largest absolute difference of two numbers.
        min_cosine: Smallest cosine of two descriptors of one image.
        computed_in: Precision of the machine that compared, in the words of
            `Preprocessing`; float32 where it lacks the instructions.
    """

    images: str
    num_images: int
    max_difference: float
    min_cosine: float
    computed_in: str = "float32"


@dataclass(frozen=True)
class RecallCheck:
    """R@1 on a val set, in percent, before and after quantisation."""

    images: str
    num_queries: int
    before: float
    after: float


@dataclass(frozen=True)
class Calibration:
    """The photos that the ranges of 8-bit activations were measured on.

    Attributes:
        images: Which, for people.
        num_images: How many.
        sha256: Of their pixels as the encoder got them, in their order.
    """

    images: str
    num_images: int
    sha256: str


@dataclass(frozen=True)
class ExportRecord:
    """What an exported encoder is.

    Attributes:
        format_version: Of the record.
        format: One of `MODEL_FILES`.
        precision: One of `PRECISIONS`; `preprocessing` has the same in its own words.
        descriptor_dim: Length of a descriptor.
        encoder_fingerprint: That of the encoder that was exported.
        description: What that is, for people.
        preprocessing: How images are prepared.
        files: What the files of the model must be, by name.
        parity: Against Keras, when it was exported.
        calibration: Of int8, where photos were needed.
        recall: Of int8, where there was a val set.
        adapted_to: Photos that the encoder was adapted to; None if it was not.

    Raises:
        EncoderError: The fields do not go together.
    """

    format_version: int
    format: str
    precision: str
    descriptor_dim: int
    encoder_fingerprint: str
    description: str
    preprocessing: Preprocessing
    files: dict[str, StoredFile]
    parity: Parity
    calibration: Calibration | None = None
    recall: RecallCheck | None = None
    adapted_to: AdaptedTo | None = None

    def __post_init__(self) -> None:
        if self.format_version != FORMAT_VERSION:
            raise EncoderError(
                f"`format_version` must be {FORMAT_VERSION}. Received: "
                f"{self.format_version}. Install the vpr_tf that wrote it, or export "
                "the encoder again."
            )
        fits = (
            (self.format, self.precision) in EXPORTS
            and sorted(self.files) == sorted(MODEL_FILES[self.format])
            and PRECISIONS[self.precision] == self.preprocessing.precision
            and 1 <= self.descriptor_dim <= MOST_VALUES
        )
        if not fits:
            raise EncoderError(
                "`format`, `precision`, `descriptor_dim`, `preprocessing` and `files` "
                f"must go together. Received: {self.format!r}, {self.precision!r}, "
                f"{self.descriptor_dim}, {self.preprocessing}, {sorted(self.files)}"
            )

    @property
    def fingerprint(self) -> str:
        """Identity of what is computed: in float32 that of the source."""
        if self.precision == "float32":
            return self.encoder_fingerprint
        contents = [self.files[name].sha256 for name in MODEL_FILES[self.format]]
        parts = [self.encoder_fingerprint, self.format, self.precision, *contents]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
