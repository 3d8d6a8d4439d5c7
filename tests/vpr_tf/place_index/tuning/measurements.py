"""Measurements by hand."""

from vpr_tf.place_index.tuning.measurement import Measurement


def measurement(queries_per_s, recall, *, kind="scann", **changes):
    values = {
        "kind": kind,
        "settings": {"speed": queries_per_s},
        "label": f"speed={queries_per_s}",
        "is_exact": False,
        "recalls": {1: recall, 10: recall / 2, 20: recall / 4},
        "p50_ms": 1.0,
        "p95_ms": 2.0,
        "queries_per_s": float(queries_per_s),
        "memory_mib": 3.0,
        "size_mib": 4.0,
        "build_s": 5.0,
        "build_peak_mib": 6.0,
    }
    return Measurement(**{**values, **changes})
