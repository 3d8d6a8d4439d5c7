"""Numbers that a paper can rely on: recall, errors and confidence with intervals."""

from vpr_tf.report.report import Identity, Report

__all__ = ["Identity", "Report"]
