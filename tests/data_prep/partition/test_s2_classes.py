import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.errors import DataPrepError
from data_prep.partition.assignment import assign_classes
from vpr_tf.config import (
    ConfigError,
    HierarchicalConfig,
    PartitionConfig,
    PlanetConfig,
)
from vpr_tf.geo import lat_lon_to_utm
from vpr_tf.geo.s2_cells import (
    first_leaves,
    last_leaves,
    leaf_cells,
    parent_cells,
)

METHODS = ("planet", "hierarchical", "combinatorial")
SMALL_MAP = {
    "max_images_per_class": 6,
    "max_images_per_level": [20, 9, 4],
    "num_classes": 4,
    "min_images_per_class": 2,
}


def to_columns(latitude, longitude):
    latitude_e7, longitude_e7 = (
        np.rint(np.asarray(degrees) * 1e7).astype(np.int64)
        for degrees in (latitude, longitude)
    )
    east, north, zone = lat_lon_to_utm(latitude_e7 / 1e7, longitude_e7 / 1e7)
    east_cm, north_cm = (np.rint(m * 100).astype(np.int64) for m in (east, north))
    return east_cm, north_cm, zone, latitude_e7, longitude_e7


def assign(columns, method, piece=37, **parameters):
    config = PartitionConfig.from_parameters(
        {"method": method, **SMALL_MAP, **parameters}
    )

    def read_columns():
        for start in range(0, len(columns[0]), piece):
            yield tuple(column[start : start + piece] for column in columns)

    return assign_classes(read_columns, config)


def leaves_of(columns):
    return leaf_cells(columns[3] / 1e7, columns[4] / 1e7)


def groups_of(result):
    """Class of every row in every group, (rows, groups), from the CSR lists."""
    num_groups = result.classes["group_id"][-1] + 1
    table = np.full((len(result.class_ids), num_groups), -1)
    for class_id, group in enumerate(result.classes["group_id"]):
        first, last = result.class_offsets[class_id : class_id + 2]
        rows = result.record_ids[first:last]
        assert np.all(np.diff(rows) > 0)
        assert np.all(table[rows, group] == -1), "an image is in one class of a group"
        table[rows, group] = class_id
    return table


@st.composite
def towns(draw):
    """Places of a small town on a street grid, several images at many of them."""
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    num_places = draw(st.integers(12, 60))
    north, east = rng.integers(0, 9, (2, num_places)) * 20
    order = rng.permutation(np.repeat(np.arange(num_places), rng.integers(1, 6)))
    # Around zone border and equator in some of them.
    latitude, longitude = draw(st.sampled_from([(47.4, 8.5), (-0.0009, 5.9992)]))
    return to_columns(latitude + north[order] / 111e3, longitude + east[order] / 111e3)


@settings(deadline=None, max_examples=15)
@given(towns(), st.sampled_from(METHODS))
def test_regions_hold_exactly_the_images_of_their_classes(columns, method):
    result = assign(columns, method)
    of_rows = groups_of(result)
    leaves = leaves_of(columns)
    groups = result.classes["group_id"]
    assert np.array_equal(of_rows[:, 0], result.class_ids)
    assert np.all(np.diff(groups) >= 0)
    assert np.array_equal(np.diff(result.class_offsets), result.classes["num_images"])
    assert np.all(result.classes["num_images"] >= 2)
    assert result.num_images == np.count_nonzero((of_rows >= 0).any(axis=1))
    order = np.lexsort(
        (result.regions["first_leaf"], groups[result.regions["class_id"]])
    )
    assert np.array_equal(order, np.arange(len(order)))
    for group in range(groups[-1] + 1):
        regions = result.regions[groups[result.regions["class_id"]] == group]
        assert set(regions["class_id"]) == set(np.flatnonzero(groups == group))
        assert np.all(regions["first_leaf"] <= regions["last_leaf"])
        assert np.all(regions["last_leaf"][:-1] < regions["first_leaf"][1:])
        for row, leaf in enumerate(leaves):
            inside = (regions["first_leaf"] <= leaf) & (leaf <= regions["last_leaf"])
            classes = regions["class_id"][inside].tolist()
            if method == "hierarchical" and of_rows[row, 0] < 0:
                continue  # its fine cell was dropped, its coarse cell was not
            assert classes == [c for c in [of_rows[row, group]] if c >= 0]


@settings(deadline=None, max_examples=10)
@given(towns(), st.sampled_from(METHODS))
def test_centres_are_the_mean_positions(columns, method):
    result = assign(columns, method)
    for class_id, row in enumerate(result.classes):
        first, last = result.class_offsets[class_id : class_id + 2]
        members = result.record_ids[first:last]
        zones, counts = np.unique(columns[2][members], return_counts=True)
        assert row["utm_zone"] in zones[counts == counts.max()]
        if len(zones) == 1:
            east_m, north_m = columns[0][members] / 100, columns[1][members] / 100
            assert row["centre_east_m"] == pytest.approx(east_m.mean(), abs=1e-6)
            assert row["centre_north_m"] == pytest.approx(north_m.mean(), abs=1e-6)
            assert row["cell_east_m"] == np.floor(east_m.min())
            assert row["cell_north_m"] == np.floor(north_m.min())


def test_a_class_across_a_zone_border_has_its_centre_in_the_zone_of_most():
    latitude = np.full(5, 47.4)
    longitude = np.array([5.9999, 5.9999, 6.0001, 6.0001, 6.0001])
    columns = to_columns(latitude, longitude)
    assert set(columns[2]) == {31, 32}
    result = assign(columns, "planet", max_images_per_class=5)
    assert result.classes["utm_zone"].tolist() == [32]
    east, _, _ = lat_lon_to_utm(47.4, 6.0001)
    expected = float(east) - 0.4 * 0.0002 * 111_320 * np.cos(np.radians(47.4))
    assert result.classes["centre_east_m"][0] == pytest.approx(expected, abs=0.1)


@settings(deadline=None, max_examples=15)
@given(towns(), st.integers(1, 3), st.integers(3, 9), st.integers(10, 21))
def test_planet_cells_have_as_many_images_as_asked(columns, minimum, maximum, level):
    limits = {"min_images_per_class": minimum, "max_images_per_class": maximum}
    result = assign(columns, "planet", s2_max_level=level, **limits)
    leaves = leaves_of(columns)
    size = result.regions["last_leaf"] - result.regions["first_leaf"]
    is_finest = size == 2 * (4 ** (30 - level) - 1)
    assert np.all(size >= 2 * (4 ** (30 - level) - 1))
    counts = result.classes["num_images"][result.regions["class_id"]]
    assert np.all((counts <= maximum) | is_finest)
    assert np.all(counts >= minimum)
    # No cell was split without need: four brothers hold too many.
    cells = result.regions["first_leaf"] + size // 2
    for cell, region in zip(cells, size, strict=True):
        step = np.uint64((int(region) + 2) // 2 * 4)
        parent = (cell & ~(step - np.uint64(1))) | step
        inside = (leaves >= first_leaves(parent)) & (leaves <= last_leaves(parent))
        assert np.count_nonzero(inside) > maximum


@settings(deadline=None, max_examples=15)
@given(towns())
def test_hierarchical_cells_are_nested_and_images_have_all_or_none(columns):
    result = assign(columns, "hierarchical")
    of_rows = groups_of(result)
    assert of_rows.shape[1] == 3
    has_class = of_rows >= 0
    assert np.array_equal(has_class.any(axis=1), has_class.all(axis=1))
    regions, groups = result.regions, result.classes["group_id"]
    for group in (1, 2):
        fine, coarse = (
            regions[groups[regions["class_id"]] == number]
            for number in (group, group - 1)
        )
        outer = np.searchsorted(coarse["first_leaf"], fine["first_leaf"], "right") - 1
        assert np.all(fine["last_leaf"] <= coarse["last_leaf"][outer])
    for group, maximum in enumerate([20, 9, 4]):
        is_finest = regions["last_leaf"] - regions["first_leaf"] == 2 * (4**10 - 1)
        finest_classes = regions["class_id"][is_finest]
        large = np.flatnonzero(
            (groups == group) & (result.classes["num_images"] > maximum)
        )
        assert np.all(np.isin(large, finest_classes))


@settings(deadline=None, max_examples=15)
@given(towns(), st.integers(0, 5))
def test_combinatorial_intersections_are_finer_than_each_partition(columns, seed):
    limits = {"num_classes": 4, "min_images_per_class": 1, "s2_base_level": 18}
    result = assign(columns, "combinatorial", seed=seed, **limits)
    of_rows = groups_of(result)
    assert of_rows.shape[1] == 5
    assert np.all(of_rows >= 0)
    base = parent_cells(leaves_of(columns), 18)
    intersections = len(np.unique(of_rows, axis=0))
    assert intersections <= len(np.unique(base))
    for group in range(5):
        assert len(np.unique(of_rows[:, group])) <= intersections
        # A base cell is never divided.
        pairs = np.unique(np.stack([base, of_rows[:, group].astype(np.uint64)]), axis=1)
        assert len(pairs[0]) == len(np.unique(base))
    borders = {tuple(of_rows[:, group] - of_rows[:, group].min()) for group in range(5)}
    assert len(borders) > 1
    assert intersections > 4


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_bytes_in_any_order_of_rows(method):
    rng = np.random.default_rng(3)
    north, east = rng.integers(0, 8, (2, 200)) * 20 / 111e3
    columns = to_columns(47.4 + north, 8.5 + east)
    one, again = assign(columns, method), assign(columns, method, piece=200)
    for name in ("classes", "class_offsets", "record_ids", "regions"):
        assert getattr(one, name).tobytes() == getattr(again, name).tobytes()
    order = rng.permutation(200)
    permuted = assign(tuple(column[order] for column in columns), method)
    assert permuted.regions.tobytes() == one.regions.tobytes()
    assert np.array_equal(permuted.class_ids, one.class_ids[order])
    if method == "combinatorial":
        other = assign(columns, method, seed=1)
        assert other.regions.tobytes() != one.regions.tobytes()


@pytest.mark.parametrize("method", METHODS)
def test_no_class_with_enough_images_is_an_error(method):
    columns = to_columns(47.4 + np.arange(8) / 1000, np.full(8, 8.5))
    limits = {"max_images_per_class": 99, "max_images_per_level": [101, 100, 99]}
    with pytest.raises(DataPrepError, match=r"largest has \d, but .* is 99"):
        assign(columns, method, min_images_per_class=99, **limits)


def test_rows_and_enough_cells_are_needed():
    empty = to_columns(np.zeros(0), np.zeros(0))
    with pytest.raises(DataPrepError, match="no train images"):
        assign(empty, "planet")
    columns = to_columns(np.full(9, 47.4), np.full(9, 8.5))
    with pytest.raises(DataPrepError, match="Only 1 S2 cells of level 19"):
        assign(columns, "combinatorial")


def test_maxima_that_contradict_are_refused():
    with pytest.raises(ConfigError, match="max_images_per_class` must be 10 or more"):
        PlanetConfig(max_images_per_class=9)
    for levels in ([5, 4], [100, 100, 50], [10, 20, 30], [100, 50, 9]):
        with pytest.raises(ConfigError, match=r"max_images_per_level.*Received"):
            HierarchicalConfig(max_images_per_level=levels)
