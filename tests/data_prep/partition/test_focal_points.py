"""The partition eigenplaces: cells, their focal points and who looks at them."""

import shutil

import numpy as np
import pytest

import data_prep
from data_prep.errors import DataPrepError
from data_prep.partition.assignment import add_partition, assign_classes, summary
from data_prep.partition.focal_points import find_focal_points
from vpr_tf.config import ConfigError, EigenPlacesConfig
from vpr_tf.data import DatasetError, PreparedDataset

SIZE_M = 30
CONFIG = EigenPlacesConfig(
    name="eigen", cell_size_m=SIZE_M, cell_stride=2, min_images_per_class=3
)
PANORAMAS_PER_CELL = 5


def crops(num_cells=6, seed=0, headings_per_panorama=12):
    """Cuts of panoramas along a street to the east, in shuffled order."""
    rng = np.random.default_rng(seed)
    count = num_cells * PANORAMAS_PER_CELL
    east_m = np.arange(count) * SIZE_M / PANORAMAS_PER_CELL + rng.uniform(1, 5, count)
    north_m = 15 + rng.normal(0, 0.5, count)
    steps = np.arange(headings_per_panorama) * 360 / headings_per_panorama
    heading = (rng.uniform(0, 30, count)[:, None] + steps) % 360
    order = rng.permutation(count * headings_per_panorama)
    columns = (
        np.rint((600_000 + np.repeat(east_m, headings_per_panorama)) * 100),
        np.rint((4_200_000 + np.repeat(north_m, headings_per_panorama)) * 100),
        np.full(len(order), 10),
        heading.ravel(),
    )
    types = (np.int64, np.int64, np.int16, np.float32)
    return tuple(c[order].astype(t) for c, t in zip(columns, types, strict=True))


def assign(columns, config=CONFIG):
    def read_columns():
        for start in range(0, len(columns[0]), 50):
            yield tuple(column[start : start + 50] for column in columns)

    return assign_classes(read_columns, config)


def rows_of_class(assignment, class_id):
    first, last = assignment.class_offsets[class_id : class_id + 2]
    return assignment.record_ids[first:last]


def test_equal_to_official_classes_and_focal_points(golden_dir):
    golden = np.load(golden_dir / "research" / "eigenplaces_M60_N3_min5.npz")
    utm = golden["utm"]
    zone = np.full(len(utm), 18, np.int16)
    columns = (*np.rint(utm.T * 100).astype(np.int64), zone, golden["yaw_deg"])
    config = EigenPlacesConfig(cell_size_m=60, largest_turn_deg=180.0)
    found = assign(columns, config)
    classes = found.classes
    names = ("group_east", "group_north", "cell_east_m", "cell_north_m")
    order = np.lexsort([*golden["class_east_north"].T[::-1], *golden["group"].T[::-1]])
    expected = np.column_stack([golden["group"], golden["class_east_north"]])[order]
    for view, angle in enumerate((0, 90)):
        rows = classes["group_heading"] == view
        mine = np.column_stack([classes[rows][name] for name in names])
        np.testing.assert_array_equal(mine, expected)
        points = golden[f"focal_point_10m_angle{angle}"][order]
        np.testing.assert_allclose(found.focal_points[rows], points, atol=1e-6)
        in_class = golden["crop_left_px_angle0_angle90"][:, view] >= 0
        mine = np.zeros(len(utm), bool)
        mine[found.record_ids] = True
        np.testing.assert_array_equal(mine, in_class)


def test_focal_points_lie_across_and_along_the_street():
    street = np.array([[0.0, 0.0], [10.0, 10.0], [20.0, 20.0]])
    lateral, frontal = find_focal_points(street, np.array([0, 3]), 10.0)
    across = lateral[0] - [10, 10]
    np.testing.assert_allclose(np.abs(across), 10 / np.sqrt(2))
    assert across[0] == pytest.approx(-across[1])
    np.testing.assert_allclose(frontal[0] - [10, 10], [-across[1], across[0]])


def test_focal_points_of_one_and_of_equal_positions_are_the_distance_away():
    positions = np.array([[5.0, 7.0], [1.0, 1.0], [1.0, 1.0]])
    points = find_focal_points(positions, np.array([0, 1, 3]), 10.0)
    middles = np.array([[5.0, 7.0], [1.0, 1.0]])
    away = np.linalg.norm(points - middles, axis=2)
    np.testing.assert_allclose(away, 10)


def test_each_panorama_gives_the_crop_that_looks_nearest_to_the_focal_point():
    columns = crops()
    found = assign(columns)
    positions = np.stack(columns[:2], axis=1) / 100
    assert len(found.classes) == 12
    for class_id, point in enumerate(found.focal_points):
        classes = found.classes[class_id]
        corner = np.array([classes["cell_east_m"], classes["cell_north_m"]])
        inside = ((positions >= corner) & (positions < corner + SIZE_M)).all(axis=1)
        expected = []
        for panorama in np.unique(positions[inside], axis=0):
            rows = np.flatnonzero((positions == panorama).all(axis=1))
            bearing = np.degrees(np.arctan2(*(point - panorama)))
            turn = np.abs((columns[3][rows] - bearing + 180) % 360 - 180)
            expected.append(rows[turn.argmin()])
        assert rows_of_class(found, class_id).tolist() == sorted(expected)
        assert classes["num_images"] == PANORAMAS_PER_CELL


def test_groups_of_two_views_hold_the_same_cells():
    classes = assign(crops()).classes
    assert np.unique(classes["group_id"]).tolist() == [0, 1, 2, 3]
    cells = classes[["cell_east_m", "cell_north_m"]]
    for group in (0, 2):
        lateral, frontal = (cells[classes["group_id"] == group + v] for v in (0, 1))
        np.testing.assert_array_equal(lateral, frontal)
    np.testing.assert_array_equal(classes["group_heading"], classes["group_id"] % 2)


def test_every_photo_is_counted_once():
    columns = crops()
    columns[3][::7] = -1
    found = assign(columns)
    in_class = np.unique(found.record_ids)
    assert found.num_without_heading == (columns[3] < 0).sum()
    assert found.num_images == len(in_class) == (found.class_ids >= 0).sum()
    for class_id in range(len(found.classes)):
        rows = rows_of_class(found, class_id)
        group = found.classes["group_id"][class_id]
        own = found.classes["group_id"][found.class_ids[rows]]
        # A photo of both views counts to the lateral one.
        assert ((own == group) | (own == group - 1) & (group % 2 == 1)).all()


def test_photos_that_look_past_the_focal_point_are_in_no_class():
    columns = crops(headings_per_panorama=2)
    columns[3][:] = np.where(columns[3] < 180, 90.0, 270.0)  # along the street
    found = assign(columns)
    assert set(found.classes["group_heading"]) == {1}
    assert found.num_dropped_classes == 6
    text = summary(found, CONFIG)
    assert "images that are not those of their position that look at" in text
    every = assign(columns, EigenPlacesConfig(**_fields(), largest_turn_deg=180.0))
    assert every.num_not_kept < found.num_not_kept
    assert len(every.classes) == 12


def _fields():
    names = ("name", "cell_size_m", "cell_stride", "min_images_per_class")
    return {name: getattr(CONFIG, name) for name in names}


def test_classes_below_the_minimum_are_dropped():
    columns = crops(num_cells=4)
    east_m = columns[0] / 100 - 600_000
    # One panorama alone in the last cell; in the first no crop looks to the side.
    kept = (east_m < 3 * SIZE_M) | (east_m >= 4 * SIZE_M - 6)
    columns = tuple(column[kept] for column in columns)
    across = np.abs((columns[3] + 90) % 180 - 90) < 60
    kept = (columns[0] / 100 - 600_000 >= SIZE_M) | ~across
    found = assign(tuple(column[kept] for column in columns))
    cells = (found.classes["cell_east_m"] - 600_000) // SIZE_M
    assert sorted(cells.tolist()) == [0, 1, 1, 2, 2]
    assert found.num_dropped_classes == 3
    assert found.classes["num_images"].min() >= CONFIG.min_images_per_class


def test_refusals_name_the_field():
    columns = crops(headings_per_panorama=1)
    with pytest.raises(DataPrepError, match="No train image has a heading"):
        assign((*columns[:3], np.full(len(columns[3]), -1.0)))
    never = EigenPlacesConfig(**_fields(), largest_turn_deg=0.0)
    with pytest.raises(DataPrepError, match=r"largest_turn_deg"):
        assign(columns, never)
    with pytest.raises(ConfigError, match=r"largest_turn_deg.*between 0 and 180"):
        EigenPlacesConfig(largest_turn_deg=181.0)
    with pytest.raises(ConfigError, match=r"`build.partition.heading_bin_deg` belongs"):
        data_prep.partition_table({}, method="eigenplaces", heading_bin_deg=30)


def test_partition_on_disk_keeps_focal_points(small_training_dataset, tmp_path):
    path = tmp_path / "dataset"
    shutil.copytree(small_training_dataset.path, path)
    config = EigenPlacesConfig(
        name="eigen", cell_size_m=10, cell_stride=1, largest_turn_deg=180.0
    )
    made = add_partition(path, config)
    assert add_partition(path, config) is None
    stored = PreparedDataset(path).partition("eigen")
    np.testing.assert_array_equal(stored.focal_points, made.focal_points)
    assert stored.groups_per_step == 2
    assert not stored.has_headings
    other = EigenPlacesConfig(**{**_fields(), "name": "eigen"})
    with pytest.raises(DataPrepError, match=r"cell_size_m=10 there, 30 here"):
        add_partition(path, other)


def test_damaged_focal_points_are_refused(small_training_dataset, tmp_path):
    path = tmp_path / "dataset"
    shutil.copytree(small_training_dataset.path, path)
    add_partition(path, EigenPlacesConfig(name="eigen", largest_turn_deg=180.0))
    file = path / "partitions" / "eigen" / "focal_points.npy"
    np.save(file, np.load(file) + 1)
    with pytest.raises(DatasetError, match=r"has another crc32c"):
        PreparedDataset(path).partition("eigen")
