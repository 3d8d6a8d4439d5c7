import numpy as np

from data_prep.synthesize.ray_casting import FAR_M, cast_rays
from data_prep.synthesize.scene import Walls


def make_walls(segments):
    """Walls from (start, end) pairs, left to right as seen from outside."""
    start = np.array([segment[0] for segment in segments], np.float32)
    edge = np.array([segment[1] for segment in segments], np.float32) - start
    normal = np.stack([edge[:, 1], -edge[:, 0]], axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    count = len(segments)
    return Walls(start, edge, normal, np.zeros(count, np.int32), np.full(count, np.inf))


def rays_at(*azimuths_deg):
    azimuths = np.deg2rad(np.array(azimuths_deg, np.float32))
    return np.stack([np.sin(azimuths), np.cos(azimuths)]).astype(np.float32)


def test_cast_rays_distance_and_place_on_a_wall_to_the_north():
    walls = make_walls([((-4.0, 10.0), (4.0, 10.0))])
    hits = cast_rays(walls, np.zeros(2), rays_at(0.0, 15.0, 90.0))
    np.testing.assert_allclose(hits.distance[0, :2], [10, 10 / np.cos(0.2617994)], 1e-5)
    np.testing.assert_allclose(hits.along[0, :2], [0.5, 0.5 + 2.679492 / 8], rtol=1e-5)
    assert hits.distance[0, 2] == FAR_M
    assert np.all(hits.distance[1:] == FAR_M)


def test_cast_rays_ignores_walls_seen_from_behind():
    walls = make_walls([((4.0, 10.0), (-4.0, 10.0))])
    assert cast_rays(walls, np.zeros(2), rays_at(0.0)).distance[0, 0] == FAR_M


def test_cast_rays_orders_layers_by_distance():
    walls = make_walls([((-4.0, y), (4.0, y)) for y in (30.0, 10.0, 20.0, 40.0)])
    hits = cast_rays(walls, np.zeros(2), rays_at(0.0))
    np.testing.assert_array_equal(hits.wall[:, 0], [1, 2, 0])
    np.testing.assert_allclose(hits.distance[:, 0], [10, 20, 30], rtol=1e-6)


def test_cast_rays_equals_solving_each_pair():
    rng = np.random.default_rng(0)
    middle = rng.uniform(-60, 60, (40, 2))
    reach = rng.uniform(-8, 8, (40, 2))
    walls = make_walls(list(zip(middle - reach, middle + reach, strict=True)))
    rays = rays_at(*rng.uniform(0, 360, 50))
    hits = cast_rays(walls, np.zeros(2), rays)
    for column in range(50):
        nearest = FAR_M
        for start, edge, normal in zip(
            walls.start, walls.edge, walls.normal, strict=True
        ):
            if start @ normal >= 0:
                continue
            matrix = np.stack([rays[:, column], -edge], axis=1).astype(np.float64)
            distance, along = np.linalg.solve(matrix, start)
            if 0 <= along < 1 and distance > 0.2:
                nearest = min(nearest, distance)
        np.testing.assert_allclose(hits.distance[0, column], nearest, rtol=1e-3)
