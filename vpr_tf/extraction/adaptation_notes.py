"""What runs and SavedModels note of the photos that an encoder was adapted to."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from vpr_tf.atomic_files import write_json
from vpr_tf.config import AdaptedTo, ExperimentConfig
from vpr_tf.extraction.errors import EncoderError
from vpr_tf.extraction.model_source import EXPORTED_NOTE
from vpr_tf.stored_paths import inside
from vpr_tf.stored_values import from_stored, read_json


def note_of_run(config: ExperimentConfig, run: Path) -> AdaptedTo | None:
    """Returns which photos of `train.target` a run was adapted to, if it was.

    Raises:
        EncoderError: The run does not say which.
    """
    if config.train.target is None:
        return None
    file = inside(run, "metrics.json")
    try:
        fingerprint = read_json(file)["run"]["target_fingerprint"]
    except (LookupError, TypeError) as error:
        raise EncoderError(
            f"{file} must say which photos the run was adapted to, in `run."
            "target_fingerprint`. Restore it from a copy."
        ) from error
    return AdaptedTo.of(config.train.target, str(fingerprint))


def note_of_saved_model(folder: Path) -> AdaptedTo | None:
    """Returns which photos an exported encoder was adapted to, if it was.

    Raises:
        ValueError: The note is damaged.
    """
    if not (folder / EXPORTED_NOTE).exists():
        return None
    return from_stored(AdaptedTo, read_json(inside(folder, str(EXPORTED_NOTE))))


def write_note(adapted_to: AdaptedTo | None, folder: Path) -> None:
    """Writes the note into a SavedModel, if there is one."""
    if adapted_to is not None:
        write_json(folder / EXPORTED_NOTE, dataclasses.asdict(adapted_to))
