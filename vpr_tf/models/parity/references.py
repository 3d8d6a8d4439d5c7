"""Values of the official network: recorded by hooks, or of a folder of goldens."""

from __future__ import annotations

import importlib.util
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from vpr_tf.models.geolocalization_net import GeoLocalizationNet
from vpr_tf.models.parity.layer_outputs import LayerOutput, layer_outputs
from vpr_tf.models.parity.report import Comparison, compare
from vpr_tf.models.torch_weights.state_dict import Layout
from vpr_tf.models.weights_files import NPZ, check_weights_file

_IMAGES = "images"
_GOLDEN_NAME = re.compile(r"network_(.+)_(\d+)\.npz")
_GOLDEN_KEY = re.compile(r"(.+)_(\d+)x(\d+)")
_CHANNELS_KEPT = re.compile(r"(.+)_first_(\d+)_channels")
_IMAGE_BLOCK = 16  # pixels; the golden images are made of such squares


def compare_activations(
    model: GeoLocalizationNet, layout: Layout, path: Path
) -> tuple[list[Comparison], list[str]]:
    """Compares all layers with outputs that were recorded in torch.

    Args:
        model: The encoder with the weights of the torch network.
        layout: How the torch network names its modules.
        path: `.npz` with `images`, `(batch, height, width, 3)` in [0, 1], and the
            output of each torch module by its name, `output` for that of all.

    Returns:
        The comparisons in the order of the layers, and the torch modules of layers
        that have no recorded output.

    Raises:
        ValueError: The file is malformed, or no name fits the layers.
    """
    recorded = _load(path)
    images = recorded.get(_IMAGES)
    if images is None or images.ndim != 4 or images.shape[-1] != 3:
        raise ValueError(
            f"{path} must hold `{_IMAGES}`, (batch, height, width, 3) in [0, 1]. "
            f"Received: {None if images is None else images.shape}"
        )
    comparisons, missing = [], []
    for output in layer_outputs(model, layout, images.astype(np.float32)):
        if output.module in recorded:
            comparisons.append(compare(output, recorded[output.module]))
        else:
            missing.append(output.module)
    if not comparisons:
        raise ValueError(
            f"{path} has none of the modules {', '.join(missing[:3])}, ... It has: "
            f"{', '.join(list(recorded)[:5])}, ..."
        )
    return comparisons, missing


class Goldens:
    """A golden file, and the module that made its weights and images.

    Args:
        path: `.npz` file with arrays `<what>_<height>x<width>`.
        folder: Folder of `reference_weights.py`, which is run.

    Raises:
        ValueError: The file is damaged.
        OSError: A file is missing.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        self._arrays = _load(path)
        self._path = path
        self._made_by = _import_file(folder / "reference_weights.py")

    def state_dict(self) -> dict[str, np.ndarray]:
        """Returns the weights that the golden values were computed with.

        Raises:
            ValueError: The name of the file does not say of which network.
        """
        match = _GOLDEN_NAME.fullmatch(self._path.name)
        if match is None:
            raise ValueError(
                "A golden file is called network_<network>_<dim>.npz, which says which "
                "weights it is of. Rename it, or pass the weights by --checkpoint. "
                f"Received: {self._path}"
            )
        arrays: dict[str, np.ndarray] = self._made_by.reference_state_dict(
            match[1], int(match[2])
        )
        return arrays

    def compare(self, model: GeoLocalizationNet) -> list[Comparison]:
        """Compares features, class token and descriptors at every size.

        Raises:
            ValueError: The file has no value that is known.
        """
        features = keras.tree.flatten(model.feature_extractor().output)
        network = keras.Model(model.input, [features, model.output])
        comparisons: list[Comparison] = []
        for size in self._sizes():
            backbone, descriptors = network(self._images(*size))
            ours = {"features": backbone[0], "descriptors": descriptors}
            ours["patch_features"] = backbone[0]
            if len(backbone) > 1:
                ours["token"] = backbone[1][:, 0]
            comparisons += self._compare_size(size, ours)
        if not comparisons:
            raise ValueError(f"{self._path} has no features and no descriptors.")
        return comparisons

    def _sizes(self) -> list[tuple[int, int]]:
        matches = (_GOLDEN_KEY.fullmatch(key) for key in self._arrays)
        sizes = {
            (int(m[2]), int(m[3])): None
            for m in matches
            if m is not None and m[1] == "descriptors"
        }
        return list(sizes)

    def _images(self, height: int, width: int) -> np.ndarray:
        sides = (-(-side // _IMAGE_BLOCK) * _IMAGE_BLOCK for side in (height, width))
        images = self._made_by.reference_images(*sides)[:, :height, :width]
        return images.astype(np.float32) / 255

    def _compare_size(
        self, size: tuple[int, int], ours: dict[str, Any]
    ) -> Iterator[Comparison]:
        for key, official in self._arrays.items():
            match = _GOLDEN_KEY.fullmatch(key)
            if match is None or (int(match[2]), int(match[3])) != size:
                continue
            kept = _CHANNELS_KEPT.fullmatch(match[1])
            name = kept[1] if kept else match[1]
            if name not in ours:
                continue
            values = keras.ops.convert_to_numpy(ours[name])
            values = values[..., : int(kept[2])] if kept else values
            yield compare(LayerOutput(key, name, values), official)


def _load(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FileNotFoundError(f"No values of the official network at {path}.")
    check_weights_file(path, NPZ)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (ValueError, OSError, zipfile.BadZipFile, TypeError) as error:
        raise ValueError(f"{path} is not a readable .npz file: {error}") from error


def _import_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("reference_weights", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(
            f"No {path}, which makes the weights and images of golden files. Correct "
            "--golden-dir."
        )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
