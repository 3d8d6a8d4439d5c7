import sys

import numpy as np
import pytest

from tests.vpr_tf.matching.streets import street
from vpr_tf.config import Preprocessing
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.matching import DenseMatcher, MatchingError, PhotoMatching, SiftMatcher
from vpr_tf.matching.geometry import inliers
from vpr_tf.matching.local_features import mutual_neighbours
from vpr_tf.models import GeoLocalizationNet


def unit(rng: np.random.Generator, count: int, dim: int = 8) -> np.ndarray:
    vectors = rng.normal(size=(count, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("sizes", [(1, 1), (5, 9), (40, 20)])
def test_mutual_neighbours_equal_a_search_by_hand(sizes):
    rng = np.random.default_rng(0)
    query, candidate = (unit(rng, size) for size in sizes)
    similarity = query @ candidate.T
    expected = [
        (i, j)
        for i in range(sizes[0])
        for j in range(sizes[1])
        if similarity[i, j] == similarity[i].max() == similarity[:, j].max()
    ]
    np.testing.assert_array_equal(mutual_neighbours(query, candidate), expected)
    least = 0.6
    expected = [(i, j) for i, j in expected if similarity[i, j] >= least]
    found = mutual_neighbours(query, candidate, min_similarity=least)
    np.testing.assert_array_equal(found, np.reshape(expected, (-1, 2)))


def test_ambiguous_neighbours_are_left_out():
    query = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    candidate = np.array([[1, 0], [0.6, 0.8], [0.59, 0.81]], np.float32)
    candidate /= np.linalg.norm(candidate, axis=1, keepdims=True)
    assert len(mutual_neighbours(query, candidate)) == 2
    kept = mutual_neighbours(query, candidate, max_distance_ratio=0.8)
    np.testing.assert_array_equal(kept, [[0, 0]])


def test_no_descriptors_have_no_pairs():
    one = np.ones((1, 8), np.float32)
    assert mutual_neighbours(one[:0], one).shape == (0, 2)
    assert mutual_neighbours(one, one[:0]).shape == (0, 2)


def _of_plane(xy: np.ndarray) -> np.ndarray:
    matrix = np.array([[0.9, 0.1, 12], [-0.1, 1.1, -7], [1e-4, 2e-4, 1]])
    projected = np.c_[xy, np.ones(len(xy))] @ matrix.T
    return projected[:, :2] / projected[:, 2:]


def _of_depth(xy: np.ndarray) -> np.ndarray:
    """A camera that moved sideways before points of many depths."""
    depth = np.random.default_rng(9).uniform(2, 20, len(xy))
    return xy + np.stack([120 / depth, 15 / depth], axis=1)


@pytest.mark.parametrize("second_view", [_of_plane, _of_depth])
def test_one_geometry_explains_the_true_pairs(second_view):
    rng = np.random.default_rng(0)
    query = rng.uniform(0, 500, (120, 2))
    candidate = second_view(query)
    candidate[80:] = rng.uniform(0, 500, (40, 2))
    found = inliers(query, candidate, 3.0)
    assert found[:80].sum() >= 76
    assert found[80:].sum() <= 8
    np.testing.assert_array_equal(found, inliers(query, candidate, 3.0))


def test_too_few_pairs_or_points_of_one_line_prove_nothing():
    xy = np.random.default_rng(0).uniform(0, 500, (7, 2))
    assert not inliers(xy, xy, 3.0).any()
    assert not inliers(np.zeros((0, 2)), np.zeros((0, 2)), 3.0).any()
    same = np.full((50, 2), 3.0)
    assert inliers(same, same, 3.0).shape == (50,)


def test_sift_finds_a_moved_view_and_no_other():
    matching = PhotoMatching(SiftMatcher())
    first = matching.features(street()[:, :280])
    moved = matching.features(street()[:, 40:])
    other = matching.features(street(seed=1))
    found = matching.pair(first, moved)
    assert len(found) > 40
    assert len(found) > 3 * len(matching.pair(first, other))
    offset = np.median(found.query_xy - found.candidate_xy, axis=0)
    np.testing.assert_allclose(offset, [40, 0], atol=0.5)
    # Of photos that were made smaller, in pixels of the photos.
    half = matching.features(street()[::2, :280:2], photo_size=(320, 280))
    small = PhotoMatching(SiftMatcher(), image_size=160)
    found = small.pair(half, small.features(street()))
    assert found.query_size == (320, 280)
    assert found.candidate_size == (320, 320)
    apart = np.abs(found.query_xy - found.candidate_xy)
    assert np.median(apart) < 3 < found.query_xy.max() - 200


@pytest.mark.parametrize(
    "image", [np.zeros((200, 200, 3), np.uint8), street()[:8, :8], street()[:1, :1]]
)
def test_photos_without_key_points_share_none(image):
    matching = PhotoMatching(SiftMatcher())
    nothing = matching.features(image)
    assert len(matching.pair(nothing, matching.features(street()))) == 0
    assert len(matching.pair(nothing, nothing)) == 0


def test_large_photos_are_made_smaller():
    matching = PhotoMatching(SiftMatcher(), image_size=100)
    assert matching.features(street()[:240]).image_size == (75, 100)
    assert matching.identity != PhotoMatching(SiftMatcher()).identity


def test_key_points_are_kept_until_others_need_the_room():
    matching, loaded = PhotoMatching(SiftMatcher(), num_kept=2), []

    def look(name):
        def load():
            loaded.append(name)
            return street()

        return matching.kept_features(name, load)

    first = look("a")
    assert look("a") is first
    look("b")
    look("a")
    look("c")
    look("a")
    look("b")
    assert loaded == ["a", "b", "c", "b"]


def test_dense_pairs_the_patches_of_an_encoder():
    encoder = GeoLocalizationNet("EfficientNetLite0", 16, last_stage=2)
    extractor = FeatureExtractor(encoder, Preprocessing("square", 64))
    matching = PhotoMatching(DenseMatcher(extractor))
    features = matching.features(street())
    rows = int(np.sqrt(len(features)))
    assert rows**2 == len(features) > 16
    np.testing.assert_allclose(features.points_xy[0], 160 / rows)
    assert features.tolerance_px == pytest.approx(320 / rows)
    found = matching.pair(features, features)
    assert len(found) > 0.9 * len(features)
    np.testing.assert_array_equal(found.query_xy, found.candidate_xy)


def test_dense_needs_a_feature_map():
    extractor = FeatureExtractor(lambda images: np.mean(images, axis=(1, 2)))
    with pytest.raises(MatchingError, match=r"dense needs an encoder.*matcher xfeat"):
        DenseMatcher(extractor)
    tokens = GeoLocalizationNet("ViT_B16", 16, last_stage=1)
    extractor = FeatureExtractor(tokens, Preprocessing("square", 224))
    with pytest.raises(MatchingError, match=r"a row of tokens.*xfeat"):
        DenseMatcher(extractor)


def test_without_opencv_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError, match=r"pip install 'vpr_tf\[rerank\]'"):
        SiftMatcher()
