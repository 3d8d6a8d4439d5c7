"""Encoders and their heads in formats that servers and other engines load."""

from typing import TYPE_CHECKING

from vpr_tf._lazy import lazy_names

if TYPE_CHECKING:
    from vpr_tf.export.exported_model import ExportedModel, export_model
    from vpr_tf.export.formats import FORMATS
    from vpr_tf.export.saved_classifier_model import export_classifier
    from vpr_tf.export.saved_model import ExportError, export_encoder
    from vpr_tf.export.served_encoder import ServedEncoder

__all__ = [
    "FORMATS",
    "ExportError",
    "ExportedModel",
    "ServedEncoder",
    "export_classifier",
    "export_encoder",
    "export_model",
]
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "ExportError": "vpr_tf.export.saved_model",
        "ExportedModel": "vpr_tf.export.exported_model",
        "FORMATS": "vpr_tf.export.formats",
        "ServedEncoder": "vpr_tf.export.served_encoder",
        "export_classifier": "vpr_tf.export.saved_classifier_model",
        "export_encoder": "vpr_tf.export.saved_model",
        "export_model": "vpr_tf.export.exported_model",
    },
)
