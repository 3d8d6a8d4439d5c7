"""What a teacher says of the train split, for objectives that learn from it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from vpr_tf.config import ConfigError, ExperimentConfig, Preprocessing, TeacherConfig
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.extraction import DescriptorFile, EncoderError, load_extractor
from vpr_tf.extraction.whitening import fit_whitening
from vpr_tf.models import finished_run
from vpr_tf.training.process import is_chief, values_of_chief

_PHOTOS_OF_PCA = 20_000
_ROWS_AT_ONCE = 8192


@dataclass(frozen=True, eq=False)
class Teacher:
    """Descriptors of the train split, kept for all runs that learn from them.

    Attributes:
        config: `train.teacher`, its model not `run:NAME` but that run.
        description: The model, for people.
        source: All that determines the descriptors; JSON-ready.
        descriptors: `(num_images, teacher_dim)`, memory-mapped.
        folder: Where they are.
        strategy: The chief writes, the other workers read.
    """

    config: TeacherConfig
    description: str
    source: dict[str, Any]
    descriptors: np.ndarray
    folder: Path
    strategy: tf.distribute.Strategy

    @classmethod
    def of(
        cls,
        config: ExperimentConfig,
        teacher: TeacherConfig,
        dataset: PreparedDataset,
        strategy: tf.distribute.Strategy,
    ) -> Teacher:
        """Describes the train split, or what an earlier run left to do.

        Images are prepared as the teacher wants them, without augmentation. All workers
        must call it.

        Args:
            config: `runs_dir`, where the descriptors are kept, and
                `evaluation.batch_size`.
            teacher: `config.train.teacher`.
            dataset: The prepared dataset.
            strategy: The strategy of the run.

        Raises:
            ConfigError: There is no such model, or it cannot be loaded.
        """
        if teacher.run_name is not None:
            run = finished_run(config, teacher.run_name, "train.teacher.model")
            teacher = dataclasses.replace(teacher, model=str(run))
        size = teacher.image_size
        prepared = None if size is None else Preprocessing("square", size)
        try:
            extractor = load_extractor(model=teacher.model, preprocessing=prepared)
        except EncoderError as error:
            raise ConfigError(f"`train.teacher.model`: {error}") from error
        extractor.batch_size = config.evaluation.batch_size
        source = extractor.split_source(dataset, "train")
        folder = Path(config.runs_dir) / "teachers" / _hash(source)[:16]
        descriptors = _chief_first(
            strategy, lambda: extractor.extract_split(dataset, "train", folder)
        )
        return cls(
            teacher, extractor.description, source, descriptors, folder, strategy
        )

    @property
    def facts(self) -> dict[str, Any]:
        """What the teacher is, for `metrics.json`."""
        return {
            "teacher": self.config.model,
            "teacher_description": self.description,
            "teacher_fingerprint": _hash(self.source),
        }

    def of_length(self, descriptor_dim: int) -> np.ndarray:
        """Returns the descriptors in the length of the student's.

        Those of another length are projected once, see `TeacherConfig.projection`.

        Args:
            descriptor_dim: Length of the student's.

        Returns:
            `(num_images, descriptor_dim)`, memory-mapped.

        Raises:
            ConfigError: PCA cannot give so many values.
        """
        if self.descriptors.shape[1] == descriptor_dim:
            return self.descriptors
        return _chief_first(self.strategy, lambda: self._projected(descriptor_dim))

    def _projected(self, dim: int) -> np.ndarray:
        name = f"{self.config.projection}_{dim}"
        source = {**self.source, "projection": name}
        num_images = len(self.descriptors)
        file = DescriptorFile(self.folder / name, source, num_images, dim)
        missing = file.missing_rows
        if len(missing):
            project = self._projection(dim)
            for rows in np.split(
                missing, range(_ROWS_AT_ONCE, len(missing), _ROWS_AT_ONCE)
            ):
                file.write(rows, project(self.descriptors[rows]))
            file.commit()
        return file.descriptors

    def _projection(self, dim: int) -> Callable[[np.ndarray], np.ndarray]:
        num_images, teacher_dim = self.descriptors.shape
        if self.config.projection == "random":
            square = np.random.default_rng(0).normal(size=(max(teacher_dim, dim),) * 2)
            rotation = np.linalg.qr(square)[0][:teacher_dim, :dim].astype("float32")
            return lambda descriptors: descriptors @ rotation
        sample = np.linspace(
            0, num_images - 1, min(num_images, _PHOTOS_OF_PCA), dtype=np.int64
        )
        try:
            pca = fit_whitening(self.descriptors[sample], dim, whiten=False)
        except ValueError as error:
            raise ConfigError(
                f"The student's descriptors have {dim} values and the teacher's "
                f"{teacher_dim}, which `train.teacher.projection: pca` cannot bring "
                f"together: {error} Or set it to random."
            ) from error
        return lambda descriptors: descriptors @ pca.kernel + pca.bias


def _chief_first(
    strategy: tf.distribute.Strategy, make: Callable[[], np.ndarray]
) -> np.ndarray:
    """Lets the chief write files, which the other workers then find."""
    made = make() if is_chief(strategy) else None
    values_of_chief(strategy, [0.0])
    return make() if made is None else made


def _hash(source: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(source, sort_keys=True).encode()).hexdigest()
