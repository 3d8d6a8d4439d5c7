"""City-scale visual place recognition with TensorFlow and Keras."""

import os

from vpr_tf._keras_registration import register_when_keras_is_imported

__version__ = "0.2.0"

# Both are read when the libraries are imported. TensorFlow's start-up lines would bury
# what `vpr` prints; what goes wrong is raised all the same.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
register_when_keras_is_imported()
