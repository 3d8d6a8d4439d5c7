"""The calibration of heads, beside them in their folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vpr_tf.atomic_files import write_json
from vpr_tf.classification.saved_arrays import read_info
from vpr_tf.localization.calibration import Calibration
from vpr_tf.localization.errors import LocalizationError

CALIBRATION_FILE = "calibration.json"
_AGAIN = "Calibrate again by `vpr index calibrate --classifier RUN --config FILE`."


def save_calibration(calibration: Calibration, folder: str | Path) -> None:
    """Writes `calibration.json`, with the checksum of the heads that it belongs to.

    Args:
        calibration: Of the heads in the folder.
        folder: What `save_heads` wrote.

    Raises:
        ClassificationError: The folder holds no heads.
    """
    folder = Path(folder)
    content = {"heads": _checksum(folder), "calibration": calibration.to_dict()}
    write_json(folder / CALIBRATION_FILE, content)


def load_calibration(folder: str | Path) -> Calibration | None:
    """Reads what `save_calibration` wrote; None when there is none.

    Raises:
        ClassificationError: The folder holds no heads.
        LocalizationError: The file is damaged, or of other heads.
    """
    folder = Path(folder)
    path = folder / CALIBRATION_FILE
    heads = _checksum(folder)
    try:
        content: dict[str, Any] = json.loads(path.read_text())
        of_heads, fields = content["heads"], content["calibration"]
        calibration = Calibration.from_dict(fields)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LocalizationError(f"Cannot read {path}: {error}. {_AGAIN}") from error
    if of_heads != heads:
        raise LocalizationError(
            f"{path} must be of the heads beside it, {heads[:12]}. Received: "
            f"{str(of_heads)[:12]}. {_AGAIN}"
        )
    return calibration


def _checksum(folder: Path) -> str:
    return str(read_info(folder)["sha256"])
