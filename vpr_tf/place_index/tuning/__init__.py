"""The fastest way to search an index that still finds what exact search finds."""

from vpr_tf.place_index.tuning.campaign import TuningOptions, TuningReport, tune
from vpr_tf.place_index.tuning.measurement import Measurement
from vpr_tf.place_index.tuning.queries import TuningQueries

__all__ = ["Measurement", "TuningOptions", "TuningQueries", "TuningReport", "tune"]
