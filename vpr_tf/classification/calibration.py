"""The calibration of heads: fitted on queries, and kept beside them in their folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.atomic_files import write_json
from vpr_tf.classification.classifier import PlaceClassifier
from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.classification.stored_heads import read_info
from vpr_tf.classification.unseen_places import predict_outside
from vpr_tf.config import LocalizationConfig
from vpr_tf.geo import Positions
from vpr_tf.localization import (
    THRESHOLDS_AROUND,
    Calibration,
    FittedOn,
    LocalizationError,
    estimate_positions,
    fit_calibration,
)
from vpr_tf.stored_paths import inside
from vpr_tf.stored_values import read_json

CALIBRATION_FILE = "calibration.json"
_AGAIN = "Calibrate again by `vpr index calibrate --classifier RUN --config FILE`."


def calibrate_predictor(
    predictor: PlacePredictor,
    descriptors: np.ndarray,
    queries: Positions,
    config: LocalizationConfig,
    fitted_on: FittedOn,
) -> Calibration:
    """Fits the calibration of heads on queries whose positions are known.

    Every query counts twice: as it is, and as if it had been taken where the heads
    know no cell, see `predict_outside`. Regressions have no cells to leave out, so
    that their confidence is too high outside of their map.

    Args:
        predictor: Heads, scored as they will be.
        descriptors: Of the queries, `(num_queries, descriptor_dim)`.
        queries: Where they were taken.
        config: Kind, wanted precision, and how many cells are looked at.
        fitted_on: The set of the queries.

    Raises:
        LocalizationError: No query has a candidate and a known position.
        ClassificationError: The descriptors do not fit the heads.
    """
    descriptors = np.asarray(descriptors, np.float32)
    settings, n = predictor.settings(config.num_predictions), config.num_predictions
    estimates = estimate_positions(predictor.predict(descriptors, n), settings)
    outside = None
    if isinstance(predictor, PlaceClassifier) and config.outside_share:
        radius_m = THRESHOLDS_AROUND * fitted_on.threshold_m
        elsewhere = predict_outside(
            predictor, descriptors, queries, radius_m=radius_m, n=n
        )
        outside = estimate_positions(elsewhere, settings)
    errors_m = estimates.errors_m(queries)
    return fit_calibration(estimates, errors_m, config, fitted_on, outside)


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
        content: dict[str, Any] = read_json(inside(folder, CALIBRATION_FILE))
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
