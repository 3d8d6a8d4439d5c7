"""Loads the files that Keras saves into an encoder, strictly."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import h5py
import keras

from vpr_tf.models.torch_weights.state_dict import raise_differences
from vpr_tf.models.weights_files import HDF5, KERAS, check_weights_file

_ENCODER_NAME = "vpr_tf>GeoLocalizationNet"  # as Keras registers it


def load_keras_file(model: keras.Model, path: Path) -> None:
    """Sets the weights of an encoder to those of a `.keras` file.

    Raises:
        ValueError: The file is damaged or holds another encoder.
    """
    saved = read_keras_file(path)
    differences = [
        f"{field}: expected {expected!r}, received {received!r}"
        for field, expected, received in (
            ("backbone", model.backbone_name, saved.backbone_name),
            ("aggregation", model.aggregation_name, saved.aggregation_name),
            ("descriptor_dim", model.descriptor_dim, saved.descriptor_dim),
            ("last_stage", model.last_stage, saved.last_stage),
        )
        if expected != received
    ]
    if differences:
        raise_differences(f"{path} holds another encoder.", differences)
    model.set_weights(saved.get_weights())


def read_keras_file(path: Path) -> keras.Model:
    """Loads the encoder of a `.keras` file.

    Raises:
        ValueError: The file is damaged or holds something else.
    """
    try:
        check_weights_file(Path(path), KERAS)
        saved = keras.saving.load_model(path, compile=False)
    except (OSError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a readable .keras file: {error}") from error
    if keras.saving.get_registered_name(type(saved)) != _ENCODER_NAME:
        raise ValueError(
            f"{path} must hold a GeoLocalizationNet. Received: {type(saved).__name__}"
        )
    return saved


def load_weights_h5(model: keras.Model, path: Path) -> None:
    """Sets the weights of an encoder to those of a `.weights.h5` file.

    The datasets are compared first, since Keras ignores those it does not know.

    Raises:
        ValueError: The file is damaged or of another encoder.
    """
    with tempfile.TemporaryDirectory() as folder:
        own_file = Path(folder) / "own.weights.h5"
        model.save_weights(own_file)
        expected = _dataset_shapes(own_file)
    try:
        check_weights_file(path, HDF5)
        received = _dataset_shapes(path)
    except OSError as error:
        raise ValueError(f"{path} is not a readable HDF5 file: {error}") from error
    differences = [
        f"{name}: expected {expected.get(name, 'nothing')}, "
        f"received {received.get(name, 'nothing')}"
        for name in [*received, *(name for name in expected if name not in received)]
        if expected.get(name) != received.get(name)
    ]
    if differences:
        fitting = sum(expected.get(name) == shape for name, shape in received.items())
        raise_differences(
            f"{path} does not fit {model.backbone_name} with descriptor_dim="
            f"{model.descriptor_dim}: {fitting} of its {len(received)} arrays fit.",
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
