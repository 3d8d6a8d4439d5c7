"""What is wrong with photos, before anything is built on them."""

from vpr_tf.photos.quality.duplicates import DUPLICATE_RULES
from vpr_tf.photos.quality.image_rules import IMAGE_RULES
from vpr_tf.photos.quality.measures import MEASURES_DTYPE, PhotoMeasures
from vpr_tf.photos.quality.measuring import measure_photos
from vpr_tf.photos.quality.neighbours import NEIGHBOUR_RULES
from vpr_tf.photos.quality.position_rules import POSITION_RULES
from vpr_tf.photos.quality.recurring import RECURRING_RULES
from vpr_tf.photos.quality.rules import (
    Finding,
    FlaggedPhotos,
    MeasuredPhotos,
    Rule,
    flag_photos,
)

RULES: tuple[Rule, ...] = (
    *IMAGE_RULES,
    *DUPLICATE_RULES,
    *RECURRING_RULES,
    *POSITION_RULES,
    *NEIGHBOUR_RULES,
)

__all__ = [
    "MEASURES_DTYPE",
    "RULES",
    "Finding",
    "FlaggedPhotos",
    "MeasuredPhotos",
    "PhotoMeasures",
    "Rule",
    "flag_photos",
    "measure_photos",
]
