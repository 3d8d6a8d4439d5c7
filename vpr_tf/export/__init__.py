"""Encoders and their heads as SavedModels that stock TF Serving loads."""

from vpr_tf.export.saved_classifier_model import export_classifier
from vpr_tf.export.saved_model import export_encoder
from vpr_tf.export.served_encoder import ServedEncoder

__all__ = [
    "ServedEncoder",
    "export_classifier",
    "export_encoder",
]
