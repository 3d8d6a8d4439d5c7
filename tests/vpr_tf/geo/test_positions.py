import numpy as np
import pytest
import utm

from vpr_tf.geo import Positions, distances_m


def positions_of(latitude, longitude, zones):
    """Positions of places in zones of one's choice; zone 0 is unknown."""
    latitude, longitude = np.array(latitude, float), np.array(longitude, float)
    east, north = np.zeros(len(zones)), np.zeros(len(zones))
    for i, zone in enumerate(zones):
        if zone:
            east[i], north[i], *_ = utm.from_latlon(
                latitude[i],
                longitude[i],
                force_zone_number=abs(zone),
                force_northern=zone > 0,
            )
    return Positions(
        np.rint(east * 100).astype(np.int64),
        np.rint(north * 100).astype(np.int64),
        np.array(zones, np.int16),
        latitude,
        longitude,
    )


def test_distance_in_one_zone_is_planar():
    a = Positions(
        *np.array([[300, 0], [400, 0]]), np.array([10, 10]), *np.zeros((2, 2))
    )
    distances = distances_m(a, a, np.array([[0, 1], [0, 1]]))
    np.testing.assert_allclose(distances, [[0, 5], [5, 0]])


def test_distance_across_a_zone_border_is_that_on_the_ground():
    # 120 degrees west parts zone 10 and 11; 0.0001 degrees are 8.9 m here.
    west = positions_of([37.0], [-120.00005], [10])
    east = positions_of([37.0], [-119.99995], [11])
    assert distances_m(west, east, np.array([[0]]))[0, 0] == pytest.approx(
        8.9, rel=0.01
    )
    assert distances_m(east, west, np.array([[0]]))[0, 0] == pytest.approx(
        8.9, rel=0.01
    )


def test_distance_across_the_equator_is_that_on_the_ground():
    south = positions_of([-0.00005], [9.0], [-32])
    north = positions_of([0.00005], [9.0], [32])
    assert distances_m(south, north, np.array([[0]]))[0, 0] == pytest.approx(
        11.06, 0.01
    )


def test_distance_to_a_far_zone_follows_the_great_circle():
    london = positions_of([51.5074], [-0.1278], [30])
    sydney = positions_of([-33.8688], [151.2093], [-56])
    distance = distances_m(london, sydney, np.array([[0]]))[0, 0]
    assert distance == pytest.approx(16_994_000, rel=0.005)


def test_distance_is_nan_without_a_prediction_or_a_position():
    known = positions_of([37.0], [-120.0], [10])
    unknown = positions_of([0.0], [0.0], [0])
    assert np.isnan(distances_m(known, known, np.array([[-1]]))).all()
    assert np.isnan(distances_m(unknown, known, np.array([[0]]))).all()
    assert np.isnan(distances_m(known, unknown, np.array([[0]]))).all()
