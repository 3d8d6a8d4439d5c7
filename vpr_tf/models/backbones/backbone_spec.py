"""What the encoder needs to know about a backbone."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from vpr_tf.models.torch_weights.entries import StateDictEntry, layer_entries

ImageShape = tuple[int | None, int | None, int]
LinearLayers = Mapping[str, Sequence[keras.layers.Layer]]

# Layers that a stage of a transformer has beyond the original network.
INSERTED_TOKENS = "inserted_tokens"
ADAPTER = "adapter"
ADDED_LAYERS = (INSERTED_TOKENS, ADAPTER)

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def layer_and_variable(path: str) -> str:
    """Names a variable by its layer, without the models around it."""
    return "/".join(path.split("/")[-2:])


@dataclass(frozen=True)
class TransformerOptions:
    """What is changed in a transformer; the defaults change nothing.

    Attributes:
        final_norm: Whether the last stage ends with the final norm.
        inserted_tokens: Learned tokens that are put before all others.
        before_block: Block, from 0, before which they are put; its stage has them.
        antialias_positions: Whether positions are interpolated as the backbone was
            released; false: as DINOv2 without registers does.
        adapter_dim: Width of the adapters; 0 for none.
        adapters_from: First stage that has one, after its block.
    """

    final_norm: bool = True
    inserted_tokens: int = 0
    before_block: int = 0
    antialias_positions: bool = True
    adapter_dim: int = 0
    adapters_from: int = 1


UNCHANGED_TRANSFORMER = TransformerOptions()


@dataclass(frozen=True)
class BackboneSpec:
    """A network that is cut into stages.

    The first stage takes standardised images `(batch, height, width, 3)`, each further
    one the output of the one before. A convolutional stage gives a feature map
    `(batch, height, width, channels)`. A stage of a transformer gives two tensors: the
    patches as such a map, and the tokens before them,
    `(batch, num_prefix_tokens, channels)`, the class token first.

    Attributes:
        name: Name in the config.
        build_stages: Makes the stages with random weights for an image shape
            `(height, width, 3)`, whose sides may be None, each when it is asked for
            where that is possible. That of a transformer takes `TransformerOptions`
            as second argument. Stage numbers for `train_from_stage` are positions in
            their order.
        num_stages: How many there are.
        feature_channels: Channels of the feature map.
        output_stride: Image pixels for one step of the feature map.
        mean: Per-channel mean of RGB in [0, 1] that the weights expect.
        std: Per-channel standard deviation, likewise.
        modules: Pairs of a module of the original torch network and the name of the
            Keras layer, inside the stages, with its weights.
        entries_of: Yields the state-dict entries of one such pair.
        renames: By the name of a checkpoint layout (`cosplace`,
            `divide_and_classify`), how a key of the original network is called below
            `backbone.` there. Layouts that are not listed keep the original keys.
        unused_keys: Keys of bare backbone files that have no place here
            (the ImageNet classifier).
        imagenet_preset: keras-hub preset of the ImageNet weights; None when they
            come from elsewhere or no preset equals the network.
        imagenet_file: Finds the installed file of the ImageNet weights, with the
            names of the original network. Raises FileNotFoundError.
        imagenet_arrays: Fetches the ImageNet weights, values by `layer/variable`.
            Raises ConnectionError.
        preset_facts: Attributes that a keras-hub network must have to compute what
            this one does with the same weights.
        preset_place: Turns the path of a variable of a preset's network, or of one in
            the stages, into the name under which the two are compared; None for a
            variable without a place here.
        has_class_token: Whether it is a transformer, with tokens before the patches.
        linear_layers: Returns the linear layers of a transformer's block, by the
            names that `encoder.lora.targets` takes, and nothing of any other layer;
            None for other networks.
    """

    name: str
    build_stages: Callable[..., Iterable[keras.Model]]
    num_stages: int
    feature_channels: int
    output_stride: int
    modules: tuple[tuple[str, str], ...]
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    entries_of: Callable[[str, keras.layers.Layer], Iterator[StateDictEntry]] = (
        layer_entries
    )
    renames: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    unused_keys: frozenset[str] = frozenset()
    imagenet_preset: str | None = None
    imagenet_file: Callable[[], Path] | None = None
    imagenet_arrays: Callable[[], Mapping[str, np.ndarray]] | None = None
    preset_facts: Mapping[str, Any] = field(default_factory=dict)
    preset_place: Callable[[str], str | None] = layer_and_variable
    has_class_token: bool = False
    linear_layers: Callable[[keras.layers.Layer], LinearLayers] | None = None

    def stages_for(
        self,
        image_shape: ImageShape,
        options: TransformerOptions,
        last_stage: int | None = None,
    ) -> list[keras.Model]:
        """Makes the stages; a convolutional network has no use for the options."""
        if self.has_class_token:
            stages = self.build_stages(image_shape, options)
        else:
            stages = self.build_stages(image_shape)
        count = None if last_stage is None else last_stage + 1
        return list(itertools.islice(stages, count))


def split_into_stages(
    network: keras.Model, last_layers: tuple[str, ...]
) -> list[keras.Model]:
    """Cuts a network into models `stage0`, `stage1`, ...

    Args:
        network: A functional model of one input.
        last_layers: Names of the layers that end the stages, in order. What follows
            the last of them is left out.
    """
    stages = []
    start = network.input
    for number, layer_name in enumerate(last_layers):
        end = network.get_layer(layer_name).output
        stages.append(keras.Model(start, end, name=f"stage{number}"))
        start = end
    return stages
