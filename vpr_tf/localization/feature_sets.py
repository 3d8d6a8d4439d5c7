"""The features that confidences are computed from, by what answers a query."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from vpr_tf.localization.errors import LocalizationError


@dataclass(frozen=True)
class FeatureSet:
    """Numbers that are larger, the likelier an answer is right.

    Attributes:
        names: In the order of the columns.
        single: The one that orders answers well without any fitting.
    """

    names: tuple[str, ...]
    single: str


# See `match_features` and `place_features`.
MATCHES = FeatureSet(("similarity", "gap", "share"), "share")
PLACES = FeatureSet(("agreement", "score", "margin"), "margin")


def set_of_features(names: Collection[str]) -> FeatureSet:
    """Returns the set that has these features.

    Raises:
        LocalizationError: None has.
    """
    for known in (MATCHES, PLACES):
        if set(names) == set(known.names):
            return known
    raise LocalizationError(
        f"A calibration must weigh {', '.join(MATCHES.names)}, or "
        f"{', '.join(PLACES.names)}. Received: {', '.join(names)}. Calibrate again."
    )
