import numpy as np
import pytest

from data_prep.synthesize.city import plan_streets


@pytest.fixture(scope="module")
def plan():
    return plan_streets(np.random.default_rng(4), blocks=3)


def signed_area(corners):
    x, y = np.asarray(corners).T
    return 0.5 * float(x @ np.roll(y, -1) - y @ np.roll(x, -1))


def distance_to_street(street, points):
    relative = points - street.start
    along = np.clip(relative @ street.direction, 0, street.length_m)
    foot = street.start + along[:, None] * street.direction
    return np.hypot(*(points - foot).T)


def test_plan_streets_counts(plan):
    assert len(plan.streets) == 2 * 4 * 3
    assert len(plan.blocks) == 9
    assert len(plan.lots) > 9 * 4 * 3


def test_plan_streets_is_irregular_but_near_a_grid(plan):
    directions = np.array([street.direction for street in plan.streets])
    off_axis = np.abs(directions).min(axis=1)
    assert 0.01 < off_axis.mean() < 0.15
    assert np.std([street.length_m for street in plan.streets]) > 2


def test_houses_and_lots_keep_clear_of_the_streets(plan):
    corners = np.concatenate([lot.corners for lot in plan.lots])
    for street in plan.streets:
        assert distance_to_street(street, corners).min() > street.half_width_m - 2.5


def test_lots_are_counter_clockwise_so_their_walls_look_outwards(plan):
    areas = [signed_area(lot.corners) for lot in plan.lots]
    assert min(areas) > 10


def test_trees_and_lamps_stand_off_the_roads_outside_crossings(plan):
    points = np.array([tree[:2] for tree in plan.trees] + plan.lamps)
    on_road = np.zeros(len(points), bool)
    for street in plan.streets:
        on_road |= distance_to_street(street, points) < street.half_road_m - 0.5
    assert on_road.mean() < 0.02
