"""Low-rank changes of a frozen transformer that train in place of its weights.

Reference:
    Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator

import keras
import numpy as np

from vpr_tf.config import EncoderConfig, LoraConfig
from vpr_tf.models.backbones import backbone_spec
from vpr_tf.models.encoder_builder import build_encoder
from vpr_tf.models.geolocalization_net import GeoLocalizationNet


def build_with_lora(config: EncoderConfig, lora: LoraConfig) -> GeoLocalizationNet:
    """Builds the encoder of a config as it trains with LoRA.

    Its descriptors are those of `build_encoder` until it has been trained.
    `merged_weights` are the weights of the encoder that `build_encoder` makes.

    Args:
        config: The `encoder` part of an experiment.
        lora: What changes it.

    Raises:
        FileNotFoundError: See `build_encoder`.
        ConnectionError: See `build_encoder`.
        ValueError: See `build_encoder`; or the backbone is no transformer.
    """
    # Its graph stops gradients below the first stage that trains. A transformer has no
    # batch norm, for which `bn_mode: keras` would freeze whole layers, LoRA included.
    encoder = build_encoder(
        dataclasses.replace(config, bn_mode="torch"), train_from_stage=lora.from_stage
    )
    encoder.train_from_stage = config.train_from_stage
    encoder.freeze_stages()
    _enable_lora(encoder, lora)
    return encoder


def merged_weights(
    encoder: keras.Model, value_of: Callable[[keras.Variable], np.ndarray]
) -> list[np.ndarray]:
    """Returns the weights of an encoder in the order of the same one without LoRA.

    Args:
        encoder: With LoRA or without.
        value_of: Reads a variable.

    Returns:
        What `set_weights` of the encoder that `build_encoder` makes takes.
    """
    changes = {id(_kernel(layer)): layer for layer in _changed_layers(encoder)}
    own = {id(v) for layer in changes.values() for v in _factors(layer)}
    values = []
    for variable in encoder.weights:
        if id(variable) in own:
            continue
        value = value_of(variable)
        if id(variable) in changes:
            layer = changes[id(variable)]
            a, b = map(value_of, _factors(layer))
            value = value + np.float32(layer.lora_alpha / layer.lora_rank) * (a @ b)
        values.append(value)
    return values


def _enable_lora(encoder: GeoLocalizationNet, lora: LoraConfig) -> None:
    spec = backbone_spec(encoder.backbone_name)
    if spec.linear_layers is None:
        raise ValueError(
            f"LoRA needs the blocks of a transformer. Received: {spec.name}. Choose "
            "DINOv2_... or ViT_... as `encoder.backbone`, or leave out `encoder.lora`."
        )
    for stage in encoder.stages[lora.from_stage :]:
        for layers in map(spec.linear_layers, stage.layers):
            for target in lora.targets if layers else ():
                for layer in layers[target]:
                    layer.enable_lora(lora.rank, lora_alpha=lora.alpha)


def _changed_layers(encoder: keras.Model) -> Iterator[keras.layers.Layer]:
    if not isinstance(encoder, GeoLocalizationNet):
        return
    linear_layers = backbone_spec(encoder.backbone_name).linear_layers
    if linear_layers is None:
        return
    for stage in encoder.stages:
        for layers in map(linear_layers, stage.layers):
            for layer in itertools.chain(*layers.values()):
                if layer.lora_enabled:
                    yield layer


def _kernel(layer: keras.layers.Layer) -> keras.Variable:
    # `layer.kernel` is the sum.
    return next(v for v in layer.weights if v.name == "kernel")


def _factors(layer: keras.layers.Layer) -> tuple[keras.Variable, keras.Variable]:
    return layer.lora_kernel_a, layer.lora_kernel_b
