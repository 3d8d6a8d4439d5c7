"""Heads as a folder: `classifier.json` and `classifier.npz`, nothing pickled."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.atomic_files import replace_file, write_json
from vpr_tf.classification.classifier import PlaceClassifier
from vpr_tf.classification.errors import ClassificationError
from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.classification.regression import PlaceRegression
from vpr_tf.config import ClassificationConfig
from vpr_tf.stored_paths import StoredPathError, inside
from vpr_tf.stored_values import StoredValueError, read_json

# Of a run folder, and of a version of a SavedModel.
RUN_FOLDER = Path("best") / "classifier"
SAVED_MODEL_FOLDER = Path("assets.extra") / "classifier"
INFO_FILE = "classifier.json"
ARRAYS_FILE = "classifier.npz"
_FORMAT_VERSION = 1
_LOG = logging.getLogger(__name__)
_BY_COSINE = (
    "The heads in %s are linear layers and scored by the cosine, which drops their "
    "norms and biases. They are trained for classification.score=softmax: set it, and "
    "calibrate again."
)
_KINDS: dict[str, type[PlaceClassifier] | type[PlaceRegression]] = {
    "classes": PlaceClassifier,
    "regression": PlaceRegression,
}


def save_heads(predictor: PlacePredictor, folder: str | Path) -> None:
    """Writes heads; the JSON file, which holds the other's checksum, last.

    Args:
        predictor: Heads of classes, or a regression.
        folder: Existing or new folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    arrays, content = predictor.to_stored()
    path = folder / ARRAYS_FILE
    with replace_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    write_json(
        folder / INFO_FILE,
        {
            "format_version": _FORMAT_VERSION,
            **content,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        },
    )


def load_heads(
    model: str | Path | None,
    config: ClassificationConfig | None = None,
    *,
    score: str | None = None,
) -> PlaceClassifier | PlaceRegression:
    """Loads the heads of a model.

    Args:
        model: See `heads_folder`.
        config: Its `score` is what places are scored by; without one it is the score
            that was stored. A warning is given where the heads learned another.
        score: What an index or a calibration was made with: taken without a warning.

    Raises:
        ClassificationError: No model is named, it keeps no heads, or a file is damaged
            or of another format.
    """
    if model is None:
        raise ClassificationError(
            "Localization by heads needs a trained model: pass `--model runs/<name>/"
            "<time>`, or set `classification.model`."
        )
    folder = heads_folder(model)
    content = read_info(folder)
    arrays = _read_arrays(folder, content)
    try:
        heads = _KINDS[content["kind"]].from_stored(arrays, content)
    except (ClassificationError, StoredValueError, KeyError, TypeError) as error:
        raise _damaged(folder, error) from error
    if not isinstance(heads, PlaceClassifier):
        return heads
    wanted = score or (config.score if config is not None else None)
    heads = heads.with_score(wanted or heads.score)
    if score is None and heads.drops_biases:
        _LOG.warning(_BY_COSINE, folder)
    return heads


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
    places = [Path(), RUN_FOLDER, SAVED_MODEL_FOLDER]
    places += [Path(versions[-1].name) / SAVED_MODEL_FOLDER] if versions else []
    for place in places:
        if _path(folder, f"{place}/{INFO_FILE}").is_file():
            return folder / place
    raise ClassificationError(
        f"{folder} keeps no heads ({RUN_FOLDER / INFO_FILE} is missing). Pass a run "
        "that was trained with `evaluation.method: classification`, or a SavedModel "
        "exported from one."
    )


def read_info(folder: Path) -> dict[str, Any]:
    """Reads the JSON file alone.

    Raises:
        ClassificationError: It is missing, damaged or of another format.
    """
    path = _path(folder, INFO_FILE)
    try:
        content: dict[str, Any] = read_json(path)
    except OSError as error:
        raise ClassificationError(
            f"No heads at {folder}: {INFO_FILE} is missing. A run keeps its heads in "
            "best/classifier when `evaluation.method` is classification."
        ) from error
    except ValueError as error:
        raise ClassificationError(f"{path} is damaged, {error}.") from error
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != _FORMAT_VERSION:
        raise ClassificationError(
            f"{path} must have format_version {_FORMAT_VERSION}. Received: "
            f"{version!r}. Export the heads again."
        )
    return content


def _read_arrays(folder: Path, content: dict[str, Any]) -> dict[str, np.ndarray]:
    path = _path(folder, ARRAYS_FILE)
    try:
        if hashlib.sha256(path.read_bytes()).hexdigest() != content.get("sha256"):
            raise ValueError("its checksum differs")
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except Exception as error:  # NumPy evaluates headers by Python's own parser
        raise _damaged(folder, error) from error


def _path(folder: Path, name: str) -> Path:
    """Returns the path of a stored file, which no link leads to.

    Raises:
        ClassificationError: A link does.
    """
    try:
        return inside(folder, name)
    except StoredPathError as error:
        raise ClassificationError(str(error)) from error


def _damaged(folder: Path, error: Exception) -> ClassificationError:
    return ClassificationError(
        f"Cannot read the heads {folder / ARRAYS_FILE}: {error}. Copy the folder "
        "again, or export it from its run."
    )
