"""Puts weights from files, presets and packages into an encoder, strictly.

Every key of a file must be used and every weight set with its exact shape; otherwise
nothing is set, and the error lists the differences.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import h5py
import keras

from vpr_tf.models.backbones import backbone_spec
from vpr_tf.models.geolocalization_net import GeoLocalizationNet
from vpr_tf.models.imagenet_weights import load_imagenet, load_preset
from vpr_tf.models.torch_weights.checkpoint import read_checkpoint
from vpr_tf.models.torch_weights.state_dict import (
    load_torch_state_dict,
    raise_differences,
)

_PRESET_PREFIX = "preset:"

__all__ = ["load_torch_state_dict", "load_weights"]


def load_weights(model: GeoLocalizationNet, weights: str) -> None:
    """Sets the weights of an encoder.

    Args:
        model: The encoder.
        weights: `none` (keep the random ones), `imagenet`, `preset:<name>` (a
            keras-hub preset of the backbone by its name or URL, which needs the
            network, or a folder that holds one), or the path of a `.pth`,
            `.weights.h5` or `.keras` file. A `.pth` may hold the backbone alone.

    Raises:
        FileNotFoundError: The file, or the package with the weights, is missing.
        ConnectionError: The preset cannot be fetched.
        ValueError: The weights do not fit; the differences are listed.
    """
    if weights == "none":
        return
    if weights == "imagenet":
        installed_file = backbone_spec(model.backbone_name).imagenet_file
        if installed_file is None:
            load_imagenet(model)
        else:
            _load_file(model, installed_file())
    elif weights.startswith(_PRESET_PREFIX):
        load_preset(model, weights.removeprefix(_PRESET_PREFIX))
    else:
        _load_file(model, Path(weights))


def _load_file(model: GeoLocalizationNet, path: Path) -> None:
    if not path.name.endswith((".pth", ".weights.h5", ".keras")):
        raise ValueError(
            "`weights` must be none, imagenet, preset:<name> or the path of a .pth, "
            f".weights.h5 or .keras file. Received: {str(path)!r}"
        )
    if not path.is_file():
        raise FileNotFoundError(
            f"No weights file at {path}. Correct `encoder.weights`, or use imagenet or "
            "none."
        )
    if path.name.endswith(".pth"):
        load_torch_state_dict(model, read_checkpoint(path).state_dict)
    elif path.name.endswith(".weights.h5"):
        _load_weights_h5(model, path)
    else:
        _load_keras_file(model, path)


def _load_keras_file(model: GeoLocalizationNet, path: Path) -> None:
    saved = keras.saving.load_model(path, compile=False)
    if not isinstance(saved, GeoLocalizationNet):
        raise ValueError(
            f"{path} must hold a GeoLocalizationNet. Received: {type(saved).__name__}"
        )
    differences = [
        f"{field}: expected {expected!r}, received {received!r}"
        for field, expected, received in (
            ("backbone", model.backbone_name, saved.backbone_name),
            ("descriptor_dim", model.descriptor_dim, saved.descriptor_dim),
        )
        if expected != received
    ]
    if differences:
        raise_differences(f"{path} holds another encoder.", differences)
    model.set_weights(saved.get_weights())


def _load_weights_h5(model: GeoLocalizationNet, path: Path) -> None:
    """Compares the datasets first, since Keras ignores those it does not know."""
    with tempfile.TemporaryDirectory() as folder:
        own_file = Path(folder) / "own.weights.h5"
        model.save_weights(own_file)
        expected = _dataset_shapes(own_file)
    try:
        received = _dataset_shapes(path)
    except OSError as error:
        raise ValueError(f"{path} is not a readable HDF5 file: {error}") from error
    differences = [
        f"{name}: expected {expected.get(name, 'nothing')}, "
        f"received {received.get(name, 'nothing')}"
        for name in sorted(expected.keys() | received.keys())
        if expected.get(name) != received.get(name)
    ]
    if differences:
        raise_differences(
            f"{path} does not fit {model.backbone_name} with descriptor_dim="
            f"{model.descriptor_dim}.",
            differences,
        )
    model.load_weights(path)


def _dataset_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}

    def collect(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            shapes[name] = item.shape

    with h5py.File(path) as file:
        file.visititems(collect)
    return shapes
