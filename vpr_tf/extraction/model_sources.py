"""Finds the encoder that `vpr evaluate --model` names."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import keras

from vpr_tf.config import ConfigError, EvaluationConfig, ExperimentConfig, load_config
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.extraction.encoders import Encoder
from vpr_tf.extraction.errors import EncoderError
from vpr_tf.extraction.saved_encoder import SavedEncoder, find_saved_model
from vpr_tf.models import GeoLocalizationNet, build_encoder
from vpr_tf.models.released import released_encoder, released_names
from vpr_tf.models.run_weights import with_run_weights
from vpr_tf.models.saved_weights import read_keras_file

_BEST_WEIGHTS = Path("best") / "encoder.weights.h5"


@dataclass(frozen=True)
class LoadedEncoder:
    """An encoder and how to use it.

    Attributes:
        encoder: The encoder.
        evaluation: Settings of the evaluation, with its preparation of images.
        description: What it is, for people.
        output_dir: Where its results go unless the user says otherwise.
    """

    encoder: Encoder
    evaluation: EvaluationConfig
    description: str
    output_dir: Path


def load_encoder(config: ExperimentConfig, model: str | Path | None) -> LoadedEncoder:
    """Loads what the user names.

    Args:
        config: Evaluation settings; also the encoder when `model` is None.
        model: A run folder (the best weights of that run), a `.keras` file, the name
            of a released encoder, a SavedModel (a version, or the folder of its
            versions), or None for the encoder of `config` as training starts from it.
            A SavedModel prepares images as it was exported to, whatever `config`
            says: its results are those of serving.

    Raises:
        EncoderError: There is no such model, or it cannot be loaded.
    """
    try:
        if model is None:
            return _initial(config)
        folder = Path(model)
        if folder.suffix == ".keras" and folder.is_file():
            return _of_keras_file(config, folder)
        if (folder / "config.yaml").is_file():
            return _of_run(config, folder)
        if str(model) in released_names() and not folder.exists():
            return _of_released(config, str(model))
        version = find_saved_model(folder)
        if version is not None:
            return _of_saved_model(config, version)
    except EncoderError:
        raise
    except (ConfigError, ValueError, OSError) as error:
        source = f"the model {model}" if model else "the encoder of the config"
        raise EncoderError(f"Cannot load {source}: {error}") from error
    raise EncoderError(
        f"{folder} is no model: it holds neither config.yaml (a run folder) nor "
        "saved_model.pb or numbered versions (a SavedModel). Pass runs/<name>/<time>, "
        "savedmodels/<name>, a .keras file or a released encoder's name, e.g. "
        "cosplace_resnet50_2048."
    )


def _initial(config: ExperimentConfig) -> LoadedEncoder:
    # Here since it imports scikit-learn, which a query need not wait for.
    from vpr_tf.extraction.initial_clusters import initialize_clusters_from_train
    from vpr_tf.models.cluster_initialization import needs_clusters

    keras.utils.set_random_seed(config.seed)
    encoder_config = with_run_weights(config)
    encoder = build_encoder(encoder_config)
    weights = encoder_config.weights
    if needs_clusters(encoder):
        dataset = PreparedDataset(config.dataset.path)
        weights += f"; {initialize_clusters_from_train(encoder, dataset, config)}"
    return LoadedEncoder(
        encoder,
        config.evaluation,
        f"{config.encoder.backbone} with initial weights ({weights})",
        Path(config.runs_dir) / config.name / "evaluation_initial_weights",
    )


def _of_run(config: ExperimentConfig, folder: Path) -> LoadedEncoder:
    weights = folder / _BEST_WEIGHTS
    if not weights.is_file():
        raise EncoderError(
            f"The run {folder} has no best model yet ({_BEST_WEIGHTS} is missing). It "
            "is written after the first validation."
        )
    trained = load_config(folder / "config.yaml").encoder
    encoder = build_encoder(dataclasses.replace(trained, weights="none"))
    encoder.load_weights(weights)
    _check_image_size(encoder, config.evaluation)
    description = f"{trained.backbone}, best weights of {folder}"
    return LoadedEncoder(encoder, config.evaluation, description, folder / "evaluation")


def _of_keras_file(config: ExperimentConfig, file: Path) -> LoadedEncoder:
    encoder = read_keras_file(file)
    _check_image_size(encoder, config.evaluation)
    description = f"{encoder.backbone_name} of {file}"
    output_dir = Path(config.runs_dir) / config.name / f"evaluation_{file.stem}"
    return LoadedEncoder(encoder, config.evaluation, description, output_dir)


def _of_released(config: ExperimentConfig, name: str) -> LoadedEncoder:
    encoder = GeoLocalizationNet.from_pretrained(name)
    _check_image_size(encoder, config.evaluation)
    description = f"{name}, {released_encoder(name).reference}"
    output_dir = Path(config.runs_dir) / config.name / f"evaluation_{name}"
    return LoadedEncoder(encoder, config.evaluation, description, output_dir)


def _check_image_size(
    encoder: GeoLocalizationNet, evaluation: EvaluationConfig
) -> None:
    height, width = encoder.image_shape[:2]
    if height is None or width is None:
        return
    size = evaluation.image_size
    if evaluation.resize != "square" or (height, width) != (size, size):
        raise EncoderError(
            f"The encoder takes images of {height}x{width} only. Set evaluation.resize="
            f"square and evaluation.image_size={height}. Received: "
            f"{evaluation.resize}, {size}"
        )


def _of_saved_model(config: ExperimentConfig, version: Path) -> LoadedEncoder:
    encoder = SavedEncoder(version)
    exported = encoder.config.evaluation
    evaluation = dataclasses.replace(
        config.evaluation,
        resize=exported.resize,
        image_size=exported.image_size,
        precision="float32",
    )
    name = version.resolve().parent.name
    description = f"SavedModel {version}"
    changed = [
        f"{field}: {getattr(evaluation, field)} instead of {value}"
        for field in ("resize", "image_size", "precision")
        if (value := getattr(config.evaluation, field)) != getattr(evaluation, field)
    ]
    if changed:
        description += f" (prepares images its own way; {', '.join(changed)})"
    output_dir = (
        Path(config.runs_dir) / config.name / f"evaluation_{name}_{version.name}"
    )
    return LoadedEncoder(encoder, evaluation, description, output_dir)
