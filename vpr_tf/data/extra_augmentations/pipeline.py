"""Applies augmentations in the order of their list."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import tensorflow as tf

from vpr_tf.config import ConfigError, augmentation_of
from vpr_tf.config import augmentations as methods
from vpr_tf.data.extra_augmentations.blurs import (
    motion_blur,
    random_blur,
    random_sharpness,
)
from vpr_tf.data.extra_augmentations.colours import (
    grayscale,
    jpeg_artefacts,
    random_equalize,
    random_jitter,
    random_solarize,
)
from vpr_tf.data.extra_augmentations.covering import cutout, random_erasing
from vpr_tf.data.extra_augmentations.draws import Draws, folded
from vpr_tf.data.extra_augmentations.frequencies import random_fourier_mixing
from vpr_tf.data.extra_augmentations.geometry import random_perspective, rotation
from vpr_tf.data.extra_augmentations.keras_layers import apply_layer, create_layer
from vpr_tf.data.extra_augmentations.rand_augment import rand_augment
from vpr_tf.data.extra_augmentations.weather import haze, night

# Of an image and the draws of one augmentation; images are float32 in [0, 1].
Change = Callable[[tf.Tensor, Draws], tf.Tensor]
# Of a seed, int64 `(2,)`: another image of the same size.
DrawPhoto = Callable[[tf.Tensor], tf.Tensor]

_CHANGES: dict[type[methods.ExtraAugmentation], Callable[..., tf.Tensor]] = {
    methods.ColorJitter: random_jitter,
    methods.RandomPerspective: random_perspective,
    methods.Rotation: rotation,
    methods.RandomErasing: random_erasing,
    methods.Cutout: cutout,
    methods.GaussianBlur: random_blur,
    methods.MotionBlur: motion_blur,
    methods.Sharpness: random_sharpness,
    methods.Grayscale: grayscale,
    methods.Solarize: random_solarize,
    methods.Equalize: random_equalize,
    methods.JpegArtefacts: jpeg_artefacts,
    methods.Night: night,
    methods.Haze: haze,
    methods.RandAugment: rand_augment,
}
# Seeds of one sample: those below are for crop and jitter.
_FIRST_STREAM = 1 << 16


class ExtraAugmentations:
    """Changes images by a list of augmentations, one after another.

    What is drawn depends on the seed alone, so that an image is the same whenever and
    wherever it is made.

    Args:
        configs: The augmentations in their order.
        draw_target: Draws photos to mix with, for FourierMixing.

    Raises:
        ConfigError: An argument of a Keras layer is impossible, or there are no photos
            to mix with.

    Example:
        >>> import tensorflow as tf
        >>> from vpr_tf.config.augmentations import Cutout
        >>> from vpr_tf.data.extra_augmentations import ExtraAugmentations
        >>> augment = ExtraAugmentations([Cutout(probability=1.0, size=0.5)])
        >>> changed = augment(tf.ones((32, 32, 3)), tf.constant([0, 1], tf.int64))
        >>> bool(tf.reduce_min(changed) == 0)
        True
    """

    def __init__(
        self,
        configs: Sequence[methods.ExtraAugmentation],
        draw_target: DrawPhoto | None = None,
    ) -> None:
        self._steps = [
            (config.probability, _change_of(config, draw_target)) for config in configs
        ]

    def __call__(self, image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Changes one image.

        Args:
            image: float32 in [0, 1], `(height, width, 3)` of static shape.
            seed: int64 `(2,)`.

        Returns:
            float32 in [0, 1] of the same shape.
        """
        if not self._steps:
            return image
        shares = Draws(folded(seed, _FIRST_STREAM)).uniform(len(self._steps))
        for number, (probability, change) in enumerate(self._steps):
            own_seed = functools.partial(folded, seed, _FIRST_STREAM + 1 + number)
            image = _perhaps(shares[number] < probability, change, image, own_seed)
        return image


def _perhaps(
    is_wanted: tf.Tensor,
    change: Change,
    image: tf.Tensor,
    own_seed: Callable[[], tf.Tensor],
) -> tf.Tensor:
    # What is not wanted costs no draw.
    return tf.cond(is_wanted, lambda: change(image, Draws(own_seed())), lambda: image)


def _change_of(
    config: methods.ExtraAugmentation, draw_target: DrawPhoto | None
) -> Change:
    if isinstance(config, methods.RandomChoice):
        return _choice(config, draw_target)
    if isinstance(config, methods.FourierMixing):
        return _mixing(config, draw_target)
    if isinstance(config, methods.KerasLayer):
        layer = create_layer(config)
        return lambda image, draws: apply_layer(layer, image, draws)
    return functools.partial(_CHANGES[type(config)], config)


def _mixing(config: methods.FourierMixing, draw_target: DrawPhoto | None) -> Change:
    if draw_target is None:
        raise ConfigError("FourierMixing needs photos to mix with: `train.target`.")
    return lambda image, draws: random_fourier_mixing(
        config, image, draw_target(draws.next_seed()), draws
    )


def _choice(config: methods.RandomChoice, draw_target: DrawPhoto | None) -> Change:
    choices = [augmentation_of(entry) for entry in config.choices]
    changes = [
        (choice.probability, _change_of(choice, draw_target)) for choice in choices
    ]

    def change(image: tf.Tensor, draws: Draws) -> tf.Tensor:
        chosen, share, seed = (
            draws.index(len(changes)),
            draws.uniform(),
            draws.next_seed(),
        )

        def branch(probability: float, one: Change) -> Callable[[], tf.Tensor]:
            return lambda: _perhaps(share < probability, one, image, lambda: seed)

        return tf.switch_case(chosen, [branch(*each) for each in changes])

    return change
