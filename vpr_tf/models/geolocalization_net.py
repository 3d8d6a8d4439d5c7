"""The encoder: an image to a descriptor of unit length."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from vpr_tf.layers import GeneralizedMeanPooling2D, L2Normalization
from vpr_tf.models.backbones import BackboneSpec, backbone_spec


@keras.saving.register_keras_serializable(package="vpr_tf")
class GeoLocalizationNet(keras.Model):
    """Backbone, L2 over channels, GeM, linear projection, L2.

    Images are standardised inside, as the backbone's weights expect. The backbone
    computes under the dtype policy; standardisation, pooling, projection and
    normalisation in float32.

    Stages below `train_from_stage` are frozen, and no gradient is computed through
    them. With `bn_mode="torch"` their batch norms go on using and updating batch
    statistics in training (only scale and offset are frozen), as the official
    training does; with `"keras"` they use their moving statistics. Keras forgets this
    choice when `trainable` of the model or of a stage is set: call `freeze_stages`
    afterwards.

    Args:
        backbone: Name in `vpr_tf.models.backbones.BACKBONE_NAMES`.
        descriptor_dim: Length of the descriptor.
        gem_p: Initial exponent of the pooling; its current value is `model.gem_p`.
        image_shape: `(height, width, 3)`; None for a side of any length.
        train_from_stage: First stage that trains; 0 (or None) trains all, a number
            above the last stage freezes the backbone. See the backbone's module.
        bn_mode: `"torch"` or `"keras"`.
        name: Name of the model.
        dtype: Dtype policy of the backbone; None takes the global one.

    Attributes:
        feature_channels: Channels of the backbone's feature map.
        output_stride: Image pixels for one step of the feature map.
        stages: The backbone as a list of models.

    Input shape:
        `(batch, height, width, 3)`, RGB floats in [0, 1].

    Output shape:
        `(batch, descriptor_dim)`, float32, unit length.

    Reference:
        Berton et al., "Rethinking Visual Geo-localization for Large-Scale
        Applications" (CosPlace), arXiv:2204.02287.
    """

    def __init__(
        self,
        backbone: str,
        descriptor_dim: int,
        *,
        gem_p: float = 3.0,
        image_shape: tuple[int | None, int | None, int] = (None, None, 3),
        train_from_stage: int | None = 0,
        bn_mode: str = "torch",
        name: str = "geolocalization_net",
        dtype: Any = None,
    ) -> None:
        spec = backbone_spec(backbone)
        first_stage = 0 if train_from_stage is None else train_from_stage
        _check_arguments(descriptor_dim, image_shape, first_stage, bn_mode)
        policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())

        # === Layers ===
        with _global_policy(policy):
            stages = _split_into_stages(spec, image_shape)
        standardize = keras.layers.Rescaling(
            scale=[1 / std for std in spec.std],
            offset=[-mean / std for mean, std in zip(spec.mean, spec.std, strict=True)],
            dtype="float32",
            name="standardize",
        )
        gem = GeneralizedMeanPooling2D(p=gem_p, dtype="float32", name="gem")

        # === Functional Model ===
        images = keras.Input(image_shape, dtype="float32", name="images")
        x = standardize(images)
        for number, stage in enumerate(stages):
            if number == first_stage and number > 0:
                x = ops.stop_gradient(x)
            x = stage(x)
        if first_stage >= len(stages):
            x = ops.stop_gradient(x)
        x = L2Normalization(dtype="float32", name="normalize_features")(x)
        x = gem(x)
        x = _torch_linear(spec.feature_channels, descriptor_dim)(x)
        descriptors = L2Normalization(dtype="float32", name="normalize_descriptors")(x)
        super().__init__(inputs=images, outputs=descriptors, name=name)

        # === Config ===
        self.backbone_name = backbone
        self.descriptor_dim = descriptor_dim
        self.feature_channels = spec.feature_channels
        self.output_stride = spec.output_stride
        self.image_shape = tuple(image_shape)
        self.train_from_stage = first_stage
        self.bn_mode = bn_mode
        self.backbone_dtype_policy = policy
        self._initial_gem_p = float(gem_p)
        self.freeze_stages()

    @property
    def stages(self) -> list[keras.Model]:
        """The backbone's stages in order, layers included."""
        names = range(len(backbone_spec(self.backbone_name).stage_outputs))
        return [self.get_layer(f"stage{number}") for number in names]

    @property
    def gem_p(self) -> float:
        """The current exponent of the pooling."""
        return float(self.get_layer("gem").p)

    def freeze_stages(self) -> None:
        """Makes the variables trainable or not as `train_from_stage` says."""
        for number, stage in enumerate(self.stages):
            frozen = number < self.train_from_stage
            stage.trainable = not frozen or self.bn_mode == "torch"
            if frozen and self.bn_mode == "torch":
                # A batch norm whose layer trains keeps using batch statistics.
                for variable in stage.trainable_variables:
                    variable.trainable = False

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            "backbone": self.backbone_name,
            "descriptor_dim": self.descriptor_dim,
            "gem_p": self._initial_gem_p,
            "image_shape": self.image_shape,
            "train_from_stage": self.train_from_stage,
            "bn_mode": self.bn_mode,
            "name": self.name,
            "dtype": self.backbone_dtype_policy.name,
        }


def _check_arguments(
    descriptor_dim: int,
    image_shape: tuple[int | None, int | None, int],
    first_stage: int,
    bn_mode: str,
) -> None:
    if descriptor_dim < 1:
        raise ValueError(
            f"`descriptor_dim` must be 1 or more. Received: {descriptor_dim}"
        )
    if len(image_shape) != 3 or image_shape[2] != 3:
        raise ValueError(
            "`image_shape` must be (height, width, 3), None for a side of any length. "
            f"Received: image_shape={tuple(image_shape)}"
        )
    if first_stage < 0:
        raise ValueError(
            "`train_from_stage` must be 0 (train all) or more. "
            f"Received: train_from_stage={first_stage}"
        )
    if bn_mode not in ("torch", "keras"):
        raise ValueError(
            f'`bn_mode` must be "torch" or "keras". Received: bn_mode={bn_mode!r}'
        )


@contextlib.contextmanager
def _global_policy(policy: keras.DTypePolicy) -> Iterator[None]:
    """Layers that keras-hub makes take their policy from the global one."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _split_into_stages(
    spec: BackboneSpec, image_shape: tuple[int | None, int | None, int]
) -> list[keras.Model]:
    network = spec.build(image_shape)
    stages = []
    start = network.input
    for number, layer_name in enumerate(spec.stage_outputs):
        end = network.get_layer(layer_name).output
        stages.append(keras.Model(start, end, name=f"stage{number}"))
        start = end
    return stages


def _torch_linear(channels: int, units: int) -> keras.layers.Dense:
    """A dense layer with the initial weights of torch's `Linear`."""
    limit = channels**-0.5
    return keras.layers.Dense(
        units,
        kernel_initializer=keras.initializers.RandomUniform(-limit, limit),
        bias_initializer=keras.initializers.RandomUniform(-limit, limit),
        dtype="float32",
        name="projection",
    )
