"""From matches or cells of a classifier to a position, an error and a confidence."""

from vpr_tf.localization.calibration import (
    Calibration,
    read_reranked,
    read_stored,
    to_stored,
)
from vpr_tf.localization.calibration_text import (
    describe_calibration,
    explain_confidence,
)
from vpr_tf.localization.candidates import Candidates
from vpr_tf.localization.errors import LocalizationError
from vpr_tf.localization.estimates import Estimates, estimate_positions
from vpr_tf.localization.features import CellSettings, calibrated_settings
from vpr_tf.localization.fitting import FittedOn, fit_calibration
from vpr_tf.localization.formats import (
    LocalizationResult,
    as_geojson,
    as_gpx,
    as_json,
    as_table,
    features_of,
)
from vpr_tf.localization.localization import (
    NUM_CANDIDATES,
    OUTSIDE,
    Candidate,
    Localization,
    Localizer,
    Match,
    localizations,
    localize_matches,
    matches_of,
)
from vpr_tf.localization.matched_points import InlierPoints, MatchedPoints
from vpr_tf.localization.motion import FASTEST_KMH, MotionModel, map_distances_m
from vpr_tf.localization.photo_times import PhotoTimes
from vpr_tf.localization.retrieval_calibration import (
    THRESHOLDS_AROUND,
    calibrate_on_queries,
    calibrate_reranked,
    predictions_to_calibrate,
)
from vpr_tf.localization.second_look import (
    Compared,
    InlierCounter,
    LookedAt,
    NotMatchedError,
    SecondLook,
    wide_config,
)
from vpr_tf.localization.track import (
    OFF_TRACK,
    PhotoSequence,
    estimate_track,
    localize_track,
)
from vpr_tf.localization.track_formats import Track, gpx_of, track_feature

__all__ = [
    "FASTEST_KMH",
    "NUM_CANDIDATES",
    "OFF_TRACK",
    "OUTSIDE",
    "THRESHOLDS_AROUND",
    "Calibration",
    "Candidate",
    "Candidates",
    "CellSettings",
    "Compared",
    "Estimates",
    "FittedOn",
    "InlierCounter",
    "InlierPoints",
    "Localization",
    "LocalizationError",
    "LocalizationResult",
    "Localizer",
    "LookedAt",
    "Match",
    "MatchedPoints",
    "MotionModel",
    "NotMatchedError",
    "PhotoSequence",
    "PhotoTimes",
    "SecondLook",
    "Track",
    "as_geojson",
    "as_gpx",
    "as_json",
    "as_table",
    "calibrate_on_queries",
    "calibrate_reranked",
    "calibrated_settings",
    "describe_calibration",
    "estimate_positions",
    "estimate_track",
    "explain_confidence",
    "features_of",
    "fit_calibration",
    "gpx_of",
    "localizations",
    "localize_matches",
    "localize_track",
    "map_distances_m",
    "matches_of",
    "predictions_to_calibrate",
    "read_reranked",
    "read_stored",
    "to_stored",
    "track_feature",
    "wide_config",
]
