"""Settings and calibration as an index keeps them."""

from __future__ import annotations

import dataclasses
from typing import Any

from vpr_tf.config import ConfigError, LocalizationConfig
from vpr_tf.localization.calibration import Calibration
from vpr_tf.localization.errors import LocalizationError
from vpr_tf.place_index import IndexManifest


def to_stored(
    config: LocalizationConfig, calibration: Calibration | None
) -> dict[str, Any]:
    """Returns what `set_localization` stores, plain JSON values."""
    return {
        "settings": dataclasses.asdict(config),
        "calibration": None if calibration is None else calibration.to_dict(),
    }


def read_stored(
    manifest: IndexManifest,
) -> tuple[LocalizationConfig, Calibration | None]:
    """Returns the settings and the calibration of an index; defaults if it has none.

    Raises:
        LocalizationError: They are damaged, or of another encoder.
    """
    stored = manifest.localization
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
    calibration.check_encoder(manifest.encoder.fingerprint)
    calibration.check_settings(config)
    return config, calibration
