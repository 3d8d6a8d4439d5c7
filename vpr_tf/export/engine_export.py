"""Exports an encoder for engines other than TensorFlow, and sees what it is worth."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from vpr_tf.atomic_files import write_json
from vpr_tf.config import ExperimentConfig, save_config, shared_config
from vpr_tf.data.image_batches import ImageSource, SplitImages
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.evaluation.evaluate import evaluate_model
from vpr_tf.export.formats import what_is_exported
from vpr_tf.export.image_sample import ImageSample, noise, sample_of
from vpr_tf.export.model_files import write_model
from vpr_tf.export.saved_model import ExportError, new_version
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.extraction.engines.comparison import SMALLEST_COSINES
from vpr_tf.extraction.export_record import (
    EXPORT_CONFIG,
    EXPORT_RECORD,
    FORMAT_VERSION,
    MODEL_FILES,
    PRECISIONS,
    Calibration,
    ExportRecord,
    Parity,
    RecallCheck,
)
from vpr_tf.extraction.exported_encoder import (
    ENGINE_OF_FORMAT,
    ExportedEncoder,
    loses_refusal,
)
from vpr_tf.stored_files import StoredFile

CALIBRATION_IMAGES, _FEWEST_CALIBRATION_IMAGES = 280, 100
_PARITY_IMAGES, _NOISE_IMAGES, _PARITY_BATCH = 32, 8, 4
_LARGEST_DIFFERENCE = 1e-5  # of two float32 computations of a unit vector
_LARGEST_LOSS = 0.5  # points of R@1, by 8 bits


@dataclass(frozen=True, eq=False)
class EngineExport:
    """An encoder that is to be exported, and the images that show what it is worth.

    Attributes:
        extractor: The encoder, a `GeoLocalizationNet`.
        config: Its experiment; `savedmodels_dir` and `name` say where the export lies.
        model_format: `onnx`, `openvino` or `litert`.
        precision: One of `PRECISIONS`.
        photos: Images for the comparison with Keras; None takes the queries of val,
            else those of `calibration`, else noise.
        calibration: Images for the ranges of int8; None takes the train split.
        dataset: That of the config, where it was built.
    """

    extractor: FeatureExtractor
    config: ExperimentConfig
    model_format: str
    precision: str
    photos: ImageSource | None = None
    calibration: ImageSource | None = None
    dataset: PreparedDataset | None = None

    def write(self) -> tuple[Path, ExportRecord]:
        """Writes the next version, unless it is not worth it.

        Returns:
            Its folder, and what lies beside the files.

        Raises:
            ExportError: It is too different from Keras, or loses too much recall, or
                there are too few images to calibrate on, or it would describe images
                that Keras refuses, or it cannot be written.
            ImportError: An extra is not installed.
            ValueError: The encoder cannot be converted, or an image not be read.
        """
        what_is_exported(self.model_format, self.precision)
        if loses_refusal(self.extractor.encoder, self._prepared):
            raise ExportError(
                "SALAD refuses images of too few patches, which other engines than "
                "TensorFlow would describe by NaN. `evaluation.resize` must be square. "
                f"Received: {self._prepared.resize}. Set it, or export a SavedModel."
            )
        suffix = "" if self.precision == "float32" else f"-{self.precision}"
        name = f"{self.config.name}-{self.model_format}{suffix}"
        made: list[ExportRecord] = []

        def write(folder: Path) -> None:
            made.append(self._write_into(folder))

        version = new_version(Path(self.config.savedmodels_dir) / name, write)
        return version, made[0]

    @property
    def _prepared(self) -> Any:
        own = self.extractor.preprocessing
        return dataclasses.replace(own, precision=PRECISIONS[self.precision])

    def _write_into(self, folder: Path) -> ExportRecord:
        sample = self._calibration_sample()
        prepared = self._prepared
        write_model(self.model_format, self.extractor.encoder, prepared, folder, sample)
        names = MODEL_FILES[self.model_format]
        files = {name: StoredFile.from_path(folder / name) for name in names}
        exact, exported = self._extractors(folder, files)
        calibration = None
        if sample is not None:
            calibration = Calibration(sample.text, len(sample), sample.sha256())
        record = ExportRecord(
            format_version=FORMAT_VERSION,
            format=self.model_format,
            precision=self.precision,
            descriptor_dim=exact.descriptor_dim,
            encoder_fingerprint=exact.fingerprint,
            description=self.extractor.description,
            preprocessing=prepared,
            files=files,
            parity=self._parity(exact, exported),
            calibration=calibration,
            recall=self._recall(exact, exported) if self.precision == "int8" else None,
            adapted_to=getattr(self.extractor.encoder, "adapted_to", None),
        )
        save_config(shared_config(self.config), folder / EXPORT_CONFIG)
        write_json(folder / EXPORT_RECORD, dataclasses.asdict(record))
        return record

    def _extractors(
        self, folder: Path, files: dict[str, StoredFile]
    ) -> tuple[FeatureExtractor, FeatureExtractor]:
        """Returns the encoder in float32, and what was written, as users load it."""
        prepared, batch_size = self._prepared, self.extractor.batch_size
        exact = FeatureExtractor(
            self.extractor.encoder,
            dataclasses.replace(prepared, precision="float32"),
            engine="tensorflow",
            batch_size=batch_size,
        )
        written = ExportedEncoder(
            folder,
            self.model_format,
            files,
            exact.descriptor_dim,
            exact.fingerprint,
            prepared,
        )
        engine = ENGINE_OF_FORMAT[self.model_format]  # whatever `using_engine` says
        return exact, FeatureExtractor(
            written, prepared, engine=engine, batch_size=batch_size
        )

    def _calibration_sample(self) -> ImageSample | None:
        """Returns the images that 8-bit activations are measured on, if that is done.

        Raises:
            ExportError: There are none, or too few.
        """
        if (self.model_format, self.precision) != ("openvino", "int8"):
            return None
        source = self.calibration
        if source is None and self.dataset is not None:
            source = SplitImages(self.dataset.split("train"))
        found = 0 if source is None else len(source)
        if source is None or found < _FEWEST_CALIBRATION_IMAGES:
            raise ExportError(
                f"int8 needs {_FEWEST_CALIBRATION_IMAGES} photos or more, like those "
                "that will be described, to measure the range of activations on. Pass "
                "--calibration PHOTOS, or --config with a prepared dataset. Received: "
                f"{found}"
            )
        prepared = dataclasses.replace(self._prepared, precision="float32")
        return sample_of(source, CALIBRATION_IMAGES, prepared, self.config.seed)

    def _parity_sample(self) -> ImageSample:
        prepared = dataclasses.replace(self._prepared, precision="float32")
        seed, source = self.config.seed, self.photos
        if source is None and self.dataset is not None and self.dataset.val:
            source = SplitImages(self.dataset.split(self.dataset.val.queries))
        if source is None:
            source = self.calibration
        if source is None or not len(source):
            return noise(_NOISE_IMAGES, prepared, seed, _PARITY_BATCH)
        return sample_of(source, _PARITY_IMAGES, prepared, seed, _PARITY_BATCH)

    def _parity(self, exact: FeatureExtractor, exported: FeatureExtractor) -> Parity:
        """Compares with Keras.

        Raises:
            ExportError: It is another function of images.
        """
        sample = self._parity_sample()
        differences, cosines = [], []
        for images in sample:
            with _whole_float32():
                expected = exact.forward()(images)
            received = exported.forward()(images)
            differences.append(np.max(np.abs(expected - received)))
            cosines.append(np.min(np.sum(expected * received, axis=1)))
        parity = Parity(
            sample.text,
            len(sample),
            float(np.max(differences)),  # NaN if one is, unlike that of Python
            float(np.min(cosines)),
            exported.preprocessing.precision,
        )
        self._check_parity(parity)
        return parity

    def _check_parity(self, parity: Parity) -> None:
        difference, cosine = parity.max_difference, parity.min_cosine
        if self.precision == "float32" and not difference < _LARGEST_DIFFERENCE:
            raise ExportError(
                f"{self.model_format} must give the descriptors of Keras within "
                f"{_LARGEST_DIFFERENCE:g}. Received: a difference of "
                f"{difference:.1e}, on {parity.images}. Export a SavedModel."
            )
        smallest = SMALLEST_COSINES[self.precision]
        if not (cosine >= smallest and np.isfinite(difference)):
            raise ExportError(
                f"{self.model_format} in {self.precision} must give descriptors whose "
                f"cosine with those of Keras is at least {smallest}. Received: "
                f"{cosine:.4f}, on {parity.images}. Pass --precision float32, another "
                "--format, or --photos like those that will be described."
            )

    def _recall(
        self, exact: FeatureExtractor, exported: FeatureExtractor
    ) -> RecallCheck | None:
        """Compares R@1 on val, if there is one.

        Raises:
            ExportError: 8 bits lose too much.
        """
        if self.dataset is None or self.dataset.val is None:
            return None
        before, after = (
            evaluate_model(
                extractor,
                self.dataset,
                self.dataset.val,
                self.config.evaluation,
                recall_values=[1],
            )
            for extractor in (exact, exported)
        )
        check = RecallCheck(
            "val", before.num_queries, before.recalls[1], after.recalls[1]
        )
        if not check.before - check.after <= _LARGEST_LOSS:
            raise ExportError(
                f"8 bits must lose at most {_LARGEST_LOSS} points of R@1. Received: "
                f"{check.before:.1f} in float32, {check.after:.1f} in int8 on val. "
                "Calibrate on photos that are more like val (--calibration PHOTOS), or "
                "pass --precision bfloat16 or float32."
            )
        return check


@contextlib.contextmanager
def _whole_float32() -> Iterator[None]:
    """Keeps GPUs from products of 10 bits, which they take for float32."""
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)
