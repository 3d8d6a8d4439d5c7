import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.errors import DataPrepError
from data_prep.partition import grid
from data_prep.partition.assignment import assign_classes
from vpr_tf.config import PARTITIONS, load_config
from vpr_tf.photos import parse_image_name

CONFIGS = Path(__file__).parents[3] / "configs"
GOLDEN = {
    "sf_xs_dark_train": [(10, 30, 1, 1, 1), (10, 30, 5, 2, 10)],
    "sf_xs_val_database": [(10, 30, 5, 2, 1), (20, 60, 2, 2, 2), (50, 90, 3, 2, 2)],
}


def columns_of(names: list[str]):
    table = [parse_image_name(name) for name in names]
    return (
        np.array([row.utm_east_cm for row in table]),
        np.array([row.utm_north_cm for row in table]),
        np.array([row.utm_zone for row in table], np.int16),
        np.array([row.heading_deg for row in table], np.float32),
    )


def assign(columns, piece: int = 1000, **parameters):
    config = PARTITIONS.create(**{"min_images_per_class": 1, **parameters})
    num_rows = len(columns[0])

    def read_columns():
        for start in range(0, num_rows, piece):
            yield tuple(column[start : start + piece] for column in columns)

    return assign_classes(read_columns, config)


# Of a result's classes, in the order of the columns of official values.
CLASS_COLUMNS = (
    "cell_east_m",
    "cell_north_m",
    "heading_bin_deg",
    "group_east",
    "group_north",
    "group_heading",
)
AXES = ("east", "north", "heading")


@pytest.mark.parametrize(
    ("name", "group_order", "parameters"),
    [
        ("partition_first_images", "first_seen", (10, 30, 5, 2, 1)),
        ("partition_first_images", "canonical", (10, 30, 5, 2, 1)),
        ("partition_classes", "canonical", (20, 60, 2, 2, 2)),
    ],
)
def test_equal_to_official_classes(official_values, name, group_order, parameters):
    table = official_values[name]
    size, alpha, stride, heading_stride, minimum = parameters
    zones = np.full(len(table), 10, np.int16)
    east_cm, north_cm, heading = table.T[:3]
    result = assign(
        (east_cm.astype(np.int64), north_cm, zones, heading.astype(np.float32)),
        cell_size_m=size,
        heading_bin_deg=alpha,
        cell_stride=stride,
        heading_stride=heading_stride,
        min_images_per_class=minimum,
        group_order=group_order,
        heading_360="own_bin",
    )
    columns = CLASS_COLUMNS
    if group_order == "first_seen":
        columns = (*columns, "group_id")
    expected = table[:, 3 : 3 + len(columns)]
    kept = expected[:, 0] >= 0
    np.testing.assert_array_equal(result.class_ids >= 0, kept)
    found = result.classes[result.class_ids[kept]]
    received = np.stack([found[column] for column in columns], axis=1)
    np.testing.assert_array_equal(received, expected[kept])


def image_names(shared_dir: Path, source: str) -> list[str]:
    if source == "sf_xs_dark_train":
        folder = shared_dir / "data" / "sf_xs_dark" / "train"
        return sorted(path.name for path in folder.iterdir())
    table = shared_dir / "data" / "coordinates" / f"{source}.csv.gz"
    return sorted(gzip.decompress(table.read_bytes()).decode().split())


@pytest.mark.parametrize("group_order", ["canonical", "first_seen"])
@pytest.mark.parametrize(
    ("source", "parameters"),
    [(source, row) for source, rows in GOLDEN.items() for row in rows],
)
def test_equal_to_official_partition(
    shared_dir, golden_dir, source, parameters, group_order
):
    size, alpha, stride, heading_stride, minimum = parameters
    file = (
        f"partition_{source}_M{size}_alpha{alpha}_N{stride}_L{heading_stride}"
        f"_min{minimum}.csv.gz"
    )
    with gzip.open(golden_dir / file, "rt") as text:
        expected = {row["name"]: row for row in csv.DictReader(text)}
    names = image_names(shared_dir, source)
    result = assign(
        columns_of(names),
        cell_size_m=size,
        heading_bin_deg=alpha,
        cell_stride=stride,
        heading_stride=heading_stride,
        min_images_per_class=minimum,
        group_order=group_order,
        heading_360="own_bin",
    )
    kept = {name for name, id_ in zip(names, result.class_ids, strict=True) if id_ >= 0}
    assert kept == expected.keys()
    official = [f"{of}_{axis}" for of in ("class", "group") for axis in AXES]
    pairs = tuple(zip(official, CLASS_COLUMNS, strict=True))
    for name, class_id in zip(names, result.class_ids, strict=True):
        if class_id >= 0:
            row, found = expected[name], result.classes[class_id]
            assert [int(row[a]) for a, _ in pairs] == [int(found[b]) for _, b in pairs]
            if group_order == "first_seen":
                assert int(row["first_seen_group"]) == found["group_id"]


@pytest.mark.parametrize("encoder", ["resnet18", "resnet50"])
def test_the_configs_of_sf_xl_make_the_official_classes_and_groups(
    shared_dir, golden_dir, encoder
):
    file = "partition_sf_xs_val_database_M10_alpha30_N5_L2_min1.csv.gz"
    with gzip.open(golden_dir / file, "rt") as text:
        expected = {row["name"]: row for row in csv.DictReader(text)}
    config = load_config(CONFIGS / f"cosplace_{encoder}_sf_xl.yaml")
    parameters = config.build.partition.parameters() | {"min_images_per_class": 1}
    names = image_names(shared_dir, "sf_xs_val_database")
    result = assign(columns_of(names), **parameters)
    classes = result.classes[result.class_ids]
    for column, official in (
        ("heading_bin_deg", "class_heading"),
        ("group_id", "first_seen_group"),
    ):
        found = classes[column].tolist()
        assert found == [int(expected[name][official]) for name in names]


def test_heading_360_is_0_and_the_rest_equals_the_official_partition(
    shared_dir, golden_dir
):
    file = "partition_sf_xs_val_database_M10_alpha30_N5_L2_min1.csv.gz"
    with gzip.open(golden_dir / file, "rt") as text:
        expected = {
            row["name"]: int(row["class_heading"]) for row in csv.DictReader(text)
        }
    names = image_names(shared_dir, "sf_xs_val_database")
    result = assign(columns_of(names))
    bins = result.classes["heading_bin_deg"][result.class_ids]
    assert 360 in expected.values()
    assert [expected[name] % 360 for name in names] == bins.tolist()


def rows(max_rows=120):
    """Rows of a small place that crosses zero, in two zones."""
    centimetres = st.integers(-9_000, 9_000)
    heading = st.one_of(st.just(-1.0), st.just(360.0), st.floats(0, 359.75, width=16))
    row = st.tuples(centimetres, centimetres, st.sampled_from([10, -10]), heading)
    return st.lists(row, min_size=1, max_size=max_rows)


def to_columns(table):
    east, north, zone, heading = zip(*table, strict=True)
    return (
        np.array(east),
        np.array(north),
        np.array(zone, np.int16),
        np.array(heading, np.float32),
    )


strides = st.sampled_from([1, 2, 3])
bins_and_strides = st.sampled_from([(30, 1), (30, 2), (60, 2), (90, 2), (45, 4)])


@settings(deadline=None, max_examples=60)
@given(rows(), st.sampled_from([10, 7]), strides, bins_and_strides, st.integers(1, 3))
def test_classes_follow_the_rules(table, size, stride, alpha_l, minimum):
    alpha, heading_stride = alpha_l
    columns = to_columns([*table, (0, 0, 10, 5.0), (0, 0, 10, 5.0), (0, 0, 10, 5.0)])
    result = assign(
        columns,
        piece=50,
        cell_size_m=size,
        cell_stride=stride,
        heading_bin_deg=alpha,
        heading_stride=heading_stride,
        min_images_per_class=minimum,
    )
    # An oracle in plain Python.
    members = {}
    for i, (east, north, zone, heading) in enumerate(zip(*columns, strict=True)):
        if heading >= 0:
            key = (zone, east // (100 * size), north // (100 * size))
            key += (int(float(heading) % 360 // alpha),)
            members.setdefault(key, []).append(i)
    kept = {key: ids for key, ids in members.items() if len(ids) >= minimum}
    by_group = sorted(
        kept, key=lambda k: (k[1] % stride, k[2] % stride, k[3] % heading_stride, *k)
    )
    assert len(result.classes) == len(kept)
    for class_id, key in enumerate(by_group):
        first, last = result.class_offsets[class_id : class_id + 2]
        assert result.record_ids[first:last].tolist() == kept[key]
        assert np.all(result.class_ids[kept[key]] == class_id)
        found = result.classes[class_id]
        assert found["utm_zone"] == key[0]
        assert found["cell_east_m"] == key[1] * size
        assert found["num_images"] == len(kept[key]) >= minimum
    assert np.count_nonzero(result.class_ids >= 0) == sum(map(len, kept.values()))
    assert result.num_dropped_classes == len(members) - len(kept)
    groups = result.classes["group_id"]
    assert groups.tolist() == sorted(groups)
    assert set(groups.tolist()) == set(range(groups[-1] + 1))


@settings(deadline=None, max_examples=40)
@given(rows(60), strides, bins_and_strides)
def test_classes_of_a_group_keep_their_distance(table, stride, alpha_l):
    alpha, heading_stride = alpha_l
    size = 10
    result = assign(
        to_columns([*table, (0, 0, 10, 5.0)]),
        cell_stride=stride,
        heading_bin_deg=alpha,
        heading_stride=heading_stride,
    )
    for group in range(result.classes["group_id"][-1] + 1):
        classes = result.classes[result.classes["group_id"] == group]
        for i, one in enumerate(classes):
            for other in classes[:i]:
                if one["utm_zone"] != other["utm_zone"]:
                    continue
                gap_m = max(
                    abs(int(one[axis]) - int(other[axis])) - size
                    for axis in ("cell_east_m", "cell_north_m")
                )
                turn = abs(int(one["heading_bin_deg"]) - int(other["heading_bin_deg"]))
                gap_deg = min(turn, 360 - turn) - alpha
                assert gap_m >= size * (stride - 1) or gap_deg >= alpha * (
                    heading_stride - 1
                )


@settings(deadline=None, max_examples=30)
@given(rows(), st.randoms(use_true_random=False))
def test_canonical_classes_do_not_depend_on_the_order_of_rows(table, random):
    columns = to_columns([*table, (0, 0, 10, 5.0)])
    order = np.array(random.sample(range(len(columns[0])), len(columns[0])))
    result = assign(columns)
    permuted = assign(tuple(column[order] for column in columns))
    assert np.array_equal(result.classes, permuted.classes)
    assert np.array_equal(result.class_ids[order], permuted.class_ids)


@settings(deadline=None, max_examples=30)
@given(rows(), st.integers(1, 2))
def test_sorting_and_counting_give_the_same(table, minimum):
    columns = to_columns([*table, (0, 0, 10, 5.0), (0, 0, 10, 5.0)])
    counted = assign(columns, min_images_per_class=minimum)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            grid,
            "_count",
            lambda keys, _: grid._count_by_sorting(keys),
        )
        sorted_ = assign(columns, min_images_per_class=minimum)
    for name in ("classes", "class_offsets", "record_ids", "class_ids"):
        assert np.array_equal(getattr(counted, name), getattr(sorted_, name)), name


def test_positions_around_the_world_are_assigned_without_a_table():
    east = np.array([16_000_000, 83_000_000] * 3)
    north = np.array([0, 990_000_000] * 3)
    zone = np.array([10, 10, -33, -33, 54, 54], np.int16)
    result = assign((east, north, zone, np.zeros(6, np.float32)), cell_size_m=1)
    assert len(result.classes) == 6
    assert (
        result.classes["cell_east_m"][result.class_ids].tolist()
        == [160_000, 830_000] * 3
    )


def test_first_seen_order_renumbers_groups_by_their_first_image():
    east = np.array([1_500, 500, 1_500, 2_500])  # cells 1, 0, 1, 2
    zeros = np.zeros(4, np.int64)
    zone, heading = np.full(4, 10, np.int16), np.zeros(4, np.float32)
    result = assign(
        (east, zeros, zone, heading), cell_stride=3, group_order="first_seen"
    )
    assert result.classes["group_east"].tolist() == [1, 0, 2]
    assert result.classes["group_id"].tolist() == [0, 1, 2]
    assert result.class_ids.tolist() == [0, 1, 0, 2]
    assert result.record_ids.tolist() == [0, 2, 1, 3]


def test_two_zones_never_share_a_class():
    zeros = np.zeros(4, np.int64)
    zone = np.array([10, -10, 10, 11], np.int16)
    result = assign((zeros, zeros, zone, np.zeros(4, np.float32)))
    assert result.classes["utm_zone"].tolist() == [-10, 10, 11]
    assert result.class_ids.tolist() == [1, 0, 1, 2]


def test_missing_heading_ignored_makes_one_bin():
    zeros = np.zeros(4, np.int64)
    heading = np.array([-1, 0, 180, 359], np.float32)
    columns = (zeros, zeros, np.full(4, 10, np.int16), heading)
    assert assign(columns, missing_heading="ignore").class_ids.tolist() == [0] * 4
    rejected = assign(columns)
    assert rejected.class_ids[0] == -1
    assert rejected.num_without_heading == 1


def test_no_class_with_enough_images_is_an_error():
    zeros = np.zeros(3, np.int64)
    columns = (zeros, zeros, np.full(3, 10, np.int16), np.zeros(3, np.float32))
    with pytest.raises(
        DataPrepError, match=r"largest has 3.*min_images_per_class` is 4"
    ):
        assign(columns, min_images_per_class=4)


def test_impossible_positions_are_an_error():
    east = np.array([0, 10**10] * 2)
    zone = np.array([10, 10, 11, 11], np.int16)
    with pytest.raises(DataPrepError, match="more than can be numbered"):
        assign((east * 40, east * 40, zone, np.zeros(4, np.float32)), cell_size_m=1)


@settings(deadline=None, max_examples=40)
@given(rows(60), strides, st.integers(1, 30))
def test_divide_and_classify_ignores_headings(table, stride, size):
    columns = to_columns([*table, (0, 0, 10, 5.0)])
    result = assign(
        columns, method="divide_and_classify", cell_size_m=size, cell_stride=stride
    )
    east, north, zone, _ = columns
    classes = result.classes
    assert np.all(result.class_ids >= 0)  # also without a heading
    assert result.num_without_heading == 0
    found = classes[result.class_ids]
    assert np.array_equal(found["utm_zone"], zone)
    # The centre and its inverse: the cell of an image is known from the centre alone.
    assert np.array_equal(found["centre_east_m"], (east // (100 * size) + 0.5) * size)
    centre_cell = np.floor(found["centre_north_m"] / size)
    assert np.array_equal(centre_cell, north // (100 * size))
    assert np.all(
        found["num_images"] == np.bincount(result.class_ids)[result.class_ids]
    )
    groups = classes["group_id"]
    assert groups[-1] < stride**2
    for column in ("cell_east_m", "cell_north_m"):
        assert np.all(
            classes[column] // size % stride == classes["group_" + column[5:-2]]
        )
    assert not classes["group_heading"].any()


def test_divide_and_classify_does_not_use_headings():
    columns = to_columns([(0, 0, 10, 5.0), (0, 0, 10, -1.0), (3_000, 0, 10, 200.0)])
    plain = assign(columns, method="divide_and_classify")
    turned = assign((*columns[:3], columns[3] * 0 + 77), method="divide_and_classify")
    assert np.array_equal(plain.classes, turned.classes)
    assert plain.class_ids.tolist() == [0, 0, turned.class_ids[2]]
