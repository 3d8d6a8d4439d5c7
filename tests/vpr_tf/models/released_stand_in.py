"""A released encoder served from this machine, with random weights."""

import dataclasses

import keras
import numpy as np

from tests.vpr_tf.models.torch_weights.legacy_pth_files import contiguous
from tests.vpr_tf.models.torch_weights.zip_pth_files import zip_bytes
from vpr_tf.models import GeoLocalizationNet, released
from vpr_tf.models.torch_weights.state_dict import COSPLACE, to_torch_state_dict

NAME = "cosplace_resnet18_32"


def random_encoder(descriptor_dim=32, seed=0):
    """A ResNet18 whose every weight differs from the initial ones."""
    keras.utils.set_random_seed(seed)
    model = GeoLocalizationNet("ResNet18", descriptor_dim)
    rng = np.random.default_rng(seed)
    model.set_weights(
        [w + 0.01 * rng.random(w.shape, "float32") for w in model.get_weights()]
    )
    return model


def cosplace_bytes(model):
    """The `.pth` that the official code would have released; needs `fake_torch`."""
    arrays = to_torch_state_dict(model, COSPLACE)
    tensors = {
        name: contiguous(str(number), array)
        for number, (name, array) in enumerate(arrays.items())
    }
    return zip_bytes(tensors, [t.arguments[0] for t in tensors.values()])


def released_at(monkeypatch, url, name=NAME, **changes):
    """Lets a registered name point to another address."""
    there = released.released_encoder(name)
    changed = dataclasses.replace(there, url=url, **changes)
    registry = {**released._released(), name: changed}
    monkeypatch.setattr(released, "_released", lambda: registry)
