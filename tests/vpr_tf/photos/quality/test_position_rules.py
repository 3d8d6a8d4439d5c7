import numpy as np
import pytest

from vpr_tf.config import DEFAULT_QUALITY
from vpr_tf.geo import Positions
from vpr_tf.photos import PhotoFiles, PhotoTable, clock_seconds
from vpr_tf.photos.quality import MEASURES_DTYPE, MeasuredPhotos, flag_photos
from vpr_tf.photos.quality.position_rules import POSITION_RULES, jumps_of
from vpr_tf.photos.quality.rules import bits_of
from vpr_tf.photos.quality.sequences import sequences_of


def drive(points_m, seconds, heading_deg=None, folder="a"):
    """Returns photos of one folder; the day begins at 10:00:00."""
    east, north = np.transpose(points_m).astype(float)
    count = len(east)
    times = [
        b"20190630_%02d%02d%02d" % (10 + s // 3600, s // 60 % 60, s % 60)
        for s in seconds
    ]
    headings = np.arange(count) if heading_deg is None else heading_deg
    return PhotoTable(
        np.array([f"{folder}/{i:03d}.jpg".encode() for i in range(count)]),
        Positions.from_utm(500_000 + east, 4_000_000 + north, np.full(count, 32)),
        np.asarray(headings, np.float32),
        np.array(times),
    )


def flags_of(*tables):
    photos = PhotoTable.concatenate(tables)
    files = PhotoFiles(".", photos.keys, photos, np.zeros(len(photos)))
    measured = MeasuredPhotos(files, np.zeros(len(photos), MEASURES_DTYPE))
    return flag_photos(measured, POSITION_RULES, DEFAULT_QUALITY)


def flagged(found, flag):
    return np.flatnonzero(found.flags & bits_of([flag])).tolist()


def line(count=12, step_m=10.0):
    return np.stack([step_m * np.arange(count), np.zeros(count)], axis=1)


def test_clock_seconds_are_those_of_numpy():
    times = np.array([b"20200229_235959", b"20190630_1234", b"201906", b""])
    seconds, resolution_s = clock_seconds(times)
    expected = np.array(["2020-02-29T23:59:59", "2019-06-30T12:34"], "M8[s]")
    np.testing.assert_array_equal(seconds[:2], expected.astype(np.int64))
    assert np.isnan(seconds[2:]).all()
    assert resolution_s[:2].tolist() == [1, 60]


def test_sequences_are_folders_in_the_order_of_time():
    one = drive(line(3), [20, 0, 10], folder="a")
    other = drive(line(2), [5, 0], folder="b/c")
    sequences = sequences_of(PhotoTable.concatenate([other, one]))
    assert [each.rows.tolist() for each in sequences] == [[3, 4, 2], [1, 0]]


def test_a_jump_is_flagged_and_its_neighbours_are_not():
    points = line()
    points[[0, 5]] += [[300, 0], [0, 400]]
    found = flags_of(drive(points, range(len(points))))
    assert flagged(found, "position_jump") == [0, 5]
    assert "build.quality.max_speed_kmh` is 150" in found.reason(5, ["position_jump"])
    assert flagged(flags_of(drive(line(), range(12))), "position_jump") == []


def test_over_a_gap_in_time_a_camera_may_go_far():
    points = line()
    points[6:] += [5_000, 0]
    assert (
        flagged(flags_of(drive(points, [*range(6), *range(600, 606)])), "position_jump")
        == []
    )
    # Without the gap the later half is no one's: as long as the other, it is flagged,
    # and so many jumps are of no drive.
    assert flagged(flags_of(drive(points, range(12))), "position_jump") == []


def test_after_a_wrong_stretch_photos_are_right_again():
    points = line(40)
    points[30:33] += [0, 900]
    found = flags_of(drive(points, range(40)))
    assert flagged(found, "position_jump") == [30, 31, 32]


def test_a_second_car_in_the_folder_does_not_jump():
    points = line(60)
    points[::4] += [0, 3_000]  # another camera, a photo in four seconds
    assert flagged(flags_of(drive(points, range(60))), "position_jump") == []
    points[[7, 24]] += [0, 900]  # of either
    found = flags_of(drive(points, range(60)))
    assert flagged(found, "position_jump") == [7, 24]


def test_a_long_wrong_stretch_is_no_second_car():
    points = line(60)
    points[30:42] += [0, 900]
    found = flags_of(drive(points, range(60)))
    assert flagged(found, "position_jump") == list(range(30, 42))


def test_times_to_the_minute_say_less():
    far = np.array([[0.0, 0, 0], [10, 0, 0], [400, 0, 0], [20, 0, 0]])
    seconds = np.array([0.0, 1, 2, 3])
    to_the_second, _ = jumps_of(far, seconds, np.ones(4), 150.0)
    to_the_minute, _ = jumps_of(far, seconds, np.full(4, 60.0), 150.0)
    assert to_the_second.tolist() == [False, False, True, False]
    assert not to_the_minute.any()


def test_a_folder_of_many_drives_is_not_judged():
    rng = np.random.default_rng(0)
    found = flags_of(drive(rng.uniform(0, 5_000, (30, 2)), range(30)))
    assert flagged(found, "position_jump") == []


def test_nothing_is_said_without_times_of_day():
    table = drive(line(), range(12))
    months = PhotoTable(
        table.keys, table.positions, table.heading_deg, table.timestamps.astype("S6")
    )
    assert "position_jump" in flags_of(months).not_checked


@pytest.mark.parametrize(
    ("points", "expected"),
    [(line(), list(range(12))), (line(9), []), (line(12, 1), [])],
)
def test_constant_headings_of_a_moving_camera(points, expected):
    count = len(points)
    constant = drive(points, range(count), [90.0] * count)
    found = flags_of(constant, drive(line(), range(12), folder="b"))
    assert flagged(found, "heading_constant") == expected


def test_missing_headings_are_flagged_where_others_are_known():
    headings = [10.0, -1.0, 20.0, 30.0]
    assert flagged(flags_of(drive(line(4), range(4), headings)), "heading_missing") == [
        1
    ]
    none = flags_of(drive(line(4), range(4), [-1.0] * 4))
    assert {"heading_missing", "heading_constant"} <= set(none.not_checked)
