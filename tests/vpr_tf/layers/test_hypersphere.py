import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpr_tf.layers import hypersphere_to_place, place_to_hypersphere

EXTENT_M = 20_000.0
metres = st.floats(-EXTENT_M / 2, EXTENT_M / 2)
namespaces = pytest.mark.parametrize("xp", [np, keras.ops])


def places_of(east_m, north_m, heading_deg):
    heading = np.radians(heading_deg)
    return np.stack([east_m, north_m, np.sin(heading), np.cos(heading)], axis=-1)


def check_round_trip(places, points, xp):
    found = np.asarray(hypersphere_to_place(points.astype("float32"), EXTENT_M, xp=xp))
    assert found.dtype == "float32"
    errors_m = np.linalg.norm(found[..., :2] - places[..., :2], axis=-1)
    sine = found[..., 2] * places[..., 3] - found[..., 3] * places[..., 2]
    cosine = np.sum(found[..., 2:] * places[..., 2:], axis=-1)
    errors_deg = np.degrees(np.abs(np.arctan2(sine, cosine)))
    assert errors_m.max() < 1
    assert errors_deg.max() < 0.1


@namespaces
@settings(max_examples=50)
@given(metres, metres, st.floats(-360, 360))
def test_places_return_from_float32_outputs(xp, east_m, north_m, heading_deg):
    places = places_of(east_m, north_m, heading_deg)
    points = place_to_hypersphere(places, EXTENT_M)
    np.testing.assert_allclose(np.linalg.norm(points), 1, rtol=1e-12)
    check_round_trip(places, points, xp)


@settings(max_examples=50)
@given(metres, metres, st.floats(-360, 360), st.floats(0.01, 100))
def test_length_of_an_output_does_not_matter(east_m, north_m, heading_deg, length):
    places = places_of(east_m, north_m, heading_deg)
    check_round_trip(places, length * place_to_hypersphere(places, EXTENT_M), np)


@namespaces
def test_float32_keeps_millimetres_also_in_the_forward_direction(xp):
    rng = np.random.default_rng(0)
    positions = rng.uniform(-EXTENT_M / 2, EXTENT_M / 2, (2, 10_000))
    positions[:, :4] = EXTENT_M / 2 * np.array([[1, 1, -1, -1], [1, -1, 1, -1]])
    places = places_of(*positions, rng.uniform(0, 360, 10_000)).astype("float32")
    points = np.asarray(place_to_hypersphere(places, EXTENT_M, xp=xp))
    assert points.dtype == "float32"
    found = np.asarray(hypersphere_to_place(points, EXTENT_M, xp=xp))
    np.testing.assert_allclose(found[:, :2], places[:, :2], atol=0.02)
    np.testing.assert_allclose(found[:, 2:], places[:, 2:], atol=2e-6)


def test_points_of_known_places():
    half = 1 / np.sqrt(2)
    points = place_to_hypersphere(
        places_of([0, 0, 5000, 0], [0, 0, 0, 5000], [0, 90, 0, 0]), 10_000
    )
    expected = [[0, 0, 0, 1], [0, 0, 1, 0], [half, 0, 0, half], [0, half, 0, half]]
    np.testing.assert_allclose(points, expected, atol=1e-12)


@pytest.mark.parametrize("angles_deg", [(15.0, 45.0), (44.9, 45.1)])
def test_other_angles_are_those_of_the_edges(angles_deg):
    corners = places_of([-50.0, 50, 0], [-50.0, 50, 0], [0, 90, 200])
    points = place_to_hypersphere(corners, 100.0, np, angles_deg)
    middle = np.mean(angles_deg)
    sines = np.sin(np.radians([*angles_deg, middle]))
    np.testing.assert_allclose(points[:, 0], sines, atol=1e-12)
    found = hypersphere_to_place(points, 100.0, np, angles_deg)
    np.testing.assert_allclose(found, corners, atol=1e-6)


def test_positions_beyond_the_map_move_to_its_edge():
    beyond = places_of([9e9, 3], [3, -9e9], [30, 60])
    edge = places_of([50, 3], [3, -50], [30, 60])
    np.testing.assert_array_equal(
        place_to_hypersphere(beyond, 100.0), place_to_hypersphere(edge, 100.0)
    )


def test_outputs_without_heading_give_finite_places():
    places = hypersphere_to_place(np.array([[1.0, 0, 0, 0], [0.0, 0, 0, 0]]), 100.0)
    np.testing.assert_allclose(places, [[100, 0, 0, 1], [0, 0, 0, 1]])
