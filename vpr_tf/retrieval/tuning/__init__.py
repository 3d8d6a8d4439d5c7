"""The fastest way to search an index that still finds what exact search finds."""

from vpr_tf.retrieval.tuning.measurement import Measurement
from vpr_tf.retrieval.tuning.queries import TuningQueries
from vpr_tf.retrieval.tuning.tune import TuningOptions, TuningReport, tune

__all__ = ["Measurement", "TuningOptions", "TuningQueries", "TuningReport", "tune"]
