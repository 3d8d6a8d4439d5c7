"""Loads the encoder that a user names, ready to describe photos."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from vpr_tf.config import (
    ConfigError,
    EvaluationConfig,
    ExperimentConfig,
    Preprocessing,
    load_saved_config,
)
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.engine_choice import chosen_engine
from vpr_tf.extraction.adaptation_notes import note_of_run
from vpr_tf.extraction.encoders import Encoder, natural_preprocessing
from vpr_tf.extraction.errors import EncoderError
from vpr_tf.extraction.exported_encoder import ExportedEncoder
from vpr_tf.extraction.feature_extractor import FeatureExtractor
from vpr_tf.extraction.model_source import (
    EXPORT,
    KERAS_FILE,
    RELEASED,
    RUN,
    RUN_CONFIG,
    SAVED_MODEL,
    ModelSource,
    find_model,
)
from vpr_tf.extraction.saved_encoder import SavedEncoder
from vpr_tf.models import (
    GeoLocalizationNet,
    build_encoder,
    read_keras_file,
    released_encoder,
    with_run_weights,
)
from vpr_tf.models.best_weights import checked_best_weights
from vpr_tf.models.hdf5_weights import at_most_as_large_as, load_hdf5
from vpr_tf.paths import shared_path


def load_extractor(
    config: ExperimentConfig | EvaluationConfig | None = None,
    model: str | Path | Encoder | Callable[[Any], Any] | None = None,
    *,
    preprocessing: Preprocessing | None = None,
    engine: str | None = None,
) -> FeatureExtractor:
    """Loads what the user names.

    Args:
        config: An experiment, whose encoder is taken when `model` is None, or its
            `evaluation` alone. What that says of the preparation of images holds
            instead of what the model brings, and is named in the description. Where
            neither says anything, images keep their size, or get the one size that
            the encoder takes.
        model: A run folder (the best weights of that run), a `.keras` file, the name
            of a released encoder, a SavedModel or another export (a version, or the
            folder of its versions), a Keras model or a function of images; or None for
            the encoder of `config` as training starts from it. A SavedModel prepares
            images as it was exported to, whatever else is set: its results are those
            of serving.
        preprocessing: Instead of both.
        engine: What computes, see `FeatureExtractor`; None for what `using_engine`
            or `config` says.

    Raises:
        EncoderError: There is no such model, or it cannot be loaded.
    """
    experiment = config if isinstance(config, ExperimentConfig) else None
    stated = config.evaluation if isinstance(config, ExperimentConfig) else config
    source = None
    try:
        if isinstance(model, str | Path):
            source = find_model(model)
        encoder, description = _load(experiment, model, source)
        kept = None
        if source is not None and source.config_file is not None:
            kept = load_saved_config(source.config_file).evaluation
    except EncoderError:
        raise
    except (ConfigError, ValueError, OSError) as error:
        name = f"the model {model}" if model else "the encoder of the config"
        raise EncoderError(f"Cannot load {name}: {error}") from error
    evaluation = stated or kept or EvaluationConfig()
    own = _own_preprocessing(encoder, source, kept)
    if preprocessing is None:
        fallback = natural_preprocessing(encoder)
        preprocessing = evaluation.preprocessing_over(own or fallback)
    if isinstance(encoder, SavedEncoder):
        wanted, preprocessing = preprocessing, encoder.preprocessing
        description += _differences(wanted, preprocessing, "prepares images itself")
    elif own is not None:
        description += _differences(own, preprocessing, "not as it was trained")
    return FeatureExtractor(
        encoder,
        preprocessing,
        engine=engine or chosen_engine().name or (stated.engine if stated else None),
        batch_size=evaluation.batch_size,
        description=description,
    )


def _own_preprocessing(
    encoder: Any, source: ModelSource | None, kept: EvaluationConfig | None
) -> Preprocessing | None:
    """Returns how a model says that images are prepared for it; None if it does not."""
    if source is not None and source.kind == RELEASED:
        return released_encoder(str(source.path)).preprocessing
    if source is not None and source.kind == RUN and kept is not None:
        return kept.preprocessing
    own = getattr(encoder, "preprocessing", None)
    return own if isinstance(own, Preprocessing) else None


def _load(
    config: ExperimentConfig | None, model: Any, source: ModelSource | None
) -> tuple[Any, str]:
    """Returns an encoder, and what it is, for people: names, since it is passed on."""
    if model is None:
        return _load_initial(config)
    if source is None:
        return model, type(model).__name__
    if source.kind == RUN:
        return _load_run(source.path)
    if source.kind == SAVED_MODEL:
        saved = SavedEncoder(source.path)
        return saved, f"SavedModel {saved.config.name} {source.path.resolve().name}"
    if source.kind == EXPORT:
        exported = ExportedEncoder.from_folder(source.path)
        kind = f"exported as {exported.format}"
        return exported, f"{exported.description}, {kind}"
    if source.kind == KERAS_FILE:
        encoder = read_keras_file(source.path)
        return encoder, f"{encoder.backbone_name} of {source.path.name}"
    name = str(source.path)
    encoder = GeoLocalizationNet.from_pretrained(name)
    return encoder, f"{name}, {released_encoder(name).reference}"


def _load_initial(config: ExperimentConfig | None) -> tuple[GeoLocalizationNet, str]:
    if config is None:
        raise EncoderError("Pass a config or a model. Received: neither")
    # Here since it imports scikit-learn, which a query need not wait for.
    from vpr_tf.extraction.initial_clusters import initialize_clusters_from_train
    from vpr_tf.models import needs_clusters

    keras.utils.set_random_seed(config.seed)
    encoder_config = with_run_weights(config)
    encoder = build_encoder(encoder_config)
    weights = shared_path(encoder_config.weights)
    if needs_clusters(encoder):
        dataset = PreparedDataset(config.dataset.path)
        weights += f"; {initialize_clusters_from_train(encoder, dataset, config)}"
    return encoder, f"{config.encoder.backbone} with initial weights ({weights})"


def _load_run(folder: Path) -> tuple[GeoLocalizationNet, str]:
    weights = checked_best_weights(folder)
    config = load_saved_config(folder / RUN_CONFIG)
    trained = config.encoder
    with at_most_as_large_as(weights):
        encoder = build_encoder(dataclasses.replace(trained, weights="none"))
    load_hdf5(encoder, weights)
    encoder.adapted_to = note_of_run(config, folder)
    run = f"{config.name}/{folder.resolve().name}"
    return encoder, f"{trained.backbone}, best weights of {run}"


def _differences(wanted: Preprocessing, received: Preprocessing, remark: str) -> str:
    own = dataclasses.asdict(received)
    changed = [
        f"{field}: {own[field]} instead of {value}"
        for field, value in dataclasses.asdict(wanted).items()
        if value != own[field]
    ]
    if not changed:
        return ""
    return f" ({remark}; {', '.join(changed)})"
