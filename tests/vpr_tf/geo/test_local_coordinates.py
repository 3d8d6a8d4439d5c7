import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpr_tf.evaluation.positives import positives_per_query
from vpr_tf.geo import GeoCircle, Positions, distances_m, ecef

metres = st.floats(-10_000, 10_000).map(lambda value: round(value, 2))
places = st.lists(st.tuples(metres, metres), min_size=1, max_size=8)


def local(found):
    east, north = np.array(found, np.float64).T
    return Positions.from_utm(east, north, np.zeros(len(east)))


@given(places, places)
def test_distances_and_positives_are_those_of_the_plane(queries, database):
    here, there = local(queries), local(database)
    rows = np.tile(np.arange(len(there)), (len(here), 1))
    expected = np.linalg.norm(here.utm_cm[:, None] - there.utm_cm[None], axis=2) / 100
    np.testing.assert_allclose(distances_m(here, there, rows), expected)
    for positives, row in zip(
        positives_per_query(here, there, 25.0), expected, strict=True
    ):
        assert positives.tolist() == np.flatnonzero(row <= 25.0).tolist()


def test_latitude_and_longitude_are_unknown_and_the_position_is_known():
    positions = local([(0.0, 0.0), (1.0, 2.0)])
    assert positions.known.tolist() == positions.is_local.tolist() == [True, True]
    assert np.isnan([positions.latitude_deg, positions.longitude_deg]).all()
    points = ecef.from_positions(positions)
    assert points.tolist() == [[0, 0, 0], [1, 2, 0]]
    assert [values.tolist()[1] for values in ecef.to_positions(points, True)[2:]] == [
        1.0,
        2.0,
        0,
    ]


def test_unknown_positions_stay_unknown():
    zeros = np.zeros(1)
    unknown = Positions(*(zeros.astype(int),) * 2, np.zeros(1, np.int16), zeros, zeros)
    assert not unknown.known.any()
    assert np.isnan(distances_m(local([(0, 0)]), unknown, np.zeros((1, 1), int)))
    assert positives_per_query(local([(0, 0)]), unknown, 25.0)[0].tolist() == []


def test_what_needs_degrees_is_refused():
    positions = local([(0.0, 0.0)])
    with pytest.raises(ValueError, match=r"circle .* needs latitude and longitude"):
        GeoCircle(37.7, -122.5, 100.0).rows(positions)
    utm = Positions.from_lat_lon([37.7], [-122.5])
    for first, second in ((positions, utm), (utm, positions)):
        with pytest.raises(ValueError, match="cannot be compared"):
            first.refuse_mixture(second)
        with pytest.raises(ValueError, match="cannot be compared"):
            positives_per_query(first, second, 25.0)
        assert np.isnan(distances_m(first, second, np.zeros((1, 1), int)))
    with pytest.raises(ValueError, match="cannot be compared"):
        utm.projected_to(0)
