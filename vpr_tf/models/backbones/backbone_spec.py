"""What the encoder needs to know about a backbone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import keras

GetLayer = Callable[[str], keras.layers.Layer]
# Yields (name of the module in the torch state dict, Keras layer) pairs.
StateDictLayers = Callable[[GetLayer], Iterator[tuple[str, keras.layers.Layer]]]


@dataclass(frozen=True)
class BackboneSpec:
    """A convolutional network that is cut into stages.

    Attributes:
        name: Name in the config.
        build: Makes the network with random weights for an image shape
            `(height, width, 3)`, whose sides may be None; standardised images in,
            feature map out.
        stage_outputs: Names of the layers that end the stages. Stage numbers for
            `train_from_stage` are positions in this tuple.
        feature_channels: Channels of the feature map.
        output_stride: Image pixels for one step of the feature map.
        mean: Per-channel mean of RGB in [0, 1] that the weights expect.
        std: Per-channel standard deviation, likewise.
        state_dict_layers: Pairs of torch module and layer, for bare backbone files.
        cosplace_name: Renames a torch module to its name below `backbone.` in a
            CosPlace state dict.
        unused_keys: Keys of bare backbone files that have no place here
            (the ImageNet classifier).
        imagenet_preset: keras-hub preset of the ImageNet weights; None when they
            come from elsewhere.
    """

    name: str
    build: Callable[[tuple[int | None, int | None, int]], keras.Model]
    stage_outputs: tuple[str, ...]
    feature_channels: int
    output_stride: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    state_dict_layers: StateDictLayers
    cosplace_name: Callable[[str], str]
    unused_keys: frozenset[str] = frozenset()
    imagenet_preset: str | None = None
