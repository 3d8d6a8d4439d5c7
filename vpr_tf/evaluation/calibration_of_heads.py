"""What `vpr index calibrate --classifier` does."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vpr_tf.classification import (
    SAVED_MODEL_FOLDER,
    calibrate_predictor,
    heads_folder,
    load_heads,
    save_calibration,
)
from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.config import ExperimentConfig
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.evaluation.evaluate import descriptor_folder
from vpr_tf.evaluation.evaluation import results_folder
from vpr_tf.extraction import FeatureExtractor, load_extractor
from vpr_tf.localization import FittedOn, describe_calibration
from vpr_tf.localization.calibration import Calibration
from vpr_tf.localization.errors import LocalizationError


def calibrate_model(
    model: str | Path, config: ExperimentConfig, *, set_name: str = "val"
) -> Calibration:
    """Fits the calibration of the heads of a run, and stores it beside them.

    Args:
        model: Run folder.
        config: Dataset, largest error of a right position, score, localization.
        set_name: `val`, or a test set that nothing will be reported on.

    Raises:
        ClassificationError: The model keeps no heads.
        LocalizationError: It is a SavedModel, there is no such set, or nothing in it
            to calibrate on.
    """
    folder = heads_folder(model)
    if folder.parts[-2:] == SAVED_MODEL_FOLDER.parts:
        raise LocalizationError(
            "`--model` must be a run folder: the graph of a SavedModel holds the "
            f"calibration that it was exported with. Received: {model}. Calibrate the "
            "run and export it again."
        )
    predictor = load_heads(model, config.classification)
    dataset = PreparedDataset(config.dataset.path)
    calibration = calibrate_trained(
        load_extractor(config, model),
        predictor,
        dataset,
        config,
        folder,
        set_name=set_name,
        work_dir=results_folder(config, model) / "descriptors",
    )
    print(f"{describe_calibration(calibration)}\n\nStored in {folder}.")
    return calibration


def calibrate_trained(
    extractor: FeatureExtractor,
    predictor: PlacePredictor,
    dataset: PreparedDataset,
    config: ExperimentConfig,
    folder: str | Path,
    *,
    set_name: str = "val",
    work_dir: str | Path | None = None,
    progress: bool = True,
) -> Calibration:
    """Fits the calibration of heads in a folder, and stores it there.

    Args:
        extractor: Of the encoder that the heads were trained with.
        predictor: What the folder holds, with the score of `config`.
        dataset: Holds the set.
        config: Evaluation, localization, seed; its name is noted.
        folder: What `save_heads` wrote, e.g. `<run>/best/classifier`.
        set_name: `val`, or a test set that nothing will be reported on.
        work_dir: Folder that keeps the descriptors; None for a temporary one.
        progress: Whether to draw progress bars.

    Raises:
        LocalizationError: There is no such set, or nothing in it to calibrate on.
    """
    sets = {**({"val": dataset.val} if dataset.val else {}), **dataset.tests}
    if set_name not in sets:
        raise LocalizationError(
            f"{dataset.path} has no evaluation set {set_name!r}. It has: "
            f"{', '.join(sets) or 'none'}. Choose by --set."
        )
    queries = sets[set_name].queries
    with descriptor_folder(work_dir) as parent:
        descriptors = extractor.extract_split(
            dataset, queries, parent / queries, progress=progress
        )
        calibration = calibrate_predictor(
            predictor,
            np.asarray(descriptors),
            dataset.split(queries).positions(),
            config.localization,
            FittedOn(
                f"{set_name} of {config.name}",
                config.evaluation.positive_dist_threshold_m,
                extractor.fingerprint,
                dataset.fingerprint,
                config.seed,
            ),
        )
    save_calibration(calibration, folder)
    return calibration
