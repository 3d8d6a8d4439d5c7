import numpy as np

from vpr_tf.photos.quality.recurring import recurring_share


def maps(num_photos, seed=0):
    """Returns brightness and detail of photos that have nothing in common."""
    rng = np.random.default_rng(seed)
    return tuple(
        rng.integers(low, 200, (num_photos, 16, 16)).astype(np.uint8)
        for low in (20, 40)
    )


def test_different_photos_share_no_spot():
    assert max(recurring_share(*maps(20, seed)) for seed in range(20)) < 0.7


def test_a_bright_or_dark_spot_is_in_all_photos():
    for level in (250, 0):
        brightness, detail = maps(12)
        brightness[:, 7:9, 4:6] = level
        assert recurring_share(brightness, detail) > 0.9
        brightness[:6, 7:9, 4:6] = 110
        assert recurring_share(brightness, detail) < 0.75


def test_a_smooth_spot_is_in_all_photos():
    brightness, detail = maps(12)
    detail[:, 2:4, 10:12] = 5
    assert recurring_share(brightness, detail) > 0.9


def test_sky_and_road_are_no_spots():
    brightness, detail = maps(12)
    brightness[:, :6], detail[:, :6] = 240, 2  # the sky
    brightness[:, 10:], detail[:, 10:] = 10, 5  # the road
    brightness[:, :9, 6:9] = 250  # the sky between houses
    assert recurring_share(brightness, detail) < 0.7
