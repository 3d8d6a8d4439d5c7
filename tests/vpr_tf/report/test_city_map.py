import numpy as np
import pytest

from vpr_tf.report.city_map import WIDTH, QueriesOnMap, city_maps, thin_out
from vpr_tf.report.query_states import RIGHT, UNJUDGED, WITHHELD, WRONG

STATES = np.array([RIGHT, WRONG, WITHHELD])


def queries_at(latitude, longitude, localized=None, states=STATES):
    latitude, longitude = np.asarray(latitude, float), np.asarray(longitude, float)
    localized = (latitude, longitude) if localized is None else localized
    names = [f"query {i}" for i in range(len(latitude))]
    return QueriesOnMap(
        names, np.asarray(states), latitude, longitude, *map(np.asarray, localized)
    )


@pytest.mark.parametrize("longitude", [-122.45, 180.0, -180.0, 6.0])
def test_everything_lies_in_the_frame_wherever_the_city_is(longitude):
    degrees = (np.array([-0.01, 0, 0.01]) + longitude + 180) % 360 - 180
    queries = queries_at([10.0, 10.005, 10.0], degrees)
    (city,) = city_maps(queries, np.array([10.001]), degrees[1:2])
    assert ((city.places > 0) & (city.places < [WIDTH, city.height])).all()
    assert city.places[0, 0] < city.places[1, 0] < city.places[2, 0]
    assert city.places[1, 1] < city.places[0, 1]  # north is up
    assert city.num_photos == 1
    across = (city.places[2, 0] - city.places[0, 0]) * city.metres_per_unit
    assert across == pytest.approx(0.02 * 111_320 * np.cos(np.radians(10)), rel=1e-3)


def test_each_city_has_its_map():
    latitude = [48.86, 48.87, 51.5]
    queries = queries_at(latitude, [2.35, 2.35, -0.1])
    paris, london = city_maps(queries, np.array([48.86, 51.5]), np.array([2.35, -0.1]))
    assert paris.rows.tolist() == [0, 1]
    assert london.rows.tolist() == [2]
    assert paris.num_photos == london.num_photos == 1
    assert len(city_maps(queries, np.zeros(0), np.zeros(0), most=1)) == 1


def test_near_localizations_widen_the_map_and_far_ones_do_not():
    near = queries_at([0, 0.01, 0.0], [0.0, 0.01, 0.0], ([0, 0.012, 0], [0, 0.012, 0]))
    far = queries_at([0, 0.01, 0.0], [0.0, 0.01, 0.0], ([0, 45.0, 0], [0, 90.0, 0]))
    (with_near,), (with_far,) = (
        city_maps(queries, np.zeros(0), np.zeros(0)) for queries in (near, far)
    )
    assert with_near.metres_per_unit > with_far.metres_per_unit
    assert (with_near.localizations <= [WIDTH, with_near.height]).all()


def test_queries_of_unknown_position_are_drawn_at_their_localization():
    nan = np.full(2, np.nan)
    queries = queries_at(nan, nan, ([5.0, np.nan], [5.0, np.nan]), [UNJUDGED] * 2)
    (city,) = city_maps(queries, np.zeros(0), np.zeros(0))
    assert city.rows.tolist() == [0]
    nowhere = queries_at(nan, nan, (nan, nan), [UNJUDGED] * 2)
    assert not city_maps(nowhere, np.zeros(1), np.zeros(1))


def test_one_place_is_a_map_too():
    queries = queries_at([7.0] * 3, [7.0] * 3)
    (city,) = city_maps(queries, np.array([7.0]), np.array([7.0]))
    assert np.isfinite(city.places).all()
    assert city.metres_per_unit > 0


def test_thinned_dots_are_few_and_cover_the_same_ground():
    dots = np.random.default_rng(0).uniform(0, 1000, (50_000, 2))
    kept = thin_out(dots, 2_000)
    assert 500 < len(kept) <= 2_000
    assert len(np.unique(kept, axis=0)) == len(kept)
    np.testing.assert_allclose(kept.min(axis=0), 0, atol=40)
    np.testing.assert_allclose(kept.max(axis=0), 1000, atol=40)
    assert (thin_out(np.array([[3.2, 7.9]])) == [[3, 8]]).all()
