"""City-scale visual place recognition with TensorFlow and Keras."""

import os

# TensorFlow reads this when it is imported; its start-up lines would bury the output
# of `python -m vpr_tf.<command>`. What goes wrong is raised all the same.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
