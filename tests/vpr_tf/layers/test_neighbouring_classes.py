import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from vpr_tf.layers.neighbouring_classes import NeighbouringClasses


def targets(neighbours, places, num_classes):
    """Soft labels as a full matrix, `(batch, num_classes)`."""
    places = np.asarray(places, "float32")
    classes, weights = (np.asarray(part) for part in neighbours(places))
    matrix = np.zeros((len(places), num_classes))
    np.add.at(matrix, (np.arange(len(places))[:, None], classes), weights)
    return matrix


def place(east_m, north_m, heading_deg=None):
    if heading_deg is None:
        return [east_m, north_m, 0, 0]
    heading = np.radians(heading_deg)
    return [east_m, north_m, np.sin(heading), np.cos(heading)]


def oracle(places, centres, size_m, headings=None, heading_size=None, spread=True):
    """Every class tried, in float64."""
    rows = []
    for east, north, sine, cosine in np.asarray(places, "float64"):
        own = np.floor((np.array([east, north]) - centres[0]) / size_m + 0.5)
        weights = np.zeros(len(centres))
        for index, centre in enumerate(centres):
            cell = np.rint((centre - centres[0]) / size_m)
            if np.abs(cell - own).max() <= 1:
                distance = np.hypot(*(centre - [east, north])) / size_m
                weights[index] = 1 / max(distance, 1e-3)
            if headings is not None and (sine or cosine):
                turn = np.degrees(np.arctan2(sine, cosine)) - headings[index]
                angle = abs((turn + 180) % 360 - 180) / heading_size
                if spread:
                    weights[index] *= 1 / max(angle, 1e-3) if angle < 1.5 else 0
                else:
                    weights[index] *= angle < 0.5
        rows.append(weights / max(weights.sum(), 1e-12))
    return np.array(rows)


def random_grid(num_classes=60, size_m=20.0, num_bins=1, seed=0):
    """Some of the cells and bins of a grid far from the middle of the map."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(100 * num_bins, num_classes, replace=False)
    cells, bins = np.divmod(chosen, num_bins)
    centres = size_m * np.stack(np.divmod(cells, 10), axis=1) + [-9010.0, 7450.0]
    return centres, (bins + 0.5) * 360 / num_bins


def random_places(centres, size_m=20.0, batch=60, seed=1):
    rng = np.random.default_rng(seed)
    low, high = centres.min(axis=0) - 1.4 * size_m, centres.max(axis=0) + 1.4 * size_m
    positions = rng.uniform(low, high, (batch, 2)).astype("float32")
    return [place(*position, rng.uniform(0, 360)) for position in positions]


def test_shares_equal_numpy():
    centres, _ = random_grid()
    places = random_places(centres)
    found = targets(NeighbouringClasses(centres, 20.0), places, 60)
    np.testing.assert_allclose(found, oracle(places, centres, 20.0), atol=2e-3)
    np.testing.assert_allclose(found.sum(axis=1).max(), 1, rtol=1e-5)


@pytest.mark.parametrize("spread", [False, True])
def test_shares_with_headings_equal_numpy(spread):
    centres, headings = random_grid(200, num_bins=6)
    places = random_places(centres)
    neighbours = NeighbouringClasses(centres, 20.0, headings, 60.0, spread)
    found = targets(neighbours, places, 200)
    expected = oracle(places, centres, 20.0, headings, 60.0, spread)
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_shares_by_hand():
    centres = [[-10, 0], [10, 0], [50, 0]]
    neighbours = NeighbouringClasses(centres, 20.0)
    places = [place(5, 0), place(10, 0), place(50, 0), place(90, 0), place(-1e6, 3e6)]
    np.testing.assert_allclose(
        targets(neighbours, places, 3),
        [[0.25, 0.75, 0], [0.001, 0.999, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]],
        atol=2e-4,
    )


@given(st.sampled_from([15, 30, 45, 60, 90, 360]), st.integers(0, 35999))
def test_headings_stay_in_the_bin_that_the_partition_gives(size, heading_cdeg):
    # Bins begin at multiples of their width, where most photos of SF-XL look.
    middles = np.arange(0, 360, size) + size / 2
    neighbours = NeighbouringClasses(
        np.zeros((len(middles), 2)), 20.0, middles, float(size)
    )
    places = [place(3, 4, heading_cdeg / 100), place(3, 4, 360 + heading_cdeg / 100)]
    found = targets(
        tf.function(neighbours), tf.constant(places, "float32"), 360 // size
    )
    expected = np.eye(len(middles))[heading_cdeg // (100 * size)]
    np.testing.assert_allclose(found, [expected, expected], atol=1e-6)


def test_space_is_shared_in_the_own_bin_only():
    centres = np.repeat([[-10.0, 0.0], [10.0, 0.0]], 3, axis=0)
    headings = np.tile([15.0, 45.0, 75.0], 2)
    neighbours = NeighbouringClasses(centres, 20.0, headings, 30.0)
    found = targets(neighbours, [place(5, 0, 30), place(5, 0, 59.99)], 6)
    np.testing.assert_allclose(found, [[0, 0.25, 0, 0, 0.75, 0]] * 2, atol=1e-5)


def test_headings_wrap_and_unknown_ones_count_for_every_bin():
    headings = np.arange(15, 360, 30)
    centres = np.zeros((12, 2))
    neighbours = NeighbouringClasses(centres, 20.0, headings, 30.0, True)
    found = targets(neighbours, [place(3, 4, 359), place(3, 4)], 12)
    weights = np.zeros(12)
    weights[[10, 11, 0]] = 1 / 44, 1 / 14, 1 / 16
    np.testing.assert_allclose(found[0], weights / weights.sum(), rtol=1e-4)
    np.testing.assert_allclose(found[1], np.full(12, 1 / 12), rtol=1e-5)


def test_large_maps_take_no_memory():
    # 1e11 cells between two towns.
    centres = np.array([[-3e6, -3e6], [3e6, 3e6]])
    neighbours = NeighbouringClasses(centres, 20.0)
    places = [place(*centres[1]), place(*centres[0])]
    np.testing.assert_allclose(targets(neighbours, places, 2), [[0, 1], [1, 0]])


def test_invalid_arguments():
    grid = [[0, 0], [20, 0]]
    with pytest.raises(ValueError, match=r"must lie on a grid.*\[27.0, 0.0\]"):
        NeighbouringClasses([[0, 0], [27, 0]], 20.0)
    with pytest.raises(ValueError, match=r"2 classes, 1 different"):
        NeighbouringClasses([[0, 0], [0, 0]], 20.0)
    with pytest.raises(ValueError, match=r"shape \(num_classes, 2\).*\(3,\)"):
        NeighbouringClasses([1, 2, 3], 20.0)
    with pytest.raises(ValueError, match="must be finite"):
        NeighbouringClasses([[0, np.nan]], 20.0)
    with pytest.raises(ValueError, match=r"`cell_size_m` must be positive.*=-1"):
        NeighbouringClasses(grid, -1)
    with pytest.raises(ValueError, match=r"go together.*=30 without"):
        NeighbouringClasses(grid, 20.0, None, 30)
    with pytest.raises(ValueError, match=r"one value for each class.*\(1,\)"):
        NeighbouringClasses(grid, 20.0, [15], 30)
    with pytest.raises(ValueError, match=r"multiples of `heading_size_deg`.*: 30\.0 "):
        NeighbouringClasses(grid, 20.0, [15, 30], 30)
