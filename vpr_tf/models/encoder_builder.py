"""From the config to an encoder with its weights, which are put in strictly.

Every key of a file must be used and every weight set with its exact shape; otherwise
nothing is set, and the error lists the differences.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from vpr_tf.config import RUN_PREFIX, ConfigError, EncoderConfig, ExperimentConfig
from vpr_tf.models.backbones import backbone_spec
from vpr_tf.models.best_weights import BEST_WEIGHTS, checked_best_weights
from vpr_tf.models.geolocalization_net import GeoLocalizationNet
from vpr_tf.models.imagenet_weights import load_imagenet, load_preset
from vpr_tf.models.pretrained import load_released
from vpr_tf.models.released import released_names
from vpr_tf.models.saved_weights import (
    load_keras_file,
    load_weights_h5,
    read_encoder,
)
from vpr_tf.models.torch_weights.checkpoint import read_checkpoint
from vpr_tf.models.torch_weights.state_dict import load_torch_state_dict
from vpr_tf.stored_values import read_json

_PRESET_PREFIX = "preset:"
# Formats of torch and safetensors are recognised by content, not by these suffixes.
_TORCH_SUFFIXES = (".pth", ".pt", ".ckpt", ".torch", ".safetensors")


def build_encoder(
    config: EncoderConfig, *, train_from_stage: int | None = None
) -> GeoLocalizationNet:
    """Builds the encoder that a config describes and loads its weights.

    The backbone takes the global dtype policy (`keras.config.set_dtype_policy`), so
    set that first. Random weights follow `keras.utils.set_random_seed`.

    Args:
        config: The `encoder` part of an experiment.
        train_from_stage: Instead of that of the config; None for that.

    Raises:
        FileNotFoundError: The weights file is missing.
        ConnectionError: A preset cannot be fetched.
        ValueError: A name is unknown, the aggregation does not fit the backbone, or
            the weights do not fit.
    """
    model = GeoLocalizationNet(
        config.backbone,
        config.descriptor_dim,
        aggregation=config.aggregation.options(),
        last_stage=config.last_stage,
        image_shape=(config.image_size, config.image_size, 3),
        train_from_stage=(
            config.train_from_stage if train_from_stage is None else train_from_stage
        ),
        bn_mode=config.bn_mode,
        adapters=None if config.adapters is None else vars(config.adapters),
    )
    load_weights(model, config.weights)
    return model


def read_keras_file(path: Path) -> GeoLocalizationNet:
    """Loads the encoder of a `.keras` file.

    Raises:
        ValueError: The file is damaged or holds something else.
    """
    return read_encoder(GeoLocalizationNet, path)


def with_run_weights(config: ExperimentConfig) -> EncoderConfig:
    """Returns `config.encoder`, with a file as weights where they were `run:NAME`.

    The file holds the best weights of the newest finished run of that name in
    `config.runs_dir`.

    Raises:
        ConfigError: There is no finished run of that name.
        ValueError: Its weights are damaged.
    """
    weights = config.encoder.weights
    if not weights.startswith(RUN_PREFIX):
        return config.encoder
    name = weights.removeprefix(RUN_PREFIX)
    best = checked_best_weights(finished_run(config, name, "encoder.weights"))
    return dataclasses.replace(config.encoder, weights=str(best))


def finished_run(config: ExperimentConfig, name: str, field: str) -> Path:
    """Returns the newest finished run of a name in `config.runs_dir`.

    Args:
        config: The experiment.
        name: Of the runs.
        field: What says `run:NAME`, for the message.

    Raises:
        ConfigError: There is no finished run of that name.
    """
    parent = Path(config.runs_dir) / name
    runs = sorted((file.parent for file in parent.glob("*/config.yaml")), reverse=True)
    for run in runs:
        if _is_finished(run):
            return run
    found = f"{len(runs)} that did not end" if runs else "none"
    raise ConfigError(
        f"`{field}: {RUN_PREFIX}{name}` needs a finished run in {parent}. Found: "
        f"{found}. Train the config named {name} first, or set `{field}` to something "
        "else."
    )


def _is_finished(run: Path) -> bool:
    try:
        metrics = read_json(run / "metrics.json")
    except (OSError, ValueError):
        return False
    has_export = isinstance(metrics, dict) and "savedmodel" in metrics
    return has_export and (run / BEST_WEIGHTS).is_file()


def load_weights(model: GeoLocalizationNet, weights: str) -> None:
    """Sets the weights of an encoder.

    Args:
        model: The encoder.
        weights: `none` (keep the random ones), `imagenet`, `preset:<name>` (a
            keras-hub preset of the backbone by its name or URL, which needs the
            network, or a folder that holds one), the name of a released encoder of
            the same architecture (see `vpr_tf.models.released`), or the path of a
            `.keras`, `.weights.h5`, `.safetensors`, `.pth`, `.pt`, `.ckpt` or
            `.torch` file. Those of torch may hold the backbone alone, or be training
            checkpoints, whose heads are left out.

    Raises:
        FileNotFoundError: The file, or the package with the weights, is missing.
        ConnectionError: The preset or the released weights cannot be fetched.
        ValueError: The weights do not fit; the differences are listed.
    """
    if weights == "none":
        return
    if weights == "imagenet":
        installed_file = backbone_spec(model.backbone_name).imagenet_file
        if installed_file is None:
            load_imagenet(model)
        else:
            _load_file(model, installed_file())
    elif weights.startswith(_PRESET_PREFIX):
        load_preset(model, weights.removeprefix(_PRESET_PREFIX))
    elif weights in released_names():
        load_released(model, weights)
    else:
        _load_file(model, Path(weights))


def _load_file(model: GeoLocalizationNet, path: Path) -> None:
    known = (".keras", ".weights.h5", *_TORCH_SUFFIXES)
    if not path.name.endswith(known):
        raise ValueError(
            "`weights` must be none, imagenet, preset:<name>, the name of a released "
            f"encoder ({', '.join(released_names()[:3])}, ...) or the path of a file "
            f"({', '.join(known)}). Received: {str(path)!r}"
        )
    if not path.is_file():
        raise FileNotFoundError(
            f"No weights file at {path}. Correct `encoder.weights`, or use imagenet or "
            "none."
        )
    if path.name.endswith(".keras"):
        load_keras_file(model, path)
    elif path.name.endswith(".weights.h5"):
        load_weights_h5(model, path)
    else:
        load_torch_state_dict(model, read_checkpoint(path).state_dict)
