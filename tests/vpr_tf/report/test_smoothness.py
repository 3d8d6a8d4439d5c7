import numpy as np
import pytest

from tests.vpr_tf.report.tiny_photos import photos_at
from vpr_tf.report.smoothness import measure_smoothness, sample_pairs, similarity_bins


def street(number=60, step_m=7.0):
    """Photos along a street, whose descriptors turn with the way."""
    angle = np.arange(number) * step_m / 200
    descriptors = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    heading = np.arange(number) * 90 % 360
    return descriptors.astype(np.float16), photos_at(
        np.arange(number) * step_m, heading_deg=heading
    )


def measure(descriptors, photos, num_pairs=500, seed=0):
    return measure_smoothness(
        descriptors, photos, near_m=25, num_pairs=num_pairs, seed=seed
    )


def test_similarity_of_a_smooth_encoder_falls_with_distance():
    smoothness = measure(*street())
    assert smoothness.spearman_distance == pytest.approx(-1, abs=0.01)
    used = [b for b in smoothness.by_distance if b.num_pairs]
    assert (np.diff([b.mean for b in used]) < 0).all()
    assert sum(b.num_pairs for b in used) == smoothness.num_pairs
    for bin_ in used:  # cosine of the angle between the ends of the range
        assert np.cos(bin_.high / 200) - 0.01 <= bin_.p25 <= bin_.median <= bin_.p75
        assert bin_.p75 <= np.cos(bin_.low / 200) + 0.01
    assert sum(b.num_pairs for b in smoothness.by_heading) > 0
    assert np.shape(smoothness.grid) == (4, 11)


def test_pairs_are_near_unique_of_one_zone_and_seeded():
    generator = np.random.default_rng(0)
    photos = photos_at(
        *generator.uniform(0, 500, (2, 80)), zone=generator.choice([0, 10, 11], 80)
    )
    first, second, metres = sample_pairs(photos, 300, seed=5)
    assert 0 < len(first) <= 300
    assert (first < second).all()
    assert len(np.unique(np.stack([first, second]), axis=1).T) == len(first)
    zones = photos.positions.utm_zone
    assert (zones[first] == zones[second]).all()
    assert (zones[first] != 0).all()
    assert metres.max() <= 200
    east, north = photos.positions.utm_cm.T / 100
    np.testing.assert_allclose(
        metres, np.hypot(east[first] - east[second], north[first] - north[second])
    )
    again = sample_pairs(photos, 300, seed=5)
    assert all(map(np.array_equal, again, (first, second, metres)))
    other = sample_pairs(photos, 300, seed=6)
    assert not np.array_equal(np.stack(other[:2]), np.stack([first, second]))


def test_headings_that_are_all_the_same_are_not_known():
    descriptors, photos = street()
    photos.heading_deg[:] = 0
    smoothness = measure(descriptors, photos)
    assert smoothness.by_heading == []
    assert smoothness.grid == []
    assert np.isnan(smoothness.spearman_heading)


def test_without_pairs_there_is_nothing():
    assert measure(np.eye(2), photos_at([0, 500])) is None
    assert measure(np.eye(1), photos_at([0])) is None
    assert measure(np.eye(2), photos_at([0, 1], zone=0)) is None


def test_bins_with_their_quartiles():
    values, similarity = np.array([0, 1, 1.5, 2, 4]), np.array([1, 0.5, 0.3, 0.2, 0])
    first, second, third = similarity_bins(similarity, values, [0, 1, 2, 4])
    assert (first.num_pairs, first.mean) == (1, 1)
    assert (second.num_pairs, second.p25, second.p75) == (2, 0.35, 0.45)
    assert (third.num_pairs, third.median) == (2, 0.1)  # the last end belongs to it
    (empty,) = similarity_bins(similarity, values, [10, 20])
    assert empty.num_pairs == 0
    assert np.isnan(empty.mean)
