from types import SimpleNamespace

import numpy as np
import pytest

from data_prep.synthesize.city import Street
from data_prep.synthesize.conditions import Conditions, phone_conditions
from data_prep.synthesize.people_and_cars import draw_sprites
from data_prep.synthesize.street_props import standing_pictures

STREET = Street(np.array([0.0, 0.0]), np.array([0.0, 80.0]), 9.0, 6.0, 0)
CAMERA = np.array([0.0, 40.0])


@pytest.fixture(scope="module")
def sprites():
    return draw_sprites(0)


def conditions(**changes):
    base = phone_conditions(np.random.default_rng(5))
    quiet = {"cars_per_100m": 0.0, "people_per_100m": 0.0}
    return Conditions(**{**base.__dict__, **quiet, **changes})


def pictures(sprites, trees=(), **changes):
    scene = SimpleNamespace(
        trees=np.array(trees, float).reshape(-1, 4), lamps=np.zeros((0, 2))
    )
    return standing_pictures(scene, [STREET], sprites, CAMERA, conditions(**changes))


def middles(found):
    return np.array([(picture.left + picture.right) / 2 for picture in found])


def test_nothing_stands_in_an_empty_street(sprites):
    assert pictures(sprites) == []


def test_pictures_come_farthest_first(sprites):
    found = pictures(sprites, cars_per_100m=15.0, people_per_100m=20.0)
    distance = np.hypot(*(middles(found) - CAMERA).T)
    assert len(found) > 10
    assert np.all(np.diff(distance) <= 0)


def test_people_stay_on_the_pavements(sprites):
    aside = np.abs(middles(pictures(sprites, people_per_100m=40.0))[:, 0])
    assert len(aside) > 10
    assert aside.min() > STREET.half_road_m
    assert aside.max() < STREET.half_width_m


def test_sides_of_cars_face_the_camera(sprites):
    for picture in pictures(sprites, cars_per_100m=30.0):
        edge, towards = picture.right - picture.left, CAMERA - picture.left
        assert edge[1] * towards[0] - edge[0] * towards[1] > 0


def test_trees_lose_their_leaves_in_winter(sprites):
    tree = [(5.0, 50.0, 6.0, 2.0)]
    (summer,) = pictures(sprites, trees=tree, has_leaves=True)
    (winter,) = pictures(sprites, trees=tree, has_leaves=False)
    assert summer.sprite is sprites.trees[2]
    assert winter.sprite is sprites.bare_trees[2]
    assert winter.height_m == 6.0


def test_traffic_depends_on_the_seed_of_the_visit(sprites):
    first, again, other = (
        middles(pictures(sprites, cars_per_100m=20.0, seed=seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or not np.allclose(first, other)
