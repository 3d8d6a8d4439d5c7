import numpy as np
import pytest

from vpr_tf.geo import LocalPlane, cities, lat_lon_to_utm


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [(37.76, -122.45), (-33.9, 18.4), (-16.8, 180.0), (0.5, 6.0), (64.1, -21.9)],
)
def test_distances_on_the_plane_are_those_of_utm(latitude, longitude):
    generator = np.random.default_rng(0)
    latitudes = latitude + generator.uniform(-0.02, 0.02, 50)
    longitudes = longitude + generator.uniform(-0.02, 0.02, 50)
    plane = LocalPlane.around(latitudes, longitudes)
    wrapped = (longitudes + 180) % 360 - 180
    metres = plane.to_metres(latitudes, wrapped)
    # In one zone, or its natural extension where two meet.
    shifted = longitudes - longitude + 3
    east, north, _ = lat_lon_to_utm(latitudes, shifted)
    expected = np.hypot(east - east[0], north - north[0])
    found = np.hypot(*(metres - metres[0]).T)
    np.testing.assert_allclose(found[1:], expected[1:], rtol=0.001, atol=1)


def test_plane_lies_at_the_median_across_the_antimeridian():
    plane = LocalPlane.around(np.zeros(3), np.array([179.99, -179.99, -179.98]))
    assert plane.longitude_deg == pytest.approx(-179.99)
    metres = plane.to_metres(np.zeros(2), np.array([179.99, -179.98]))
    np.testing.assert_allclose(metres[:, 0], [-2226, 1113], rtol=1e-3)


def test_north_is_up_and_east_is_right():
    plane = LocalPlane(50.0, 10.0)
    (x, y), (far_x, _) = plane.to_metres(
        np.array([50.01, 50.0]), np.array([10.0, 10.01])
    )
    assert (x, y) == pytest.approx((0, 1112.3), abs=0.2)
    assert far_x == pytest.approx(717.0, abs=0.3)


def test_cities_are_numbered_by_size():
    latitude = np.array([48.86, 51.50, 51.51, 51.52, 48.87, 51.50])
    longitude = np.array([2.35, -0.12, -0.10, -0.11, 2.36, -0.13])
    np.testing.assert_array_equal(cities(latitude, longitude), [1, 0, 0, 0, 1, 0])


def test_one_city_may_lie_on_both_sides_of_the_antimeridian():
    found = cities(np.full(2, -16.8), np.array([179.98, -179.98]))
    np.testing.assert_array_equal(found, [0, 0])
    assert not len(cities(np.zeros(0), np.zeros(0)))
