"""`python -m benchmarks.<what>` prints a table of measurements."""

from vpr_tf._tensorflow_lines import hide_tensorflow_warnings

hide_tensorflow_warnings()
