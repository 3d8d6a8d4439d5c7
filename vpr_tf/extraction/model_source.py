"""What a user names as a model: found and recognised before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vpr_tf.extraction.errors import EncoderError
from vpr_tf.extraction.export_record import EXPORT_RECORD, MODEL_FILES
from vpr_tf.stored_paths import inside

RUN, KERAS_FILE, RELEASED, SAVED_MODEL = "run", "keras_file", "released", "saved_model"
EXPORT = "export"  # for another engine than TensorFlow
RUN_CONFIG = "config.yaml"
_GRAPH_FILE = "saved_model.pb"
_FILES_OF_EXPORTS = {EXPORT_RECORD, *sum(MODEL_FILES.values(), ())}
# TF Serving leaves this folder of a SavedModel to its users.
EXPORTED_CONFIG = Path("assets.extra") / "config.yaml"
# What an export is compared with by `train.export: best`.
EXPORTED_SCORE = Path("assets.extra") / "training.json"
# What an exported encoder was adapted to, as `AdaptedTo`.
EXPORTED_NOTE = Path("assets.extra") / "adapted_to.json"


@dataclass(frozen=True)
class ModelSource:
    """Where a model lies.

    Attributes:
        kind: `run`, `keras_file`, `released`, `saved_model` or `export`.
        path: The run folder, the `.keras` file, the version of the SavedModel or the
            export, or the name of the released encoder.
    """

    kind: str
    path: Path

    @property
    def config_file(self) -> Path | None:
        """The experiment that made it, with the preparation of its images.

        None of an export, whose record says how they are prepared.
        """
        if self.kind == RUN:
            return inside(self.path, RUN_CONFIG)
        if self.kind == SAVED_MODEL:
            return inside(self.path, str(EXPORTED_CONFIG))
        return None

    @property
    def says_preprocessing(self) -> bool:
        """Whether the model itself says how images are prepared for it.

        Of a .keras file its config is read, and nothing of it is built.
        """
        if self.kind != KERAS_FILE:
            return True
        from vpr_tf.models.keras_archive import read_arguments

        try:
            return read_arguments(self.path).preprocessing is not None
        except (OSError, ValueError):
            return False

    @property
    def name(self) -> str:
        """A short name, for folders of results."""
        if self.kind in (SAVED_MODEL, EXPORT):
            return f"{self.path.resolve().parent.name}_{self.path.name}"
        return self.path.stem if self.kind == KERAS_FILE else self.path.name


def find_model(model: str | Path) -> ModelSource:
    """Finds what the user names, without loading it.

    Args:
        model: A run folder, a `.keras` file, the name of a released encoder, or a
            SavedModel or another export (a version, or the folder of its versions).

    Raises:
        EncoderError: There is no such model.
    """
    path = Path(model)
    if path.suffix == ".keras" and path.is_file():
        return ModelSource(KERAS_FILE, path)
    # Before a run: it has a config.yaml, too.
    for kind, file in ((EXPORT, EXPORT_RECORD), (SAVED_MODEL, _GRAPH_FILE)):
        version = _find_version(path, file)
        if version is not None:
            return ModelSource(kind, version)
    if (path / RUN_CONFIG).is_file():
        return ModelSource(RUN, path)
    from vpr_tf.models import released_names

    if not path.exists() and str(model) in released_names():
        return ModelSource(RELEASED, path)
    if path.name in _FILES_OF_EXPORTS:
        raise EncoderError(
            f"{path} is a part of an export. Pass the folder that it lies in, with "
            f"{EXPORT_RECORD}."
        )
    if path.is_file():
        from vpr_tf.models.weights_files import KERAS, check_weights_file

        try:
            check_weights_file(path, KERAS)
        except (OSError, ValueError) as error:
            raise EncoderError(f"{error}") from error
        raise EncoderError(f"The name of {path}, a .keras file, must end in .keras.")
    raise EncoderError(
        f"{path} is no model: it holds neither config.yaml (a run folder) nor "
        f"saved_model.pb (a SavedModel), {EXPORT_RECORD} (another export) or numbered "
        "versions of them. Pass runs/<name>/<time>, "
        "savedmodels/<name>, a .keras file or a released encoder's name, e.g. "
        "cosplace_resnet50_2048."
    )


def find_saved_model(folder: str | Path) -> Path | None:
    """Returns the folder of a SavedModel version, or None when there is none.

    Args:
        folder: A version's folder, or the folder of all versions of a name, whose
            newest is taken.
    """
    return _find_version(Path(folder), _GRAPH_FILE)


def _find_version(folder: Path, name: str) -> Path | None:
    """Returns a folder, or the newest version in it, that holds a file of this name."""
    if (folder / name).is_file():
        return folder
    versions = [
        file.parent for file in folder.glob(f"*/{name}") if file.parent.name.isdecimal()
    ]
    return max(versions, key=lambda version: int(version.name), default=None)
