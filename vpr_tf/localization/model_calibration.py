"""What `python -m vpr_tf.localization.calibrate --model` does."""

from __future__ import annotations

from pathlib import Path

from vpr_tf.classification.trained import (
    SAVED_MODEL_FOLDER,
    heads_folder,
    load_heads,
)
from vpr_tf.config import ExperimentConfig
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.localization.calibration import Calibration
from vpr_tf.localization.errors import LocalizationError
from vpr_tf.localization.index_calibration import describe_calibration
from vpr_tf.localization.predictor_calibration import calibrate_trained


def calibrate_model(
    model: str | Path, config: ExperimentConfig, *, set_name: str = "val"
) -> Calibration:
    """Fits the calibration of the heads of a run, and stores it beside them.

    Args:
        model: Run folder.
        config: Dataset, largest error of a right answer, score, localization.
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
    # Here since it loads TensorFlow, which a wrong path need not wait for.
    from vpr_tf.evaluation.evaluation import results_folder
    from vpr_tf.extraction import load_extractor

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
