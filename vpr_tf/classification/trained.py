"""The heads that training kept."""

from __future__ import annotations

from pathlib import Path

from vpr_tf.classification.classifier import PlaceClassifier
from vpr_tf.classification.errors import ClassificationError
from vpr_tf.classification.saved_classifier import INFO_FILE, load_classifier
from vpr_tf.config import ClassificationConfig

# Of a run folder, and of a version of a SavedModel.
RUN_FOLDER = Path("best") / "classifier"
SAVED_MODEL_FOLDER = Path("assets.extra") / "classifier"


def classifier_folder(model: str | Path) -> Path:
    """Finds the heads of a run, of a SavedModel, or a classifier's own folder.

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


def load_trained(
    model: str | Path | None, config: ClassificationConfig
) -> PlaceClassifier:
    """Loads the heads of a model, to be scored as a config says.

    Args:
        model: See `classifier_folder`.
        config: `score`.

    Raises:
        ClassificationError: No model is named, or it keeps no heads.
    """
    if model is None:
        raise ClassificationError(
            "Localisation by heads needs a trained model: pass `--model runs/<name>/"
            "<time>`, or set `classification.model`."
        )
    return load_classifier(classifier_folder(model)).with_score(config.score)
