"""Settings and calibration as an index keeps them."""

from __future__ import annotations

import dataclasses
from typing import Any

from vpr_tf.config import ConfigError, LocalizationConfig
from vpr_tf.localization.calibration import Calibration
from vpr_tf.localization.errors import LocalizationError
from vpr_tf.localization.features import calibrated_settings


def to_stored(
    config: LocalizationConfig, calibration: Calibration | None
) -> dict[str, Any]:
    """Returns what `set_localization` stores, plain JSON values."""
    return {
        "settings": dataclasses.asdict(config),
        "calibration": None if calibration is None else calibration.to_dict(),
    }


def read_stored(
    stored: dict[str, Any] | None, encoder_fingerprint: str
) -> tuple[LocalizationConfig, Calibration | None]:
    """Returns the settings and the calibration of an index; defaults if it has none.

    Args:
        stored: What `to_stored` returned, as a manifest keeps it.
        encoder_fingerprint: The encoder of the index.

    Raises:
        LocalizationError: They are damaged, or of another encoder.
    """
    if stored is None:
        return LocalizationConfig(), None
    try:
        config = LocalizationConfig(**stored["settings"])
        content = stored["calibration"]
        calibration = None if content is None else Calibration.from_dict(content)
    except (ConfigError, LocalizationError, TypeError, KeyError) as error:
        raise LocalizationError(
            f"The index's localization settings cannot be used: {error}. Calibrate it "
            "again by `vpr index calibrate`."
        ) from error
    if calibration is None:
        return config, None
    calibration.check_encoder(encoder_fingerprint)
    calibration.check_settings(calibrated_settings(config))
    return config, calibration
