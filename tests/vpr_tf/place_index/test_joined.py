import numpy as np
import pytest

from tests.vpr_tf.place_index.samples import make_photos
from vpr_tf.photos import PhotoTable
from vpr_tf.place_index.joined import join_photos


@pytest.fixture
def parts():
    """The second part has longer keys and timestamps than the first."""
    second = make_photos(4, first=998)
    timestamps = np.array([b"20260102_03"] * 4)
    second = PhotoTable(second.keys, second.positions, second.heading_deg, timestamps)
    return [make_photos(3), second, make_photos(2, first=50)]


def assert_same_photos(found, expected):
    for name in ("keys", "heading_deg", "timestamps"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    for name in vars(expected.positions):
        positions = getattr(found.positions, name), getattr(expected.positions, name)
        np.testing.assert_array_equal(*positions)


def test_columns_are_those_of_the_parts(parts):
    joined = join_photos(parts)
    assert len(joined) == len(joined.positions) == 9
    assert_same_photos(joined, PhotoTable.concatenate(parts))
    assert joined.keys is joined.keys


@pytest.mark.parametrize(
    "rows",
    [[8, 0, 3, 3, -1], [4], [], [[0, 5], [8, 2]], [0, 1, 2]],
)
def test_taken_photos_are_in_the_order_of_the_rows(parts, rows):
    rows = np.array(rows, np.int64)
    expected = PhotoTable.concatenate(parts)
    assert_same_photos(join_photos(parts).take(rows), expected.take(rows))


def test_row_that_is_not_there(parts):
    with pytest.raises(IndexError, match="between 0 and 8"):
        join_photos(parts).take(np.array([9]))


def test_joined_tables_can_be_joined(parts):
    whole = PhotoTable.concatenate([join_photos(parts), parts[0]])
    assert_same_photos(whole, PhotoTable.concatenate([*parts, parts[0]]))


def test_other_attributes_are_not_invented(parts):
    with pytest.raises(AttributeError, match="altitude"):
        _ = join_photos(parts).altitude
