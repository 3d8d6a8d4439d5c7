"""The best encoder of a run: its weights, the heads that localize, what is known."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import keras

from vpr_tf.atomic_files import replace_file, write_json
from vpr_tf.classification import RUN_FOLDER, save_heads
from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.models.encoder_builder import BEST_WEIGHTS
from vpr_tf.models.hdf5_weights import load_hdf5
from vpr_tf.stored_files import StoredFile
from vpr_tf.stored_paths import inside
from vpr_tf.stored_values import from_stored, read_json
from vpr_tf.training.errors import TrainingError
from vpr_tf.training.progress import TrainingProgress

_INFO_FILE = "best.json"


@dataclass(frozen=True)
class BestInfo:
    """What is known of the best model.

    Attributes:
        epoch: After which it was.
        step: Steps done then.
        val_recalls: In percent, by N as text; empty without a val set.
        weights: What the file of its weights must be; None of a former version.
    """

    epoch: int
    step: int
    val_recalls: dict[str, float]
    weights: StoredFile | None = None


def save_best(
    folder: Path,
    encoder: keras.Model,
    info: BestInfo,
    predictor: PlacePredictor | None = None,
) -> None:
    """Writes the encoder's weights, the heads that localize, and what is known of them.

    Each file appears whole; the description comes last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if predictor is not None:
        save_heads(predictor, inside(folder, RUN_FOLDER.name))
    weights = inside(folder, BEST_WEIGHTS.name)
    with replace_file(weights) as temporary:
        encoder.save_weights(temporary)
    stored = asdict(StoredFile.from_path(weights))
    write_json(inside(folder, _INFO_FILE), asdict(info) | {"weights": stored})


def read_best(folder: Path) -> BestInfo:
    """Reads the description of the best model and compares its weights.

    Raises:
        TrainingError: There is none, or it is damaged.
    """
    weights = inside(folder, BEST_WEIGHTS.name)
    if not weights.is_file():
        raise TrainingError(
            f"No best model at {weights}, where it is after the first epoch. {_REMEDY}"
        )
    path = inside(folder, _INFO_FILE)
    try:
        info = from_stored(BestInfo, read_json(path))
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path} is damaged: {error}. {_REMEDY}") from error
    problem = info.weights and info.weights.problem(weights)
    if problem:
        raise TrainingError(f"{weights} {problem}. {_REMEDY}")
    return info


def load_best(folder: Path, encoder: keras.Model) -> BestInfo:
    """Loads the best weights into an encoder and returns their description.

    Args:
        folder: The run's `best/`.
        encoder: Built from the run's `encoder` config.

    Raises:
        TrainingError: The run has no best model yet, or it is damaged.
    """
    info = read_best(folder)
    load_hdf5(encoder, inside(folder, BEST_WEIGHTS.name))
    return info


def lacking_best(folder: Path, progress: TrainingProgress) -> TrainingError | None:
    """Returns why `best/` does not hold what the counters say; None if it does.

    A run that falls back to an earlier checkpoint finds the model of a later epoch
    there, and comes to that epoch again.
    """
    if progress.best_epoch is None:
        return None
    try:
        best = read_best(folder)
    except TrainingError as error:
        return error
    recall = best.val_recalls.get("1")
    known = best.epoch > progress.best_epoch or recall == progress.best_recall
    if best.epoch >= progress.best_epoch and known:
        return None
    return TrainingError(
        f"{folder} must hold the model of epoch {progress.best_epoch + 1}, the best "
        f"so far. Received: that of epoch {best.epoch + 1}, R@1 {recall}. Put the "
        "folder back from a copy, or start a new run without --resume."
    )


_REMEDY = "Put the folder back from a copy, or start a new run without --resume."
