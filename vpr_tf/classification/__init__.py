"""Localisation by classes: heads that are kept, and the places that they name."""

from vpr_tf.classification.cells import GridCells, RegionCells
from vpr_tf.classification.class_table import ClassTable
from vpr_tf.classification.classifier import PlaceClassifier
from vpr_tf.classification.errors import ClassificationError
from vpr_tf.classification.group_head import GroupHead
from vpr_tf.classification.predictions import PlacePredictions
from vpr_tf.classification.saved_classifier import load_classifier, save_classifier

__all__ = [
    "ClassTable",
    "ClassificationError",
    "GridCells",
    "GroupHead",
    "PlaceClassifier",
    "PlacePredictions",
    "RegionCells",
    "load_classifier",
    "save_classifier",
]
