import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vpr_tf.localization.places import positions_at
from vpr_tf.geo import Positions, distances_m, ecef


@given(st.floats(-84, 84), st.floats(-180, 180))
def test_points_lead_back_to_their_places(latitude_deg, longitude_deg):
    points = ecef.from_lat_lon(np.array([latitude_deg]), np.array([longitude_deg]))
    latitude, longitude = ecef.to_lat_lon(points)
    assert latitude[0] == pytest.approx(latitude_deg, abs=1e-10)
    off = (longitude[0] - longitude_deg + 180) % 360 - 180
    assert off == pytest.approx(0, abs=1e-10)


def test_points_below_the_surface_keep_their_place():
    points = ecef.from_lat_lon(np.array([51.5, -33.9]), np.array([-0.1, 151.2])) * (
        1 - 1e-4
    )
    latitude, longitude = ecef.to_lat_lon(points)
    # Straight down is not towards the centre: 637 m * 0.19 degrees off.
    np.testing.assert_allclose(latitude, [51.5, -33.9], atol=2.5e-5)
    np.testing.assert_allclose(longitude, [-0.1, 151.2], atol=1e-12)


@pytest.mark.parametrize("latitude", [-79.9, -45.0, -1e-4, 0.0, 1e-4, 37.7, 83.9])
def test_distances_of_points_are_those_on_the_ground(latitude):
    places = positions_at([latitude, latitude], [10.0, 10.0 + 20 / 111_000])
    points = ecef.from_positions(places)
    on_ground = distances_m(places.take([0]), places, np.array([[1]]))[0, 0]
    straight = np.linalg.norm(points[1] - points[0])
    assert straight == pytest.approx(on_ground, rel=1e-3, abs=0.02)


def test_places_on_both_sides_of_the_antimeridian_are_near():
    points = ecef.from_positions(positions_at([-17.0, -17.0], [179.9999, -179.9999]))
    assert np.linalg.norm(points[1] - points[0]) == pytest.approx(21.3, abs=0.1)


def test_unknown_and_impossible_positions_are_no_points():
    places = positions_at([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], known=[True, False, True])
    north_cm = places.utm_north_cm + np.array([0, 0, 9_800_000_00])
    places = Positions(
        places.utm_east_cm,
        north_cm,
        places.utm_zone,
        places.latitude_deg,
        places.longitude_deg,
    )
    known = np.isfinite(ecef.from_positions(places)).all(axis=1)
    assert known.tolist() == [True, False, False]
