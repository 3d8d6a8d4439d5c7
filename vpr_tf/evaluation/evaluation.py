"""A model, the sets that it is evaluated on, and the folder of the results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vpr_tf.config import EvaluationConfig, ExperimentConfig
from vpr_tf.data.prepared_dataset import EvaluationSet, PreparedDataset
from vpr_tf.evaluation.evaluate import evaluate_model
from vpr_tf.evaluation.evaluated_model import EvaluatedModel
from vpr_tf.evaluation.results import EvaluationResult
from vpr_tf.extraction.feature_extractor import FeatureExtractor
from vpr_tf.extraction.model_source import RUN, find_model
from vpr_tf.stored_paths import files_inside, inside


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What an evaluation needs; descriptors are kept in its folder.

    Attributes:
        dataset: The prepared dataset.
        sets: The chosen evaluation sets.
        model: The encoder and its heads.
        config: Search, threshold and recall values.
        folder: Where results on this dataset go; those of a set in `set_folder`.
    """

    dataset: PreparedDataset
    sets: list[EvaluationSet]
    model: EvaluatedModel
    config: EvaluationConfig
    folder: Path

    @classmethod
    def open(
        cls,
        config: ExperimentConfig,
        model: str | Path | None = None,
        set_names: Sequence[str] = (),
        output_dir: str | Path | None = None,
        query_model: str | Path | None = None,
    ) -> Evaluation:
        """Opens the dataset of a config and loads a model.

        Args:
            config: Dataset and evaluation settings.
            model: See `load_extractor`.
            set_names: `val` or names of test sets; empty for all test sets.
            output_dir: Folder of the results; None for the model's own. Each dataset
                and each set has a folder of its own in it.
            query_model: Describes the queries; see `EvaluatedModel.with_query_model`.

        Raises:
            EvaluationError: No such evaluation set.
            EncoderError: No such model.
            ClassificationError: The model has no heads, and the method needs them.
        """
        dataset = PreparedDataset(config.dataset.path)
        sets = dataset.evaluation_sets(set_names)
        loaded = EvaluatedModel.load(config, model)
        results = Path(output_dir or results_folder(config, model))
        if query_model is not None:
            loaded = loaded.with_query_model(query_model)
            if output_dir is None:
                results = results / f"queries_by_{find_model(query_model).name}"
        folder = dataset_folder(results, dataset)
        return cls(dataset, sets, loaded, config.evaluation, folder)

    def set_folder(self, name: str) -> Path:
        """Returns where the results on a set go."""
        return self.folder / name

    @property
    def extractor(self) -> FeatureExtractor:
        """Describes the queries and the database."""
        return self.model.extractor

    def evaluate(
        self, evaluation_set: EvaluationSet, num_predictions: int | None = None
    ) -> EvaluationResult:
        """Evaluates one set; see `evaluate_model`."""
        return evaluate_model(
            self.model,
            self.dataset,
            evaluation_set,
            self.config,
            work_dir=self.folder / "descriptors",
            num_predictions=num_predictions,
        )

    def descriptors(self, split: str) -> np.ndarray:
        """Returns the descriptors `(num_images, dim)` of a split, kept or computed."""
        folder = self.folder / "descriptors" / split
        return self.extractor.extract_split(self.dataset, split, folder)


def results_folder(config: ExperimentConfig, model: str | Path | None) -> Path:
    """Returns where results of a model go unless the user says otherwise.

    Raises:
        EncoderError: There is no such model.
    """
    folder = Path(config.runs_dir) / config.name
    if model is None:
        return folder / "evaluation_initial_weights"
    source = find_model(model)
    if source.kind == RUN:
        return inside(source.path, "report")
    return folder / f"evaluation_{source.name}"


def dataset_folder(folder: str | Path, dataset: PreparedDataset) -> Path:
    """Returns the folder of the results on a dataset, by its name and content.

    Raises:
        StoredPathError: It, or something in it, is a link, which nothing is written
            through.
    """
    name = f"{dataset.path.resolve().name}-{dataset.fingerprint[:8]}"
    files_inside(folder, name)
    return Path(folder) / name
