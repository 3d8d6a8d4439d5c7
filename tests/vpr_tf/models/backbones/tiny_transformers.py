"""Transformers of two blocks and eight channels, and what they compute in NumPy."""

import dataclasses
import math

import keras
import numpy as np

from vpr_tf.config import BACKBONE_STAGES
from vpr_tf.models import backbones
from vpr_tf.models.backbones.dinov2 import DINOv2Size, dinov2_spec_of_size
from vpr_tf.models.backbones.vision_transformer import ViTSize, vit_spec_of_size

HEADS = 2
TINY_SPECS = {
    "TinyDINOv2": dinov2_spec_of_size("TinyDINOv2", DINOv2Size("tiny", 2, 8, HEADS), 0),
    "TinyDINOv2_reg4": dinov2_spec_of_size(
        "TinyDINOv2_reg4", DINOv2Size("tiny", 2, 8, HEADS), 4
    ),
    "TinyViT": vit_spec_of_size("TinyViT", ViTSize(None, 2, 8, HEADS)),
}


def register_tiny_specs(monkeypatch):
    for name, spec in TINY_SPECS.items():
        monkeypatch.setitem(backbones._SPECS, name, lambda spec=spec: spec)


def configurable(name, monkeypatch):
    """Registers one of `TINY_SPECS` under a name that a config takes; returns that."""
    own = "ViT_tiny" if name == "TinyViT" else "DINOv2_tiny"
    spec = dataclasses.replace(TINY_SPECS[name], name=own)
    monkeypatch.setitem(backbones._SPECS, own, lambda: spec)
    monkeypatch.setitem(BACKBONE_STAGES, own, spec.num_stages)
    return own


def build(name, image_shape=(None, None, 3)):
    """Builds the stages as one model from standardised images."""
    keras.utils.set_random_seed(0)
    images = keras.Input(image_shape)
    x = images
    for stage in TINY_SPECS[name].build_stages(image_shape):
        x = stage(x)
    return keras.Model(images, x)


def numpy_transformer(weights, images, positions):
    """Patches and tokens before them, by timm's names, in float64.

    `positions` are those of the patches, already interpolated.
    """
    w = {key: value.astype("float64") for key, value in weights.items()}
    kernel = w["patch_embed.proj.weight"]
    channels, _, size, _ = kernel.shape
    batch, height, width, _ = images.shape
    rows, columns = height // size, width // size
    tiles = images.reshape(batch, rows, size, columns, size, 3)
    patches = np.einsum("bhpwqc,fcpq->bhwf", tiles, kernel, dtype="float64")
    patches = patches + w["patch_embed.proj.bias"] + positions
    tokens = w["cls_token"] + w["pos_embed"][:, :1]
    if "register_tokens" in w:
        tokens = np.concatenate([tokens, w["register_tokens"]], axis=1)
    tokens = np.repeat(tokens, batch, axis=0)
    x = np.concatenate([tokens, patches.reshape(batch, -1, channels)], axis=1)
    number = 0
    while f"blocks.{number}.norm1.weight" in w:
        x = _block(w, f"blocks.{number}.", x)
        number += 1
    x = _norm(w, "norm", x)
    prefix = tokens.shape[1]
    return x[:, prefix:].reshape(batch, rows, columns, channels), x[:, :prefix]


def _block(w, block, x):
    channels = x.shape[-1]
    qkv = _linear(w, f"{block}attn.qkv", _norm(w, f"{block}norm1", x))
    q, k, v = np.moveaxis(qkv.reshape(*x.shape[:2], 3, HEADS, -1), 2, 0)
    scores = np.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(channels // HEADS)
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    scores /= scores.sum(axis=-1, keepdims=True)
    mixed = np.einsum("bhqk,bkhd->bqhd", scores, v).reshape(x.shape)
    x = x + w.get(f"{block}ls1.gamma", 1) * _linear(w, f"{block}attn.proj", mixed)
    hidden = _linear(w, f"{block}mlp.fc1", _norm(w, f"{block}norm2", x))
    hidden = hidden * 0.5 * (1 + np.vectorize(math.erf)(hidden / math.sqrt(2)))
    return x + w.get(f"{block}ls2.gamma", 1) * _linear(w, f"{block}mlp.fc2", hidden)


def _linear(w, name, x):
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def _norm(w, name, x):
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-6)
    return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]
