"""Flags of single images, by what was measured of them."""

from __future__ import annotations

import numpy as np

from vpr_tf.config import QualityConfig
from vpr_tf.photos.quality.rules import Finding, MeasuredPhotos, Rule


def _too_small(photos: MeasuredPhotos, config: QualityConfig) -> Finding:
    shorter = np.minimum(photos.files.heights, photos.files.widths)
    return Finding(shorter < config.min_side_px, shorter.astype(np.float32))


def _blurred(photos: MeasuredPhotos, config: QualityConfig) -> Finding:
    """Flags soft edges, and their absence where there is light and dark to have some.

    Very strong blur leaves no edges; a picture of one colour never had any.
    """
    measures = photos.measures
    no_edges = np.isnan(measures["sharpness"])
    no_edges &= measures["contrast"] >= config.min_contrast
    values = np.where(no_edges, np.float32(0), measures["sharpness"])
    return Finding(values < config.min_sharpness, values)


def _limited(flag: str, measure: str, setting: str) -> Rule:
    """Returns the rule that a measure may not be above or below a setting.

    Args:
        flag: What is beyond.
        measure: A column of `measures.PhotoMeasures`.
        setting: A field of the config, which begins with `min_` or `max_`.
    """

    def find(photos: MeasuredPhotos, config: QualityConfig) -> Finding:
        values, limit = photos.measures[measure], getattr(config, setting)
        beyond = values < limit if setting.startswith("min_") else values > limit
        return Finding(beyond, values)

    return Rule(flag, measure, setting, find)


IMAGE_RULES = (
    _limited("damaged", "damaged_share", "max_damaged_share"),
    Rule("too_small", "shorter_side_px", "min_side_px", _too_small),
    _limited("uniform", "contrast", "min_contrast"),
    _limited("underexposed", "highlight", "min_highlight"),
    _limited("overexposed", "white_share", "max_white_share"),
    Rule("blurred", "sharpness", "min_sharpness", _blurred),
    _limited("occluded", "occluded_share", "max_occluded_share"),
)
