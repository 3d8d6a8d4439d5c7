"""Localization by classes: heads that are kept, and the places that they name."""

from vpr_tf.classification.calibration import (
    calibrate_predictor,
    load_calibration,
    save_calibration,
)
from vpr_tf.classification.cell_ranking import ClassifierCells
from vpr_tf.classification.cells import GridCells, RegionCells
from vpr_tf.classification.class_table import ClassTable, require_ground
from vpr_tf.classification.classifier import PlaceClassifier
from vpr_tf.classification.errors import ClassificationError
from vpr_tf.classification.group_head import GroupHead
from vpr_tf.classification.localizer import ClassifierLocalizer
from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.classification.prototype_search import PrototypeSearch
from vpr_tf.classification.regression import PlaceRegression
from vpr_tf.classification.stored_heads import (
    RUN_FOLDER,
    SAVED_MODEL_FOLDER,
    heads_folder,
    load_heads,
    save_heads,
)

__all__ = [
    "RUN_FOLDER",
    "SAVED_MODEL_FOLDER",
    "ClassTable",
    "ClassificationError",
    "ClassifierCells",
    "ClassifierLocalizer",
    "GridCells",
    "GroupHead",
    "PlaceClassifier",
    "PlacePredictor",
    "PlaceRegression",
    "PrototypeSearch",
    "RegionCells",
    "calibrate_predictor",
    "heads_folder",
    "load_calibration",
    "load_heads",
    "require_ground",
    "save_calibration",
    "save_heads",
]
