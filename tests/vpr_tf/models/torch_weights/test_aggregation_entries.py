import keras
import numpy as np
import pytest

from vpr_tf.layers import MixVPR, NetVLAD
from vpr_tf.models import GeoLocalizationNet
from vpr_tf.models.torch_weights.aggregation_entries import aggregation_entries
from vpr_tf.models.torch_weights.state_dict import (
    BOQ,
    COSPLACE,
    MODEL_AND_AGGREGATOR,
    NETVLAD,
    NETVLAD_AND_LINEAR,
    SUPERVLAD,
    detect_layout,
    encoder_entries,
    load_torch_state_dict,
)

MIXVPR_KEYS = {
    *(f"mix.{i}.mix.{child}.{kind}" for i in (0, 1) for child in (0, 1, 3)
      for kind in ("weight", "bias")),
    *("channel_proj.weight", "channel_proj.bias"),
    *("row_proj.weight", "row_proj.bias"),
}  # fmt: skip


def unit(x, axis=-1):
    return x / np.linalg.norm(x, axis=axis, keepdims=True)


def random_state_dict(entries, seed=0):
    rng = np.random.default_rng(seed)
    return {
        entry.key: rng.normal(0, 0.3, entry.torch_shape).astype("float32")
        for entry in entries
    }


def load(entries, state_dict):
    for entry in entries:
        values = entry.to_keras(state_dict[entry.key])
        for variable, value in zip(entry.variables, values, strict=True):
            variable.assign(value)


def to_torch(entries):
    return {
        entry.key: entry.to_torch([variable.numpy() for variable in entry.variables])
        for entry in entries
    }


def loaded_layer(layer, shape, module):
    layer.build(shape)
    entries = list(aggregation_entries(module, layer))
    state_dict = random_state_dict(entries)
    load(entries, state_dict)
    back = to_torch(entries)
    assert back.keys() == state_dict.keys()
    for key, value in state_dict.items():
        np.testing.assert_array_equal(back[key], value)
    covered = [variable for entry in entries for variable in entry.variables]
    assert {id(v) for v in covered} == {id(v) for v in layer.weights}
    return {key.removeprefix(f"{module}."): v for key, v in state_dict.items()}


def mixvpr_in_torch(x_nchw, weights):
    """The official network: every linear layer is x W^T + b."""

    def linear(name, x):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    x = x_nchw.reshape(*x_nchw.shape[:2], -1)
    for i in (0, 1):
        mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        y = (x - mean) / np.sqrt(variance + 1e-5)
        name = f"mix.{i}.mix"
        y = y * weights[f"{name}.0.weight"] + weights[f"{name}.0.bias"]
        x = x + linear(f"{name}.3", np.maximum(linear(f"{name}.1", y), 0))
    x = linear("channel_proj", x.transpose(0, 2, 1)).transpose(0, 2, 1)
    return unit(linear("row_proj", x).reshape(len(x), -1))


def netvlad_in_torch(x_nchw, weights):
    """The benchmark's network, cluster by cluster."""
    x = unit(x_nchw, axis=1).reshape(*x_nchw.shape[:2], -1)
    centroids = weights["centroids"]
    logits = np.einsum("kc,ncl->nkl", weights["conv.weight"][:, :, 0, 0], x)
    assignment = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    residuals = x[:, None] - centroids[None, :, :, None]
    vlad = unit((residuals * assignment[:, :, None]).sum(axis=-1), axis=2)
    return unit(vlad.reshape(len(x), -1))


def random_features():
    return np.random.default_rng(1).standard_normal((2, 3, 4, 5)).astype("float32")


def test_mixvpr_equals_the_official_network():
    x = random_features()
    layer = MixVPR(out_channels=6, out_rows=2, mix_depth=2)
    weights = loaded_layer(layer, x.shape, "aggregator")
    assert weights.keys() == MIXVPR_KEYS
    assert weights["channel_proj.weight"].shape == (6, 5)
    assert weights["row_proj.weight"].shape == (2, 12)
    expected = mixvpr_in_torch(x.transpose(0, 3, 1, 2).astype("float64"), weights)
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


def test_netvlad_equals_the_official_network():
    x = random_features()
    layer = NetVLAD(3)
    weights = loaded_layer(layer, x.shape, "aggregation")
    assert weights["conv.weight"].shape == (3, 5, 1, 1)
    assert weights["centroids"].shape == (3, 5)
    expected = netvlad_in_torch(x.transpose(0, 3, 1, 2).astype("float64"), weights)
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("key", "layout"),
    [
        ("aggregation.conv.weight", NETVLAD),
        ("aggregation.conv.weight", SUPERVLAD),
        ("aggregation.0.conv.weight", NETVLAD_AND_LINEAR),
        ("aggregation.1.p", COSPLACE),
        ("aggregator.mix.0.mix.0.weight", MODEL_AND_AGGREGATOR),
    ],
)
def test_projects_are_told_apart(key, layout):
    keys = [key, "backbone.0.weight"]
    if layout is MODEL_AND_AGGREGATOR:
        keys[1] = "backbone.model.conv1.weight"
    if layout is SUPERVLAD:
        keys[1] = "backbone.cls_token"
        assert detect_layout([*keys, "aggregation.centroids"]) is NETVLAD
    assert detect_layout(keys) is layout
    assert detect_layout(reversed(keys)) is layout


@pytest.mark.parametrize(
    ("arguments", "layout", "first_key"),
    [
        (
            {
                "descriptor_dim": None,
                "aggregation": {"name": "mixvpr", "out_channels": 4, "mix_depth": 1},
                "image_shape": (64, 96, 3),
            },
            MODEL_AND_AGGREGATOR,
            "backbone.model.conv1.weight",
        ),
        (
            {
                "descriptor_dim": None,
                "aggregation": {"name": "boq", "out_channels": 64, "num_queries": 3},
            },
            BOQ,
            "backbone.net.0.weight",
        ),
        (
            {
                "descriptor_dim": None,
                "aggregation": {"name": "netvlad", "num_clusters": 4},
            },
            NETVLAD,
            "backbone.0.weight",
        ),
        (
            {
                "descriptor_dim": 8,
                "aggregation": {"name": "netvlad", "num_clusters": 4},
            },
            NETVLAD_AND_LINEAR,
            "backbone.0.weight",
        ),
    ],
)
def test_whole_encoders_load_strictly(arguments, layout, first_key):
    keras.utils.set_random_seed(0)
    model = GeoLocalizationNet("ResNet18", last_stage=3, **arguments)
    entries = list(encoder_entries(model, layout))
    assert entries[0].key == first_key
    state_dict = random_state_dict(entries)
    load_torch_state_dict(model, state_dict)
    for key, value in to_torch(entries).items():
        np.testing.assert_array_equal(value, state_dict[key])
    covered = [id(variable) for entry in entries for variable in entry.variables]
    assert sorted(covered) == sorted(id(variable) for variable in model.weights)
    state_dict.popitem()
    with pytest.raises(ValueError, match="missing"):
        load_torch_state_dict(model, state_dict)
