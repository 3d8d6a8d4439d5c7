"""The heads that training kept."""

from __future__ import annotations

from pathlib import Path

from vpr_tf.classification.classifier import PlaceClassifier
from vpr_tf.classification.errors import ClassificationError
from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.classification.regression import (
    KIND as REGRESSION,
)
from vpr_tf.classification.regression import (
    PlaceRegression,
    load_regression,
    save_regression,
)
from vpr_tf.classification.saved_arrays import INFO_FILE, read_info
from vpr_tf.classification.saved_classifier import load_classifier, save_classifier
from vpr_tf.config import ClassificationConfig

# Of a run folder, and of a version of a SavedModel.
RUN_FOLDER = Path("best") / "classifier"
SAVED_MODEL_FOLDER = Path("assets.extra") / "classifier"


def save_heads(predictor: PlacePredictor, folder: str | Path) -> None:
    """Writes heads of either kind into an existing or new folder."""
    if isinstance(predictor, PlaceClassifier):
        save_classifier(predictor, folder)
    elif isinstance(predictor, PlaceRegression):
        save_regression(predictor, folder)
    else:
        raise TypeError(
            "`predictor` must be a PlaceClassifier or a PlaceRegression. Received: "
            f"{type(predictor).__name__}"
        )


def load_heads(
    model: str | Path | None, config: ClassificationConfig
) -> PlacePredictor:
    """Loads the heads of a model, to be scored as a config says.

    Args:
        model: See `heads_folder`.
        config: `score`.

    Raises:
        ClassificationError: No model is named, or it keeps no heads.
    """
    if model is None:
        raise ClassificationError(
            "Localisation by heads needs a trained model: pass `--model runs/<name>/"
            "<time>`, or set `classification.model`."
        )
    folder = heads_folder(model)
    if read_info(folder).get("kind") == REGRESSION:
        return load_regression(folder)
    return load_classifier(folder).with_score(config.score)


def heads_folder(model: str | Path) -> Path:
    """Finds the heads of a run, of a SavedModel, or a folder that holds them.

    Raises:
        ClassificationError: There are none.
    """
    folder = Path(model)
    versions = sorted(
        (path for path in folder.glob("*") if path.name.isdecimal()),
        key=lambda path: int(path.name),
    )
    places = [folder, folder / RUN_FOLDER, folder / SAVED_MODEL_FOLDER]
    places += [versions[-1] / SAVED_MODEL_FOLDER] if versions else []
    for place in places:
        if (place / INFO_FILE).is_file():
            return place
    raise ClassificationError(
        f"{folder} keeps no heads ({RUN_FOLDER / INFO_FILE} is missing). Pass a run "
        "that was trained with `evaluation.method: classification`, or a SavedModel "
        "exported from one."
    )
