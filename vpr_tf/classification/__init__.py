"""Localisation by classes: heads that are kept, and the places that they name."""

from vpr_tf.classification.cells import GridCells, RegionCells
from vpr_tf.classification.class_table import ClassTable
from vpr_tf.classification.classifier import PlaceClassifier
from vpr_tf.classification.errors import ClassificationError
from vpr_tf.classification.group_head import GroupHead
from vpr_tf.classification.place_answers import PlaceAnswers, answer_places
from vpr_tf.classification.place_features import PlaceSettings
from vpr_tf.classification.predictions import PlacePredictions
from vpr_tf.classification.predictor_calibration import calibrate_predictor
from vpr_tf.classification.saved_classifier import load_classifier, save_classifier
from vpr_tf.classification.stored_calibration import load_calibration, save_calibration

__all__ = [
    "ClassTable",
    "ClassificationError",
    "GridCells",
    "GroupHead",
    "PlaceAnswers",
    "PlaceClassifier",
    "PlacePredictions",
    "PlaceSettings",
    "RegionCells",
    "answer_places",
    "calibrate_predictor",
    "load_calibration",
    "load_classifier",
    "save_calibration",
    "save_classifier",
]
