import collections
import os
import zipfile

import numpy as np
import pytest

from tests.vpr_tf.models.torch_weights.legacy_pth_files import contiguous, fake_torch
from tests.vpr_tf.models.torch_weights.zip_pth_files import zip_bytes
from vpr_tf.cli.main import main
from vpr_tf.models import GeoCLIP
from vpr_tf.models.torch_weights.safetensors_reader import read_safetensors

FOLDER = "geoclip/model/weights/"
TURIN, TOKYO = (45.07, 7.69), (35.68, 139.76)


@pytest.fixture(scope="module")
def geoclip():
    return GeoCLIP()


@pytest.fixture(scope="module")
def arrays(geoclip, tmp_path_factory):
    """Its weights by the names of the package, as `save` writes them."""
    path = tmp_path_factory.mktemp("geoclip") / "geoclip.safetensors"
    geoclip.save(path)
    return read_safetensors(path)


def relu(x):
    return np.maximum(x, 0)


def linear(arrays, module, x):
    return x @ arrays[f"{module}.weight"].astype("f8").T + arrays[f"{module}.bias"]


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def location_features(arrays, degrees):
    """What the official code computes, in float64."""
    a1, a2, a3, a4 = 1.340264, -0.081106, 0.000893, 0.003796
    latitude, longitude = np.deg2rad(degrees).T
    theta = np.arcsin(np.sqrt(3) / 2 * np.sin(latitude))
    slope = 3 * (9 * a4 * theta**8 + 7 * a3 * theta**6 + 3 * a2 * theta**2 + a1)
    east = 2 * np.sqrt(3) * longitude * np.cos(theta) / slope
    north = a4 * theta**9 + a3 * theta**7 + a2 * theta**3 + a1 * theta
    position = np.stack([east, north], axis=1) * 66.50336 / 180
    features = 0
    for number in range(3):
        module = f"location_encoder.LocEnc{number}"
        waves = arrays[f"{module}.capsule.0.b"].astype("f8")
        angles = 2 * np.pi * position @ waves.T
        x = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
        for layer in (1, 3, 5):
            x = relu(linear(arrays, f"{module}.capsule.{layer}", x))
        features = features + linear(arrays, f"{module}.head.0", x)
    return features


def test_features_equal_the_formula(geoclip, arrays):
    degrees = np.array([TURIN, TOKYO, (-54.8, 179.99), (89.9, 10.0), (0, 0)])
    expected = location_features(arrays, degrees)
    found = geoclip.location_encoder(degrees).numpy()
    atol = 1e-3 * np.abs(expected).max()  # the finest waves take float32 to its end
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)
    waves = [arrays[f"location_encoder.LocEnc{n}.capsule.0.b"].std() for n in range(3)]
    np.testing.assert_allclose(waves, [1, 16, 256], rtol=0.15)


def test_released_weights_give_the_official_features(golden_dir):
    package = os.environ.get("GEOCLIP_PACKAGE")
    if not package:
        pytest.skip("GEOCLIP_PACKAGE does not name geoclip-1.3.0-py3-none-any.whl")
    golden = np.load(golden_dir / "research" / "geoclip_location_encoder.npz")
    found = GeoCLIP.load(package).location_encoder(golden["latitude_longitude"])
    # Both are as far from the same in float64; the largest value is 0.056.
    np.testing.assert_allclose(found, golden["features"], rtol=0, atol=2e-5)


def test_probabilities_are_a_softmax_of_scaled_cosines(geoclip, arrays):
    rng = np.random.default_rng(0)
    clip_features = rng.standard_normal((3, 768)).astype("float32")
    degrees = rng.uniform([-60, -180], [70, 180], (7, 2))
    hidden = relu(linear(arrays, "image_projection.0", clip_features))
    images = unit(linear(arrays, "image_projection.2", hidden))
    cosines = images @ unit(location_features(arrays, degrees)).T
    logits = cosines / 0.07
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = geoclip.place_probabilities(clip_features, *degrees.T)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)
    assert np.ptp(expected, axis=1).min() > 1e-2
    assert geoclip.logit_scale == pytest.approx(1 / 0.07)


def write_package(path, arrays, left_out=()):
    parts = {
        "location_encoder_weights.pth": "location_encoder.",
        "image_encoder_mlp_weights.pth": "image_projection.",
    }
    members = {}
    for name, prefix in parts.items():
        tensors = collections.OrderedDict(
            (key.removeprefix(prefix), contiguous(str(number), array))
            for number, (key, array) in enumerate(arrays.items())
            if key.startswith(prefix)
        )
        storages = [tensor.arguments[0] for tensor in tensors.values()]
        members[name] = zip_bytes(tensors, storages)
    scale = contiguous("0", arrays["logit_scale"])
    members["logit_scale_weights.pth"] = zip_bytes(scale, [scale.arguments[0]])
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            if name not in left_out:
                archive.writestr(FOLDER + name, data)


def test_the_package_is_converted(arrays, tmp_path, monkeypatch, capsys):
    fake_torch(monkeypatch)
    rng = np.random.default_rng(1)
    trained = {k: np.float32(rng.normal(v, 0.1)) for k, v in arrays.items()}
    package, output = tmp_path / "geoclip.whl", tmp_path / "geoclip.safetensors"
    write_package(package, trained)
    arguments = ["--checkpoint", str(package), "--output", str(output)]
    assert main(["convert", "--geoclip", *arguments]) == 0
    assert "location encoder (9,449,472 parameters)" in capsys.readouterr().out
    found = read_safetensors(output)
    assert found.keys() == trained.keys()
    for key, value in trained.items():
        np.testing.assert_array_equal(found[key], value)
    loaded = GeoCLIP.load(output)
    assert loaded.logit_scale == pytest.approx(np.exp(trained["logit_scale"]))

    arguments = ["--checkpoint", str(package), "--output", str(tmp_path / "x.keras")]
    assert main(["convert", "--geoclip", *arguments]) == 2
    assert "must be a .safetensors file" in capsys.readouterr().err
    write_package(package, trained, left_out=["logit_scale_weights.pth"])
    with pytest.raises(ValueError, match=r"not the package geoclip.*logit_scale"):
        GeoCLIP.load(package)
    del trained["image_projection.0.bias"]
    write_package(package, trained)
    with pytest.raises(ValueError, match=r"(?s)not fit GeoCLIP.*0\.bias: missing"):
        GeoCLIP.load(package)
    with pytest.raises(FileNotFoundError, match="pip download --no-deps geoclip"):
        GeoCLIP.load(tmp_path / "none.whl")


def test_what_the_package_holds_is_not_run(tmp_path):
    package = tmp_path / "geoclip.whl"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr(FOLDER + "location_encoder_weights.pth", b"cos\nsystem\n.")
    with pytest.raises(ValueError, match="not the package geoclip"):
        GeoCLIP.load(package)


@pytest.mark.parametrize(
    ("clip_features", "latitude", "longitude", "message"),
    [
        (np.ones((1, 512)), [1], [1], r"`clip_features`.*768.*\(1, 512\)"),
        (np.full((1, 768), np.nan), [1], [1], r"`clip_features` must be finite"),
        (np.ones((1, 768)), [1, 2], [1], r"one length.*\(2,\).*\(1,\)"),
        (np.ones((1, 768)), [], [], r"one length, 1 or more"),
        (np.ones((1, 768)), [1, 91], [1, 1], r"`latitude`.*91\.0 for place 1"),
        (np.ones((1, 768)), [1], [np.nan], r"`longitude`.*nan for place 0"),
    ],
)
def test_what_cannot_be_compared(geoclip, clip_features, latitude, longitude, message):
    with pytest.raises(ValueError, match=message):
        geoclip.place_probabilities(clip_features, latitude, longitude)
