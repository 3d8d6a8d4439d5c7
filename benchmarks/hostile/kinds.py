"""All kinds of hostile inputs, with their readers and documented errors."""

from __future__ import annotations

from benchmarks.hostile import (
    configs,
    exports,
    images,
    index_folders,
    links,
    models,
    photos,
    pickles,
    stored,
    weights,
)
from benchmarks.hostile.inputs import Kind
from vpr_tf.classification.errors import ClassificationError
from vpr_tf.config import ConfigError
from vpr_tf.data.prepared_dataset import DatasetError
from vpr_tf.extraction import EncoderError
from vpr_tf.localization import LocalizationError
from vpr_tf.models.torch_weights.checkpoint_objects import CheckpointError
from vpr_tf.photos.errors import InvalidEntryError, PhotoSourceError
from vpr_tf.report.errors import ReportError
from vpr_tf.search import IndexMismatchError, RetrievalError
from vpr_tf.training.errors import TrainingError

_INVALID = (InvalidEntryError,)
_OF_INDEX = (IndexMismatchError, LocalizationError)
_OF_FOLDER = (RetrievalError, LocalizationError)
_OF_HEADS = (ClassificationError, LocalizationError)
_CONFIG = (ConfigError,)


def kinds() -> dict[str, Kind]:
    """Returns all kinds by name."""
    return {
        "names": Kind(photos.make_name, photos.read_name, _INVALID),
        "tables": Kind(
            photos.make_table, photos.read_table, (*_INVALID, PhotoSourceError)
        ),
        "exif": Kind(photos.make_exif, photos.read_exif, _INVALID),
        "headers": Kind(photos.make_header, photos.read_header, _INVALID),
        "images": Kind(
            images.make_images,
            images.read_images_of,
            (images.RejectedImageError,),
            30_000 // images.IMAGES_AN_INPUT,
        ),
        # A config takes a hundred times as long as the others.
        "configs": Kind(stored.make_config, stored.read_config, _CONFIG, 2_000),
        "yaml": Kind(configs.make_yaml, configs.read_yaml, _CONFIG, 10_000),
        "bases": Kind(configs.make_bases, configs.read_bases, _CONFIG, 3_000),
        "datasets": Kind(stored.make_dataset, stored.read_dataset, (DatasetError,)),
        "columns": Kind(stored.make_columns, stored.read_columns, (DatasetError,)),
        "manifests": Kind(stored.make_index, stored.read_index, _OF_INDEX),
        "index arrays": Kind(
            index_folders.make_arrays,
            index_folders.read_index_folder,
            _OF_FOLDER,
        ),
        "scann files": Kind(
            index_folders.make_scann,
            index_folders.read_index_folder,
            _OF_FOLDER,
        ),
        "keras files": Kind(models.make_keras, models.read_keras, (EncoderError,)),
        "saved models": Kind(
            models.make_saved_model, models.read_saved_model, (EncoderError,)
        ),
        "onnx files": Kind(exports.make_onnx, exports.read_export, (EncoderError,)),
        "openvino files": Kind(
            exports.make_openvino, exports.read_export, (EncoderError,)
        ),
        "links": Kind(links.make_links, links.read_links, (ValueError, TrainingError)),
        "searches": Kind(stored.make_search, stored.read_search, _OF_INDEX),
        "reports": Kind(stored.make_report, stored.read_report_folder, (ReportError,)),
        "heads": Kind(weights.make_heads, weights.read_heads, _OF_HEADS),
        "calibrations": Kind(
            weights.make_calibration, weights.read_calibration, _OF_HEADS
        ),
        "checkpoints": Kind(
            weights.make_checkpoint, weights.read_weights, (CheckpointError,)
        ),
        "pickles": Kind(
            pickles.make_pickle, weights.read_weights, (CheckpointError,), 200_000
        ),
    }
