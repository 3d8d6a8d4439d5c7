"""Stages of a vision transformer from its blocks."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from vpr_tf.layers import (
    BottleneckAdapter,
    InterpolatedPositionEmbedding,
    LearnedTokens,
    ResizeToPatchMultiples,
    SequenceToTokens,
    TokensToSequence,
)
from vpr_tf.models.backbones.backbone_spec import (
    ADAPTER,
    INSERTED_TOKENS,
    ImageShape,
    LinearLayers,
    TransformerOptions,
)


def attention_layers(attention: keras.layers.MultiHeadAttention) -> LinearLayers:
    """Returns the linear layers of an attention, by their names in the config."""
    return {
        "query": (attention.query_dense,),
        "key": (attention.key_dense,),
        "value": (attention.value_dense,),
        "output": (attention.output_dense,),
    }


def transformer_stages(
    image_shape: ImageShape,
    *,
    patch_size: int,
    channels: int,
    num_registers: int,
    positions: InterpolatedPositionEmbedding,
    blocks: Sequence[keras.layers.Layer],
    norm: keras.layers.Layer,
    options: TransformerOptions,
) -> list[keras.Model]:
    """Makes `stage0`, the embedding, and a stage of each block.

    Args:
        image_shape: `(height, width, 3)`, whose sides may be None.
        patch_size: Side of a patch in pixels.
        channels: Length of a token.
        num_registers: Learned tokens without position between the class token and
            the patches.
        positions: Adds the positions.
        blocks: Layers from a sequence of tokens to another.
        norm: Layer after the last block; it belongs to its stage.
        options: What the encoder changes.

    Returns:
        Models whose outputs are the patches `(batch, height, width, channels)` and
        the tokens before them `(batch, 1 + num_registers, channels)`.
    """
    stages = [_embedding(image_shape, patch_size, channels, num_registers, positions)]
    for number, block in enumerate(blocks, 1):
        inputs = [keras.Input(tensor.shape[1:]) for tensor in stages[-1].output]
        patches, tokens = inputs
        if options.inserted_tokens and number == 1 + options.before_block:
            inserted = LearnedTokens(options.inserted_tokens, name=INSERTED_TOKENS)
            tokens = keras.layers.Concatenate(axis=1, name="with_inserted")(
                [inserted(patches), tokens]
            )
        x = block(TokensToSequence(name="sequence")([patches, tokens]))
        if options.adapter_dim and number >= options.adapters_from:
            x = BottleneckAdapter(options.adapter_dim, name=ADAPTER)(x)
        if number == len(blocks) and options.final_norm:
            x = norm(x)
        outputs = SequenceToTokens(tokens.shape[1], name="tokens")([x, patches])
        stages.append(keras.Model(inputs, outputs, name=f"stage{number}"))
    return stages


def _embedding(
    image_shape: ImageShape,
    patch_size: int,
    channels: int,
    num_registers: int,
    positions: InterpolatedPositionEmbedding,
) -> keras.Model:
    images = keras.Input(image_shape)
    resize = ResizeToPatchMultiples(patch_size, dtype="float32", name="resize")
    patches = keras.layers.Conv2D(
        channels,
        patch_size,
        strides=patch_size,
        kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
        name="patch_embedding",
    )(resize(images))
    class_token = LearnedTokens(name="class_token")(patches)
    patches, tokens = positions([patches, class_token])
    if num_registers:
        registers = LearnedTokens(num_registers, name="register_tokens")(patches)
        tokens = keras.layers.Concatenate(axis=1, name="prefix")([tokens, registers])
    return keras.Model(images, [patches, tokens], name="stage0")
