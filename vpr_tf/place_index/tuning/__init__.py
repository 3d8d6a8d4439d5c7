"""The fastest way to search an index that still finds what exact search finds."""

from vpr_tf.place_index.tuning.measurement import RECALL_VALUES, Measurement
from vpr_tf.place_index.tuning.tuner import (
    TuningOptions,
    TuningReport,
    tune,
)

__all__ = [
    "RECALL_VALUES",
    "Measurement",
    "TuningOptions",
    "TuningReport",
    "tune",
]
