"""What is wrong with photos, before anything is built on them."""

from vpr_tf.photos.quality.checking import RULES, check_exclusion, leave_out_flagged
from vpr_tf.photos.quality.flag_table import read_flags, write_flags
from vpr_tf.photos.quality.measures import MEASURES_DTYPE, PhotoMeasures
from vpr_tf.photos.quality.measuring import measure_photos
from vpr_tf.photos.quality.rules import (
    Finding,
    FlaggedPhotos,
    MeasuredPhotos,
    Rule,
    flag_photos,
)

__all__ = [
    "MEASURES_DTYPE",
    "RULES",
    "Finding",
    "FlaggedPhotos",
    "MeasuredPhotos",
    "PhotoMeasures",
    "Rule",
    "check_exclusion",
    "flag_photos",
    "leave_out_flagged",
    "measure_photos",
    "read_flags",
    "write_flags",
]
