"""An encoder, a dataset, and the folder where their results go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vpr_tf.classification import load_heads
from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.config import ExperimentConfig
from vpr_tf.data.prepared_dataset import EvaluationSet, PreparedDataset
from vpr_tf.evaluation.classification import evaluate_predictor
from vpr_tf.evaluation.errors import EvaluationError
from vpr_tf.evaluation.evaluate import evaluate_encoder
from vpr_tf.evaluation.narrowed import DescribedBy, Narrowing, evaluate_narrowed
from vpr_tf.evaluation.results import EvaluationResult
from vpr_tf.extraction.encoders import encoder_fingerprint
from vpr_tf.extraction.model_sources import LoadedEncoder, load_encoder


@dataclass(frozen=True, eq=False)
class EncoderOnDataset:
    """What an evaluation needs; descriptors are kept in its folder.

    Attributes:
        dataset: The prepared dataset.
        sets: The chosen evaluation sets.
        loaded: The encoder and how images are prepared for it.
        fingerprint: Identity of the encoder.
        folder: Where results go.
        predictor: Heads that answer, for the method `classification`.
        narrowing: Heads whose best cells are searched, for the method `narrowed`.
    """

    dataset: PreparedDataset
    sets: list[EvaluationSet]
    loaded: LoadedEncoder
    fingerprint: str
    folder: Path
    predictor: PlacePredictor | None = None
    narrowing: Narrowing | None = None

    @classmethod
    def open(
        cls,
        config: ExperimentConfig,
        model: str | Path | None = None,
        set_names: Sequence[str] = (),
        output_dir: str | Path | None = None,
    ) -> EncoderOnDataset:
        """Opens the dataset of a config and loads a model.

        Args:
            config: Dataset and evaluation settings.
            model: See `load_encoder`.
            set_names: `val` or names of test sets; empty for all test sets.
            output_dir: Folder of the results; None for the model's own.

        Raises:
            EvaluationError: No such evaluation set.
            EncoderError: No such model.
            ClassificationError: The model has no heads, and the method needs them.
        """
        dataset = PreparedDataset(config.dataset.path)
        sets = _choose_sets(dataset, set_names)
        loaded = load_encoder(config, model)
        folder = Path(output_dir) if output_dir else loaded.output_dir
        fingerprint = encoder_fingerprint(loaded.encoder)
        predictor = narrowing = None
        if config.evaluation.method == "classification":
            predictor = load_heads(model, config.classification)
        elif config.evaluation.method == "narrowed":
            own = DescribedBy(loaded, fingerprint)
            narrowing = Narrowing.open(config, model, own)
        return cls(dataset, sets, loaded, fingerprint, folder, predictor, narrowing)

    @property
    def preprocessing(self) -> str:
        """How images are prepared, for people: `square 224, float32`."""
        evaluation = self.loaded.evaluation
        size = "" if evaluation.resize == "native" else f" {evaluation.image_size}"
        return f"{evaluation.resize}{size}, {evaluation.precision}"

    def evaluate(
        self, evaluation_set: EvaluationSet, num_predictions: int | None = None
    ) -> EvaluationResult:
        """Evaluates one set by the method of the config."""
        if self.predictor is not None:
            return evaluate_predictor(
                self.loaded.encoder,
                self.predictor,
                self.dataset,
                evaluation_set,
                self.loaded.evaluation,
                work_dir=self.folder / "descriptors",
                encoder_fingerprint=self.fingerprint,
                num_predictions=num_predictions,
            )
        if self.narrowing is not None:
            return evaluate_narrowed(
                self.described_by,
                self.narrowing,
                self.dataset,
                evaluation_set,
                self.loaded.evaluation,
                work_dir=self.folder / "descriptors",
                num_predictions=num_predictions,
            )
        return evaluate_encoder(
            self.loaded.encoder,
            self.dataset,
            evaluation_set,
            self.loaded.evaluation,
            work_dir=self.folder / "descriptors",
            encoder_fingerprint=self.fingerprint,
            num_predictions=num_predictions,
        )

    def database_descriptors(self, evaluation_set: EvaluationSet) -> np.ndarray:
        """Returns the descriptors `(num_database, dim)` that `evaluate` computed."""
        return self.descriptors(evaluation_set.database)

    def descriptors(self, split: str) -> np.ndarray:
        """Returns the descriptors `(num_images, dim)` of a split, kept or computed."""
        folder = self.folder / "descriptors" / split
        return self.described_by.describe(self.dataset, split, folder)

    @property
    def described_by(self) -> DescribedBy:
        """The encoder and how images are prepared for it."""
        return DescribedBy(self.loaded, self.fingerprint)


def _choose_sets(dataset: PreparedDataset, names: Sequence[str]) -> list[EvaluationSet]:
    available = dict(dataset.tests)
    if dataset.val is not None:
        available = {"val": dataset.val, **available}
    chosen = list(names) or list(dataset.tests)
    unknown = [name for name in chosen if name not in available]
    if unknown or not chosen:
        raise EvaluationError(
            f"{dataset.path} has no evaluation set "
            f"{', '.join(map(repr, unknown)) or 'for testing'}. It has: "
            f"{', '.join(available) or 'none'}. Choose by --set, or "
            "add one with `vpr data add-test --config FILE NAME=DATABASE,QUERIES`."
        )
    return [available[name] for name in chosen]
