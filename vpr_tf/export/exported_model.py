"""Exports a model that is named: its encoder, and the heads that it has."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from vpr_tf.classification import (
    PlaceClassifier,
    heads_folder,
    load_calibration,
    load_heads,
)
from vpr_tf.config import (
    AGGREGATIONS,
    ConfigError,
    ExperimentConfig,
    Preprocessing,
    load_saved_config,
)
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.export.engine_export import EngineExport
from vpr_tf.export.formats import SAVED_MODEL, what_is_exported
from vpr_tf.export.saved_classifier_model import NUM_PLACES, export_classifier
from vpr_tf.export.saved_model import export_encoder
from vpr_tf.extraction import find_model, load_extractor
from vpr_tf.extraction.export_record import ExportRecord
from vpr_tf.extraction.photo_sources import PhotoImages
from vpr_tf.models import GeoLocalizationNet
from vpr_tf.photos import PhotoFiles


@dataclass(frozen=True)
class ExportedModel:
    """An export, and what went into it.

    Attributes:
        version: Its folder.
        model: What was exported, for people.
        preprocessing: How it prepares images.
        descriptor_dim: Length of its descriptors.
        heads: What its heads are, for people; empty without.
        record: What lies beside the files of another format than SavedModel.
    """

    version: Path
    model: str
    preprocessing: Preprocessing
    descriptor_dim: int
    heads: str = ""
    record: ExportRecord | None = None


def export_model(
    config: ExperimentConfig,
    model: str | Path | None,
    *,
    name: str | None = None,
    num_places: int = NUM_PLACES,
    model_format: str = SAVED_MODEL,
    precision: str = "float32",
    photos: PhotoFiles | None = None,
    calibration: PhotoFiles | None = None,
) -> ExportedModel:
    """Exports a model.

    Args:
        config: `savedmodels_dir`, and what it says of the preparation of images. With
            `evaluation.method: classification` the heads are exported too.
        model: See `load_extractor`; it must be a Keras encoder.
        name: Of the export; None for that of the model: of its experiment, its file or
            its release.
        num_places: Places that heads give for each image.
        model_format: One of `FORMATS`; all but a SavedModel hold the encoder alone.
        precision: `float32`, `bfloat16`, `float16` or `int8`.
        photos: See `EngineExport`.
        calibration: See `EngineExport`.

    Raises:
        ConfigError: The model is an export already, its heads compute a place instead
            of choosing one, or format and precision do not go together.
        ClassificationError: It has no heads, and the method needs them.
        LocalizationError: Their calibration is damaged, or of other heads or another
            score.
        EncoderError: There is no such model.
        ExportError: It cannot be written.
    """
    what_is_exported(model_format, precision)
    loaded = load_extractor(config, model, engine="tensorflow")
    encoder = loaded.encoder
    if not isinstance(encoder, GeoLocalizationNet):
        raise ConfigError(
            "`--model` must be a run folder, a .keras file or the name of a released "
            f"encoder. Received an export: {model}"
        )
    prepared = dataclasses.asdict(loaded.preprocessing)
    config = dataclasses.replace(
        _with_encoder(config, encoder, model),
        name=name or _name_of(model) or config.name,
        evaluation=dataclasses.replace(config.evaluation, **prepared),
    )
    heads, record = "", None
    if model_format != SAVED_MODEL:
        if config.evaluation.method == "classification":
            raise ConfigError(
                "Heads are exported as SavedModels. Set evaluation.method=retrieval to "
                f"export the encoder alone. Received: --format {model_format}"
            )
        version, record = EngineExport(
            loaded,
            config,
            model_format,
            precision,
            _images_of(photos),
            _images_of(calibration),
            _dataset_of(config),
        ).write()
    elif config.evaluation.method == "classification":
        version, heads = _export_heads(config, encoder, model, num_places)
    else:
        version = export_encoder(encoder, config, config.savedmodels_dir)
    return ExportedModel(
        version,
        loaded.description,
        record.preprocessing if record else loaded.preprocessing,
        encoder.descriptor_dim,
        heads,
        record,
    )


def _images_of(photos: PhotoFiles | None) -> PhotoImages | None:
    return None if photos is None else PhotoImages(photos)


def _dataset_of(config: ExperimentConfig) -> PreparedDataset | None:
    """Returns the dataset of a config, which need not have been built."""
    is_built = (Path(config.dataset.path) / "manifest.json").is_file()
    return PreparedDataset(config.dataset.path) if is_built else None


def _name_of(model: str | Path | None) -> str | None:
    """Returns what a model is called; None if it is the config's own."""
    if model is None:
        return None
    source = find_model(model)
    if source.config_file is not None:
        return load_saved_config(source.config_file).name
    return source.name


def _export_heads(
    config: ExperimentConfig,
    encoder: GeoLocalizationNet,
    model: str | Path | None,
    num_places: int,
) -> tuple[Path, str]:
    """Returns the folder of the version, and what the heads are for people."""
    predictor = load_heads(model, config.classification)
    if model is None or not isinstance(predictor, PlaceClassifier):
        raise ConfigError(
            "Heads of classes are exported, not regressions. Set evaluation.method="
            f"retrieval to export the encoder alone. Received: {model}"
        )
    calibration = load_calibration(heads_folder(model))
    version = export_classifier(
        encoder,
        predictor,
        config,
        config.savedmodels_dir,
        calibration=calibration,
        num_places=num_places,
    )
    count = min(num_places, len(predictor.table))
    sure = "not calibrated: no confidence"
    if calibration is not None:
        sure = f"calibrated on {calibration.fitted_on}"
    return version, (
        f"Heads: {len(predictor.heads)}, {len(predictor.table):,} places, the best "
        f"{count} by {predictor.ranked_by} are given; {sure}"
    )


def _with_encoder(
    config: ExperimentConfig, encoder: GeoLocalizationNet, model: str | Path | None
) -> ExperimentConfig:
    """Returns the config with the encoder that is exported in truth."""
    described = encoder.get_config()
    aggregation = described["aggregation"]
    if isinstance(aggregation, str):
        aggregation = {"name": aggregation}
    return dataclasses.replace(
        config,
        encoder=dataclasses.replace(
            config.encoder,
            backbone=described["backbone"],
            descriptor_dim=described["descriptor_dim"],
            aggregation=AGGREGATIONS.create(**aggregation),
            last_stage=described["last_stage"],
            weights=config.encoder.weights if model is None else str(model),
        ),
    )
