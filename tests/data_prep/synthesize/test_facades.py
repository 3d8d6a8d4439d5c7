import numpy as np
import pytest

from data_prep.synthesize.facades import draw_facade, draw_plain_wall
from data_prep.synthesize.roofs import roof_height_m, roof_profile

ROOFS = ("flat", "gable", "mansard", "stepped", "dome", "towers", "saw", "crenels")


def test_draw_facade_size_and_roofline():
    wall = draw_facade(3, 4, width_m=9.0, floors=4, pixels_per_m=10.0)
    width, height, channels = wall.columns.shape
    assert (width, channels) == (90, 4)
    assert height == pytest.approx(wall.height_m * 10, abs=1)
    assert wall.profile_m.shape == (90,)
    assert 9.0 < wall.profile_m.min() <= wall.profile_m.max() <= wall.height_m


def test_draw_facade_depends_on_both_seeds():
    def columns(style_seed, seed):
        return draw_facade(style_seed, seed, 9.0, 4, 10.0).columns

    np.testing.assert_array_equal(columns(3, 4), columns(3, 4))
    assert not np.array_equal(columns(3, 4), columns(3, 5))
    assert columns(3, 4).shape != columns(8, 4).shape


def test_facades_differ_from_each_other():
    walls = [draw_facade(seed, seed, 10.0, 4, 4.0).columns for seed in range(20)]
    crops = np.stack([wall[:40, :40, :3].astype(float).ravel() for wall in walls])
    crops -= crops.mean(axis=1, keepdims=True)
    crops /= np.linalg.norm(crops, axis=1, keepdims=True)
    similar = crops @ crops.T - np.eye(len(crops))
    assert similar.max() < 0.9


def test_draw_plain_wall_has_windows_that_may_be_lit():
    walls = [draw_plain_wall(seed, 8.0, 9.0, 20.0) for seed in range(4)]
    assert any((wall.columns[..., 3] > 0).any() for wall in walls)
    assert all(np.all(wall.profile_m == 20.0) for wall in walls)


@pytest.mark.parametrize("roof", ROOFS)
def test_roof_profile_stays_between_eaves_and_its_height(roof):
    for seed in range(5):
        profile = roof_profile(roof, 80, 12.0, 10.0, np.random.default_rng(seed))
        assert profile.shape == (80,)
        assert profile.min() >= 12.0
        assert profile.max() <= 12.0 + roof_height_m(roof, 10.0) + 1e-9


def test_roofs_have_different_profiles():
    profiles = [
        roof_profile(roof, 80, 12.0, 10.0, np.random.default_rng(9)) for roof in ROOFS
    ]
    assert len({tuple(np.round(profile, 3)) for profile in profiles}) == len(ROOFS)
