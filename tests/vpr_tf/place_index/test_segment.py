import numpy as np
import pytest

from tests.vpr_tf.place_index.samples import make_descriptors
from vpr_tf.place_index.joined import JoinedDescriptors, SelectedDescriptors
from vpr_tf.place_index.segment import StoredDescriptors, checksums_of_rows
from vpr_tf.search import DamagedRowError, DescriptorFile, IndexMismatchError
from vpr_tf.stored_files import StoredFile

ROWS = make_descriptors(50)
CHOICES = [
    slice(None),
    slice(7, 19),
    slice(-5, None),
    slice(40, 10, -3),
    slice(9, 9),
    np.array([3, 4, 5, 49, 0, 0, -1]),
    np.array([[1, 2], [3, -50]]),
    np.empty(0, np.int64),
]


@pytest.fixture(params=["float32", "float16"])
def stored(request, tmp_path):
    rows = ROWS.astype(request.param)
    np.save(tmp_path / "descriptors.npy", rows)
    return open_file(tmp_path / "descriptors.npy", rows)


def open_file(path, rows):
    keys = np.array([f"{number}.jpg".encode() for number in range(len(rows))])
    checksums = checksums_of_rows(rows)
    return StoredDescriptors(path, rows.shape, rows.dtype, checksums, keys)


def damage(path, row, width):
    content = bytearray(path.read_bytes())
    content[len(content) - (50 - row) * width + 3] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("rows", CHOICES)
def test_reading_equals_indexing_an_array(stored, rows):
    found = stored[rows]
    assert found.dtype == stored.dtype
    np.testing.assert_array_equal(found, ROWS.astype(stored.dtype)[rows])
    np.testing.assert_array_equal(stored[rows], found)


def test_one_row(stored):
    np.testing.assert_array_equal(stored[4], ROWS.astype(stored.dtype)[4])


@pytest.mark.parametrize("row", [50, -51])
def test_row_that_is_not_there(stored, row):
    for rows in (row, np.array([0, row])):
        with pytest.raises(IndexError, match="between 0 and 49"):
            stored[rows]


def test_damaged_row_is_named_with_its_photo(tmp_path):
    path = tmp_path / "descriptors.npy"
    np.save(path, ROWS)
    damage(path, 31, ROWS.shape[1] * 4)
    stored = open_file(path, ROWS)
    np.testing.assert_array_equal(stored[:31], ROWS[:31])
    for rows in (slice(None), np.array([3, 31]), 31):
        for _ in range(2):
            message = r"descriptors\.npy is damaged: row 31, photo 31\.jpg"
            with pytest.raises(DamagedRowError, match=message):
                stored[rows]
    assert stored.damaged_rows() == [31]


@pytest.mark.parametrize("value", [np.nan, -np.inf, 3e38])
def test_rows_that_are_not_finite_are_damaged_though_their_checksums_fit(
    tmp_path, value
):
    rows = ROWS.copy()
    rows[7, 3] = value
    path = tmp_path / "descriptors.npy"
    np.save(path, rows)
    stored = open_file(path, rows)
    with pytest.raises(DamagedRowError, match="row 7, photo 7"):
        stored[:]
    assert stored.damaged_rows() == [7]
    checksums, file = checksums_of_rows(rows), StoredFile.from_path(path)
    stored = StoredDescriptors(path, rows.shape, rows.dtype, checksums, file=file)
    with pytest.raises(DamagedRowError, match="row 7"):
        _ = stored.path


def test_file_that_is_cut_while_it_is_open(tmp_path):
    path = tmp_path / "descriptors.npy"
    np.save(path, ROWS)
    stored = open_file(path, ROWS)
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size - 1)
    np.testing.assert_array_equal(stored[:49], ROWS[:49])
    with pytest.raises(DamagedRowError, match="ends early"):
        stored[:]


def test_path_is_given_after_the_file_was_compared(tmp_path):
    path = tmp_path / "descriptors.npy"
    np.save(path, ROWS)
    file = StoredFile.from_path(path)

    def opened():
        return StoredDescriptors(path, ROWS.shape, ROWS.dtype, None, file=file)

    assert opened().path == path
    for row, width in ((31, ROWS.shape[1] * 4), (0, ROWS.shape[1] * 4 + 1)):
        damage(path, row, width)
        with pytest.raises(IndexMismatchError, match="has another crc32c"):
            _ = opened().path
        damage(path, row, width)


def test_file_that_was_deleted_can_still_be_read(stored):
    stored.path.unlink()
    np.testing.assert_array_equal(stored[:], ROWS.astype(stored.dtype))


def test_file_that_is_too_short(tmp_path):
    path = tmp_path / "descriptors.npy"
    np.save(path, ROWS[:9])
    with pytest.raises(IndexMismatchError, match="must hold 50 rows of 16 float32"):
        open_file(path, ROWS)


def test_memory_mapped_rows_are_read_from_their_file(tmp_path):
    path = tmp_path / "descriptors.npy"
    np.save(path, ROWS)
    mapped = np.load(path, mmap_mode="r")
    np.testing.assert_array_equal(DescriptorFile.from_memmap(mapped)[3:9], ROWS[3:9])


@pytest.mark.parametrize("rows", CHOICES)
def test_joined_parts_equal_one_array(stored, rows):
    expected = ROWS.astype(stored.dtype)
    parts = [stored, expected[:0], expected[:7]]
    joined = JoinedDescriptors(parts, ROWS.shape[1], stored.dtype)
    whole = np.concatenate([expected, expected[:7]])
    if isinstance(rows, np.ndarray):
        rows = np.where(rows < -1, 0, rows)
    np.testing.assert_array_equal(joined[rows], whole[rows])
    assert joined.shape == whole.shape


def test_selected_rows(stored):
    chosen = np.array([9, 3, 3, 44])
    selected = SelectedDescriptors(stored, chosen)
    assert selected.shape == (4, ROWS.shape[1])
    expected = ROWS.astype(stored.dtype)[chosen]
    np.testing.assert_array_equal(selected[1:], expected[1:])
    np.testing.assert_array_equal(selected[np.array([3, 0])], expected[[3, 0]])
