import numpy as np

from tests.keras_testing import run_layer_test
from vpr_tf.layers import EqualEarthProjection


def test_layer_basics():
    run_layer_test(
        EqualEarthProjection,
        {},
        input_shape=(3, 2),
        expected_output_shape=(3, 2),
        supports_masking=False,
    )


def test_areas_are_equal():
    """A cell of a degree covers the same share of the map as of the globe."""
    south_west = np.array([(0, 0), (45.07, 7.69), (-54.8, 170), (80, -120)], "f8")
    steps = [(0, 0), (0, 0.01), (0.01, 0)]
    corners = [south_west + np.array(step) for step in steps]
    layer = EqualEarthProjection(dtype="float64")
    origin, east, north = (layer(corner).numpy() for corner in corners)
    east, north = east - origin, north - origin
    areas = east[:, 0] * north[:, 1] - east[:, 1] * north[:, 0]
    on_globe = np.cos(np.deg2rad(south_west[:, 0] + 0.005))
    np.testing.assert_allclose(areas / areas[0], on_globe / on_globe[0], rtol=1e-3)


def test_the_date_line_lies_at_1():
    layer = EqualEarthProjection()
    points = np.array([(0, 180), (0, -180), (0, 0)], "float32")
    expected = [(1, 0), (-1, 0), (0, 0)]
    np.testing.assert_allclose(layer(points), expected, atol=1e-5)
