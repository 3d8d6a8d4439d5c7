"""DINOv2: vision transformers of patch size 14, without and with four registers.

Stages: 0 is the embedding of patches, class token and positions, then one for each
block, 1 to 12 (24 for the large network); the last has the final norm. SALAD trains
the last four blocks, from stage 9. Positions are learned on 37 x 37 patches (518
pixels). Without registers they are interpolated with an offset of 0.1 patches, with
registers antialiased, as each was released. Images whose sides are not multiples of
14 are resized to the nearest. The presets hold Meta's weights (LVD-142M).

Reference:
    Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision",
    arXiv:2304.07193; Darcet et al., "Vision Transformers Need Registers",
    arXiv:2309.16588.
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
from vpr_tf.models.torch_weights.entries import StateDictEntry, same_entry

_PATCH_SIZE = 14
_GRID_SIZE = 37


class DINOv2Size(NamedTuple):
    """Dimensions of a network; `preset` is its size in the names of presets."""

    preset: str
    depth: int
    channels: int
    heads: int


_SIZES = {
    "DINOv2_S14": DINOv2Size("small", 12, 384, 6),
    "DINOv2_B14": DINOv2Size("base", 12, 768, 12),
    "DINOv2_L14": DINOv2Size("large", 24, 1024, 16),
}
_WITH_REGISTERS = "_reg4"
DINOV2_NAMES = (*_SIZES, *(name + _WITH_REGISTERS for name in _SIZES))

_PRESET_PLACES = {
    "embeddings/cls_token": "class_token/tokens",
    "embeddings/register_tokens": "register_tokens/tokens",
    "embeddings/position_embeddings": "position_embedding/embeddings",
    "embeddings/patch_embeddings/projection/kernel": "patch_embedding/kernel",
    "embeddings/patch_embeddings/projection/bias": "patch_embedding/bias",
    # For training only, and derived from the positions.
    "embeddings/mask_token": None,
    "embeddings/interpolated_position_embeddings": None,
}


def dinov2_spec(name: str) -> BackboneSpec:
    """Returns the description of one of `DINOV2_NAMES`."""
    registers = 4 if name.endswith(_WITH_REGISTERS) else 0
    size = _SIZES[name.removesuffix(_WITH_REGISTERS)]
    return dinov2_spec_of_size(name, size, registers)


def dinov2_spec_of_size(
    name: str, size: DINOv2Size, num_registers: int
) -> BackboneSpec:
    """Returns the description of a DINOv2 network of any size."""
    preset = "dinov2_with_registers" if num_registers else "dinov2"
    return BackboneSpec(
        name=name,
        build_stages=functools.partial(_build_stages, size, num_registers),
        num_stages=1 + size.depth,
        feature_channels=size.channels,
        output_stride=_PATCH_SIZE,
        modules=tuple(_modules(size.depth, num_registers)),
        entries_of=_entries_of,
        unused_keys=frozenset({"mask_token"}),
        imagenet_preset=f"{preset}_{size.preset}",
        preset_place=_preset_place,
        has_class_token=True,
        linear_layers=_linear_layers,
    )


def _build_stages(
    size: DINOv2Size,
    num_registers: int,
    image_shape: ImageShape,
    options: TransformerOptions = UNCHANGED_TRANSFORMER,
) -> list[keras.Model]:
    from keras_hub.models import DINOV2Backbone

    # Its embeddings take images of one size only, and are not used.
    network = DINOV2Backbone(
        patch_size=_PATCH_SIZE,
        num_layers=size.depth,
        hidden_dim=size.channels,
        num_heads=size.heads,
        intermediate_dim=4 * size.channels,
        layer_scale_init_value=1e-5,
        use_mask_token=False,
        image_shape=(_PATCH_SIZE, _PATCH_SIZE, 3),
        position_embedding_shape=(_PATCH_SIZE, _PATCH_SIZE, 3),
    )
    antialias = num_registers > 0 and options.antialias_positions
    positions = InterpolatedPositionEmbedding(
        _GRID_SIZE,
        offset=0.0 if antialias else 0.1,
        antialias=antialias,
        name="position_embedding",
    )
    return transformer_stages(
        image_shape,
        patch_size=_PATCH_SIZE,
        channels=size.channels,
        num_registers=num_registers,
        positions=positions,
        blocks=network.encoder.layers,
        norm=network.layernorm,
        options=options,
    )


def _modules(depth: int, num_registers: int) -> Iterator[tuple[str, str]]:
    yield "cls_token", "class_token"
    yield "pos_embed", "position_embedding"
    if num_registers:
        yield "register_tokens", "register_tokens"
    yield "patch_embed.proj", "patch_embedding"
    for number in range(depth):
        yield f"blocks.{number}", f"layers_{number}"
    yield "norm", "layernorm"


def _entries_of(module: str, layer: keras.layers.Layer) -> Iterator[StateDictEntry]:
    if not hasattr(layer, "layer_scale1"):
        yield from embedding_entries(module, layer)
        return
    layers = {
        "norm1": layer.norm1,
        "norm2": layer.norm2,
        "mlp.fc1": layer.mlp.fc1,
        "mlp.fc2": layer.mlp.fc2,
    }
    yield from block_entries(module, layer.attention.attention, layers)
    yield same_entry(f"{module}.ls1.gamma", layer.layer_scale1.lambda1)
    yield same_entry(f"{module}.ls2.gamma", layer.layer_scale2.lambda1)


def _linear_layers(layer: keras.layers.Layer) -> LinearLayers:
    if not hasattr(layer, "layer_scale1"):
        return {}
    layers = attention_layers(layer.attention.attention)
    return {**layers, "mlp": (layer.mlp.fc1, layer.mlp.fc2)}


def _preset_place(path: str) -> str | None:
    layer, slash, rest = path.partition("/")
    for own_name in ("embeddings", "encoder", "layernorm"):
        # A network that has a name puts it before those of its layers.
        if layer.endswith(f"_{own_name}"):
            path = own_name + slash + rest
    return _PRESET_PLACES.get(path, path)
