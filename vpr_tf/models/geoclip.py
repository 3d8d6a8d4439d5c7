"""GeoCLIP without CLIP: what a place looks like, by its latitude and longitude.

The package `geoclip` (MIT) carries the weights of the location encoder and of the
layers that follow CLIP's image encoder; nothing of the package is run.

Reference:
    Vivanco Cepeda et al., "GeoCLIP: Clip-Inspired Alignment between Locations and
    Images for Effective Worldwide Geo-localization", arXiv:2309.16020.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
from keras import ops
from safetensors.numpy import save_file

from vpr_tf.atomic_files import replace_file
from vpr_tf.layers import EqualEarthProjection, FourierFeatures, L2Normalization
from vpr_tf.models.torch_weights.checkpoint import read_checkpoint, read_one_tensor
from vpr_tf.models.torch_weights.checkpoint_objects import CheckpointError
from vpr_tf.models.torch_weights.entries import (
    StateDictEntry,
    layer_entries,
    same_entry,
)
from vpr_tf.models.torch_weights.state_dict import load_entries

CLIP_DIM = 768  # of CLIP ViT-L/14's projected image features
EMBEDDING_DIM = 512
_SCALES = (1, 16, 256)  # of the Fourier features of the three branches
_HIDDEN_UNITS = 1024
_NUM_FREQUENCIES = 256
_LARGEST_WEIGHTS_BYTES = 1 << 28
_PLACES_AT_ONCE = 16_384

# Prefix of the keys, and the file in the package.
_PARTS = {
    "location_encoder.": "location_encoder_weights.pth",
    "image_projection.": "image_encoder_mlp_weights.pth",
    "logit_scale": "logit_scale_weights.pth",
}


def location_encoder() -> keras.Model:
    """Builds GeoCLIP's location encoder with random weights.

    Three branches, from coarse to fine waves over the map, are added up.

    Returns:
        Float32 `(batch, 2)`, latitude and longitude in degrees, to features
        `(batch, 512)`, which GeoCLIP divides by their norm before it compares them.
    """
    degrees = keras.Input((2,), dtype="float32", name="latitude_longitude")
    position = EqualEarthProjection(dtype="float32", name="map")(degrees)
    branches = []
    for number, scale in enumerate(_SCALES):
        name = f"branch{number}"
        x = FourierFeatures(
            _NUM_FREQUENCIES, scale, dtype="float32", name=f"{name}_waves"
        )(position)
        for layer in range(3):
            x = keras.layers.Dense(
                _HIDDEN_UNITS,
                activation="relu",
                dtype="float32",
                name=f"{name}_dense{layer}",
            )(x)
        head = keras.layers.Dense(EMBEDDING_DIM, dtype="float32", name=f"{name}_head")
        branches.append(head(x))
    features = keras.layers.Add(dtype="float32", name="features")(branches)
    return keras.Model(degrees, features, name="geoclip_location_encoder")


class GeoCLIP:
    """Says how well places on a map fit what CLIP sees in an image.

    A prior for coarse places, before any database is searched. CLIP itself is not part
    of it: its projected image features (ViT-L/14) come from elsewhere.

    Args:
        weights: Arrays by the names that `GeoCLIP.load` gives them; None for random
            weights.

    Attributes:
        location_encoder: See `location_encoder`.
        image_projection: CLIP's features `(batch, 768)` to `(batch, 512)`.
        logit_scale: Factor of the cosines before the softmax, above 0.

    Raises:
        ValueError: The arrays are of another network; the differences are listed.

    Example:
        >>> import numpy as np
        >>> import vpr_tf as vpr
        >>> geoclip = vpr.GeoCLIP()  # or vpr.GeoCLIP.load("geoclip.safetensors")
        >>> latitude, longitude = np.meshgrid([45.0, 45.1, 45.2], [7.6, 7.7])
        >>> clip_features = np.ones((1, 768), np.float32)
        >>> prior = geoclip.place_probabilities(
        ...     clip_features, latitude.ravel(), longitude.ravel()
        ... )
        >>> prior.shape, round(float(prior.sum()), 3)
        ((1, 6), 1.0)
    """

    def __init__(self, weights: Mapping[str, np.ndarray] | None = None) -> None:
        self.location_encoder = location_encoder()
        self.image_projection = keras.Sequential(
            [
                keras.Input((CLIP_DIM,), dtype="float32", name="clip_features"),
                keras.layers.Dense(CLIP_DIM, "relu", dtype="float32", name="dense"),
                keras.layers.Dense(EMBEDDING_DIM, dtype="float32", name="head"),
            ],
            name="geoclip_image_projection",
        )
        self._log_scale = keras.Variable(
            np.log(1 / 0.07), dtype="float32", trainable=False, name="logit_scale"
        )
        if weights is not None:
            load_entries(list(self._entries()), weights, "GeoCLIP")
        self._normalize = L2Normalization(dtype="float32")

    @classmethod
    def load(cls, path: str | Path) -> GeoCLIP:
        """Loads the released weights.

        Args:
            path: The package as it is downloaded, `geoclip-1.3.0-py3-none-any.whl`
                (`pip download --no-deps geoclip`), or what `save` wrote of it.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is damaged, or of another network.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(
                f"No file at {path}. Fetch the package by `pip download --no-deps "
                "geoclip`, or correct the path."
            )
        if path.suffix == ".whl":
            return cls(_read_package(path))
        return cls(read_checkpoint(path).state_dict)

    def save(self, path: str | Path) -> None:
        """Writes all weights to a `.safetensors` file.

        Raises:
            OSError: It cannot be written.
            ValueError: The suffix is another.
        """
        path = Path(path)
        if path.suffix != ".safetensors":
            raise ValueError(
                f"The output must be a .safetensors file. Received: {path}"
            )
        arrays = {}
        for entry in self._entries():
            values = [ops.convert_to_numpy(v) for v in entry.variables]
            arrays[entry.key] = np.array(entry.to_torch(values), np.float32, order="C")
        path.parent.mkdir(parents=True, exist_ok=True)
        with replace_file(path) as temporary:
            save_file(arrays, temporary, {"format": "pt", "layout": "geoclip"})

    @property
    def logit_scale(self) -> float:
        """The factor."""
        return float(np.exp(ops.convert_to_numpy(self._log_scale)))

    def place_probabilities(
        self,
        clip_features: npt.ArrayLike,
        latitude: npt.ArrayLike,
        longitude: npt.ArrayLike,
    ) -> np.ndarray:
        """Returns the probability of each place, if the photo is of one of them.

        Args:
            clip_features: Projected image features of CLIP ViT-L/14,
                `(num_images, 768)`.
            latitude: Of the places, in degrees, `(num_places,)`.
            longitude: Likewise.

        Returns:
            Float32 `(num_images, num_places)`, whose rows add up to 1.

        Raises:
            ValueError: A shape is another, or a value is no position or not finite.
        """
        features = np.asarray(clip_features, np.float32)
        if features.ndim != 2 or features.shape[1] != CLIP_DIM:
            raise ValueError(
                f"`clip_features` must have the shape (num_images, {CLIP_DIM}). "
                f"Received: clip_features.shape={features.shape}"
            )
        if not np.isfinite(features).all():
            raise ValueError(
                "`clip_features` must be finite. Received: NaN or infinity."
            )
        images = self._normalize(self.image_projection(features))
        places = self._place_embeddings(_positions(latitude, longitude))
        cosines = ops.matmul(images, places.T)
        return ops.convert_to_numpy(ops.softmax(self.logit_scale * cosines, axis=1))

    def _place_embeddings(self, positions: np.ndarray) -> np.ndarray:
        parts = [
            self._normalize(self.location_encoder(positions[i : i + _PLACES_AT_ONCE]))
            for i in range(0, len(positions), _PLACES_AT_ONCE)
        ]
        return np.concatenate([ops.convert_to_numpy(part) for part in parts])

    def _entries(self) -> Iterator[StateDictEntry]:
        """Yields the weights by their names in the package, with a prefix of each."""
        get = self.location_encoder.get_layer
        for number in range(len(_SCALES)):
            module, own = f"location_encoder.LocEnc{number}", f"branch{number}"
            waves = get(f"{own}_waves")
            yield same_entry(f"{module}.capsule.0.b", waves.frequencies)
            for layer in range(3):
                dense = get(f"{own}_dense{layer}")
                yield from layer_entries(f"{module}.capsule.{2 * layer + 1}", dense)
            yield from layer_entries(f"{module}.head.0", get(f"{own}_head"))
        get = self.image_projection.get_layer
        yield from layer_entries("image_projection.0", get("dense"))
        yield from layer_entries("image_projection.2", get("head"))
        yield same_entry("logit_scale", self._log_scale)


def _positions(latitude: npt.ArrayLike, longitude: npt.ArrayLike) -> np.ndarray:
    values = [np.asarray(v, np.float64) for v in (latitude, longitude)]
    if values[0].ndim != 1 or values[0].shape != values[1].shape or not values[0].size:
        raise ValueError(
            "`latitude` and `longitude` must have one length, 1 or more. Received: "
            f"latitude.shape={values[0].shape}, longitude.shape={values[1].shape}"
        )
    for name, value, most in zip(
        ("latitude", "longitude"), values, (90, 180), strict=True
    ):
        wrong = np.flatnonzero(~(np.abs(value) <= most))
        if wrong.size:
            raise ValueError(
                f"`{name}` must be degrees from -{most} to {most}. "
                f"Received: {value[wrong[0]]} for place {wrong[0]}"
            )
    return np.stack(values, axis=1).astype(np.float32)


def _read_package(path: Path) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
            for prefix, name in _PARTS.items():
                info = archive.getinfo(f"geoclip/model/weights/{name}")
                if info.file_size > _LARGEST_WEIGHTS_BYTES:
                    raise CheckpointError(f"{name} has {info.file_size:,} bytes")
                file = Path(folder) / name
                with archive.open(info) as packed, file.open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)
                if prefix.endswith("."):
                    found = read_checkpoint(file).state_dict
                    arrays |= {prefix + key: value for key, value in found.items()}
                else:
                    arrays[prefix] = read_one_tensor(file)
    except (KeyError, zipfile.BadZipFile, EOFError, CheckpointError) as error:
        raise CheckpointError(
            f"{path} is not the package geoclip with its weights: {error}. Fetch it by "
            "`pip download --no-deps geoclip`."
        ) from error
    return arrays
