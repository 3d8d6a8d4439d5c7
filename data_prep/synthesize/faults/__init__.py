"""Faults planted into copies of photos, with their labels, to measure checks by."""

from data_prep.synthesize.faults.plan import FAULTS
from data_prep.synthesize.faults.planting import (
    LABELS_NAME,
    PHOTOS_NAME,
    check_share,
    plant_faults,
)

__all__ = ["FAULTS", "LABELS_NAME", "PHOTOS_NAME", "check_share", "plant_faults"]
