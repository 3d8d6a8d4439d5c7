"""The encoder: an image to a descriptor of unit length."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
from keras import ops

from vpr_tf.config import AdaptedTo, AdaptersConfig, Preprocessing
from vpr_tf.layers import L2Normalization, dtype_policy, torch_linear
from vpr_tf.models.aggregations import (
    BOTH,
    CLASS_TOKEN,
    TOKENS,
    aggregation_spec,
    check_aggregation_fits,
    parse_aggregation,
)
from vpr_tf.models.backbones import ADDED_LAYERS, ImageShape, backbone_spec


@keras.saving.register_keras_serializable(package="vpr_tf")
class GeoLocalizationNet(keras.Model):
    """Backbone, aggregation, linear projection, L2; with GeM that of CosPlace.

    Images are standardised inside, as the backbone's weights expect. The backbone
    computes under the dtype policy; standardisation, aggregation, projection and
    normalisation in float32.

    Stages below `train_from_stage` are frozen, and no gradient is computed through
    them. With `bn_mode="torch"` their batch norms go on using and updating batch
    statistics in training (only scale and offset are frozen), as the official
    training does; with `"keras"` they use their moving statistics. Keras forgets this
    choice when `trainable` of the model or of a stage is set: call `freeze_stages`
    afterwards.

    Args:
        backbone: Name in `vpr_tf.models.backbones.BACKBONE_NAMES`.
        descriptor_dim: Length that the linear projection gives; None leaves the
            projection out, and the descriptor has the aggregation's length.
        aggregation: Name in `vpr_tf.models.aggregations.AGGREGATION_NAMES`, or a
            mapping with `name` and options, e.g. `{"name": "gem", "p": 3.0}`.
        whitening_dim: Length after a further linear layer and L2, which
            `vpr whiten` fits; None leaves them out.
        last_stage: Last stage of the backbone; None takes all. MixVPR cuts a ResNet
            after stage 3.
        image_shape: `(height, width, 3)`; None for a side of any length.
        train_from_stage: First stage that trains; 0 (or None) trains all, a number
            above the last stage freezes the backbone. See the backbone's module.
        bn_mode: `"torch"` or `"keras"`.
        name: Name of the model.
        dtype: Dtype policy of the backbone; None takes the global one.
        preprocessing: How images are prepared for the encoder, as the fields of
            `Preprocessing`, for whoever loads it from a file; None where unknown.
        adapters: Fields of `AdaptersConfig`: networks after the blocks of a
            transformer, which train in frozen stages too; None for none.
        adapted_to: Photos that it was adapted to, as the fields of `AdaptedTo`.

    Attributes:
        descriptor_dim: Length of the descriptors.
        feature_channels: Channels of the backbone's feature map.
        stages: The backbone as a list of models.

    Input shape:
        `(batch, height, width, 3)`, RGB floats in [0, 1].

    Output shape:
        `(batch, descriptor_dim)`, float32, unit length.

    Example:
        >>> import numpy as np
        >>> import vpr_tf as vpr
        >>> encoder = vpr.GeoLocalizationNet("ResNet18", 64)
        >>> encoder(np.zeros((1, 64, 64, 3), np.float32)).shape
        TensorShape([1, 64])

    Reference:
        Berton et al., "Rethinking Visual Geo-localization for Large-Scale
        Applications" (CosPlace), arXiv:2204.02287.
    """

    def __init__(
        self,
        backbone: str,
        descriptor_dim: int | None,
        *,
        aggregation: str | Mapping[str, Any] = "gem",
        whitening_dim: int | None = None,
        last_stage: int | None = None,
        image_shape: ImageShape = (None, None, 3),
        train_from_stage: int | None = 0,
        bn_mode: str = "torch",
        name: str = "geolocalization_net",
        dtype: Any = None,
        preprocessing: Mapping[str, Any] | None = None,
        adapters: Mapping[str, Any] | None = None,
        adapted_to: Mapping[str, Any] | None = None,
    ) -> None:
        spec = backbone_spec(backbone)
        first_stage = 0 if train_from_stage is None else train_from_stage
        _check_dimensions(descriptor_dim, whitening_dim, image_shape)
        _check_stages(spec.num_stages, last_stage, first_stage, bn_mode)
        aggregation_name, options, normalize = parse_aggregation(aggregation)
        check_aggregation_fits(aggregation_name, spec, image_shape, options)
        aggregator = aggregation_spec(aggregation_name)
        changes = aggregator.transformer_with(options)
        reached = first_stage
        if adapters is not None:
            if not spec.has_class_token:
                raise ValueError(
                    "`adapters` need the blocks of a transformer. Received: "
                    f"{backbone}. Choose DINOv2_... or ViT_..., or leave them out."
                )
            added = AdaptersConfig(**adapters)
            reached = min(first_stage, added.from_stage)
            changes = dataclasses.replace(
                changes,
                adapter_dim=added.hidden_dim,
                adapters_from=added.from_stage,
            )
        policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())

        # === Layers ===
        with dtype_policy(policy):
            stages = spec.stages_for(image_shape, changes, last_stage)
        standardize = keras.layers.Rescaling(
            scale=[1 / std for std in spec.std],
            offset=[-mean / std for mean, std in zip(spec.mean, spec.std, strict=True)],
            dtype="float32",
            name="standardize",
        )
        aggregate = aggregator.layer(**options, dtype="float32", name="aggregation")

        # === Functional Model ===
        images = keras.Input(image_shape, dtype="float32", name="images")
        x = standardize(images)
        for number, stage in enumerate(stages):
            if number == reached and number > 0:
                x = keras.tree.map_structure(ops.stop_gradient, x)
            x = stage(x)
        if reached >= len(stages):
            x = keras.tree.map_structure(ops.stop_gradient, x)
        backbone_output = x
        x = _aggregate(x, aggregate, aggregator.inputs_with(options), normalize)
        if descriptor_dim is not None:
            x = _linear(x.shape[-1], descriptor_dim, "projection")(x)
        x = L2Normalization(dtype="float32", name="normalize_descriptors")(x)
        if whitening_dim is not None:
            x = _linear(x.shape[-1], whitening_dim, "whitening")(x)
            x = L2Normalization(dtype="float32", name="normalize_whitened")(x)
        super().__init__(inputs=images, outputs=x, name=name)

        # === Config ===
        self._features = backbone_output
        self.backbone_name = backbone
        self.aggregation_name = aggregation_name
        self.descriptor_dim = int(x.shape[-1])
        self.feature_channels = int(keras.tree.flatten(backbone_output)[0].shape[-1])
        self.image_shape = tuple(image_shape)
        self.last_stage = last_stage
        self.train_from_stage = first_stage
        self.adapters = None if adapters is None else dict(adapters)
        self._gradients_from = reached
        self.bn_mode = bn_mode
        self.backbone_dtype_policy = policy
        self.preprocessing = (
            None if preprocessing is None else Preprocessing(**preprocessing)
        )
        self.adapted_to = None if adapted_to is None else AdaptedTo(**adapted_to)
        self._projection_dim = descriptor_dim
        self._whitening_dim = whitening_dim
        self._aggregation = (
            aggregation if isinstance(aggregation, str) else dict(aggregation)
        )
        self.freeze_stages()

    @classmethod
    def from_pretrained(
        cls,
        name: str,
        *,
        cache_dir: str | Path | None = None,
        train_from_stage: int | None = 0,
        bn_mode: str = "torch",
        dtype: Any = None,
        image_shape: ImageShape | None = None,
    ) -> GeoLocalizationNet:
        """Builds a released encoder with its weights, e.g. `cosplace_resnet50_2048`.

        At first use the weights are downloaded and converted; afterwards the converted
        file is used, and no network is needed.

        Args:
            name: Name in `vpr_tf.models.released.released_names()`.
            cache_dir: Folder that keeps the files; None for `$VPR_TF_CACHE`, or
                `~/.cache/vpr_tf`.
            train_from_stage: See the class.
            bn_mode: See the class.
            dtype: See the class.
            image_shape: See the class; None for what the encoder needs.

        Raises:
            ConnectionError: The weights are not there and cannot be downloaded.
            ValueError: The name is unknown, or the weights are damaged.
        """
        from vpr_tf.models.pretrained import load_pretrained

        return load_pretrained(
            cls,
            name,
            cache_dir=cache_dir,
            train_from_stage=train_from_stage,
            bn_mode=bn_mode,
            dtype=dtype,
            image_shape=image_shape,
        )

    @property
    def stages(self) -> list[keras.Model]:
        """The backbone's stages in order, layers included."""
        last = self.last_stage
        count = backbone_spec(self.backbone_name).num_stages
        numbers = range(count if last is None else last + 1)
        return [self.get_layer(f"stage{number}") for number in numbers]

    def feature_extractor(self) -> keras.Model:
        """Returns the model from images to what the backbone gives."""
        return keras.Model(self.input, self._features)

    def freeze_stages(self) -> None:
        """Makes the variables trainable or not as `train_from_stage` says.

        What was put into a frozen stage trains where gradients reach it.
        """
        for number, stage in enumerate(self.stages):
            frozen = number < self.train_from_stage
            added = [
                variable
                for layer in stage.layers
                if layer.name in ADDED_LAYERS and number >= self._gradients_from
                for variable in layer.weights
            ]
            # A batch norm whose layer trains keeps using batch statistics.
            stage.trainable = not frozen or self.bn_mode == "torch" or bool(added)
            if frozen and stage.trainable:
                for variable in stage.trainable_variables:
                    variable.trainable = False
                for variable in added:
                    variable.trainable = True

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = {
            "backbone": self.backbone_name,
            "descriptor_dim": self._projection_dim,
            "aggregation": self._aggregation,
            "whitening_dim": self._whitening_dim,
            "last_stage": self.last_stage,
            "image_shape": self.image_shape,
            "train_from_stage": self.train_from_stage,
            "bn_mode": self.bn_mode,
            "name": self.name,
            "dtype": self.backbone_dtype_policy.name,
        }
        if self.preprocessing is not None:
            config["preprocessing"] = dataclasses.asdict(self.preprocessing)
        if self.adapters is not None:
            config["adapters"] = self.adapters
        if self.adapted_to is not None:
            config["adapted_to"] = dataclasses.asdict(self.adapted_to)
        return config


def _check_dimensions(
    descriptor_dim: int | None, whitening_dim: int | None, image_shape: ImageShape
) -> None:
    for name, value in (
        ("descriptor_dim", descriptor_dim),
        ("whitening_dim", whitening_dim),
    ):
        if value is not None and value < 1:
            raise ValueError(f"`{name}` must be 1 or more, or None. Received: {value}")
    if len(image_shape) != 3 or image_shape[2] != 3:
        raise ValueError(
            "`image_shape` must be (height, width, 3), None for a side of any length. "
            f"Received: image_shape={tuple(image_shape)}"
        )


def _check_stages(
    num_stages: int, last_stage: int | None, first_stage: int, bn_mode: str
) -> None:
    if first_stage < 0:
        raise ValueError(
            "`train_from_stage` must be 0 (train all) or more. "
            f"Received: train_from_stage={first_stage}"
        )
    if last_stage is not None and not 0 <= last_stage < num_stages:
        raise ValueError(
            f"`last_stage` must be a stage of the backbone, 0 to {num_stages - 1}, or "
            f"None. Received: last_stage={last_stage}"
        )
    if bn_mode not in ("torch", "keras"):
        raise ValueError(
            f'`bn_mode` must be "torch" or "keras". Received: bn_mode={bn_mode!r}'
        )


def _aggregate(
    backbone_output: Any, layer: keras.layers.Layer, inputs: str, normalize: bool
) -> keras.KerasTensor:
    if isinstance(backbone_output, (list, tuple)):
        features, prefix_tokens = backbone_output
        class_token = prefix_tokens[:, 0]
    else:
        features, class_token = backbone_output, None
    if normalize:
        normalize_features = L2Normalization(dtype="float32", name="normalize_features")
        features = normalize_features(features)
    if inputs == TOKENS:
        return layer(prefix_tokens)
    if inputs == CLASS_TOKEN:
        return layer(class_token)
    return layer([features, class_token] if inputs == BOTH else features)


def _linear(inputs: int, units: int, name: str) -> keras.layers.Dense:
    return torch_linear(inputs, units, dtype="float32", name=name)
