"""ViT-S/16, B/16 and L/16, supervised vision transformers of patch size 16.

Stages: 0 is the embedding of patches, class token and positions, then one for each
block, 1 to 12 (24 for the large network); the last has the final norm. Positions are
learned on 14 x 14 patches (224 pixels), and interpolated bicubically for other sizes.
Images are scaled to (x - 0.5) / 0.5, and resized to the nearest multiples of 16. State
dicts have timm's names.

Reference:
    Dosovitskiy et al., "An Image is Worth 16x16 Words: Transformers for Image
    Recognition at Scale", arXiv:2010.11929.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import NamedTuple

import keras

from vpr_tf.layers import InterpolatedPositionEmbedding
from vpr_tf.models.backbones.backbone_spec import (
    UNCHANGED_TRANSFORMER,
    BackboneSpec,
    ImageShape,
    LinearLayers,
    TransformerOptions,
)
from vpr_tf.models.backbones.transformer_entries import (
    block_entries,
    embedding_entries,
)
from vpr_tf.models.backbones.transformer_stages import (
    attention_layers,
    transformer_stages,
)
from vpr_tf.models.torch_weights.entries import StateDictEntry

_PATCH_SIZE = 16
_GRID_SIZE = 14


class ViTSize(NamedTuple):
    """Dimensions of a network, and its keras-hub preset."""

    preset: str | None
    depth: int
    channels: int
    heads: int


_SIZES = {
    "ViT_S16": ViTSize(None, 12, 384, 6),
    "ViT_B16": ViTSize("vit_base_patch16_224_imagenet", 12, 768, 12),
    "ViT_L16": ViTSize("vit_large_patch16_224_imagenet", 24, 1024, 16),
}
VIT_NAMES = tuple(_SIZES)

_PRESET_PLACES = {
    "vit_patching_and_embedding/class_token": "class_token/tokens",
    "vit_patching_and_embedding/patch_embedding/kernel": "patch_embedding/kernel",
    "vit_patching_and_embedding/patch_embedding/bias": "patch_embedding/bias",
    "vit_patching_and_embedding/position_embedding/embeddings": (
        "position_embedding/embeddings"
    ),
}


def vit_spec(name: str) -> BackboneSpec:
    """Returns the description of one of `VIT_NAMES`."""
    return vit_spec_of_size(name, _SIZES[name])


def vit_spec_of_size(name: str, size: ViTSize) -> BackboneSpec:
    """Returns the description of a ViT of any size."""
    return BackboneSpec(
        name=name,
        build_stages=functools.partial(_build_stages, size),
        num_stages=1 + size.depth,
        feature_channels=size.channels,
        output_stride=_PATCH_SIZE,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        modules=tuple(_modules(size.depth)),
        entries_of=_entries_of,
        unused_keys=frozenset({"head.weight", "head.bias"}),
        imagenet_preset=size.preset,
        preset_place=_preset_place,
        has_class_token=True,
        linear_layers=_linear_layers,
    )


def _build_stages(
    size: ViTSize,
    image_shape: ImageShape,
    options: TransformerOptions = UNCHANGED_TRANSFORMER,
) -> list[keras.Model]:
    from keras_hub.models import ViTBackbone

    # Its embedding takes images of one size only, and is not used.
    network = ViTBackbone(
        image_shape=(_PATCH_SIZE, _PATCH_SIZE, 3),
        patch_size=_PATCH_SIZE,
        num_layers=size.depth,
        num_heads=size.heads,
        hidden_dim=size.channels,
        mlp_dim=4 * size.channels,
    )
    encoder = network.get_layer("vit_encoder")
    return transformer_stages(
        image_shape,
        patch_size=_PATCH_SIZE,
        channels=size.channels,
        num_registers=0,
        positions=InterpolatedPositionEmbedding(_GRID_SIZE, name="position_embedding"),
        blocks=encoder.encoder_layers,
        norm=encoder.layer_norm,
        options=options,
    )


def _modules(depth: int) -> Iterator[tuple[str, str]]:
    yield "cls_token", "class_token"
    yield "pos_embed", "position_embedding"
    yield "patch_embed.proj", "patch_embedding"
    for number in range(depth):
        yield f"blocks.{number}", f"transformer_block_{number + 1}"
    yield "norm", "ln"


def _entries_of(module: str, layer: keras.layers.Layer) -> Iterator[StateDictEntry]:
    if not hasattr(layer, "mha"):
        yield from embedding_entries(module, layer)
        return
    layers = {
        "norm1": layer.layer_norm_1,
        "norm2": layer.layer_norm_2,
        "mlp.fc1": layer.mlp.dense_1,
        "mlp.fc2": layer.mlp.dense_2,
    }
    yield from block_entries(module, layer.mha, layers)


def _linear_layers(layer: keras.layers.Layer) -> LinearLayers:
    if not hasattr(layer, "mha"):
        return {}
    layers = attention_layers(layer.mha)
    return {**layers, "mlp": (layer.mlp.dense_1, layer.mlp.dense_2)}


def _preset_place(path: str) -> str:
    return _PRESET_PLACES.get(path, path)
