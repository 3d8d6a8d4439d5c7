import numpy as np
import pytest

from vpr_tf.search import DescriptorFile, descriptors
from vpr_tf.search.descriptor_file import float32_file, npy_file_of, unmapped

ROWS = np.arange(60, dtype=np.float32).reshape(12, 5)


@pytest.fixture
def mapped(tmp_path):
    np.save(tmp_path / "rows.npy", ROWS)
    return np.load(tmp_path / "rows.npy", mmap_mode="r")


def test_own_file_is_used(mapped, tmp_path):
    with float32_file(mapped) as path:
        assert path == tmp_path / "rows.npy"
    stored = DescriptorFile.from_memmap(mapped)
    with float32_file(stored) as path:
        assert path == tmp_path / "rows.npy"
    assert path.exists()


@pytest.mark.parametrize(
    "part",
    [
        lambda rows: rows[3:],
        lambda rows: rows[::-1],
        lambda rows: rows[:, ::-1],
        lambda rows: np.array(rows),
        lambda rows: rows.astype(np.float16),
    ],
    ids=["part", "reversed", "mirrored", "in memory", "float16"],
)
def test_other_rows_are_copied(mapped, part, monkeypatch):
    monkeypatch.setattr(descriptors, "_VALUES_PER_BLOCK", 15)
    rows = part(mapped)
    assert npy_file_of(rows) is None
    with float32_file(rows) as path:
        copied = np.load(path)
        np.testing.assert_array_equal(copied, rows.astype(np.float32))
        assert copied.dtype == np.float32
    assert not path.exists()


def test_file_that_is_gone_or_another_is_not_used(mapped, tmp_path):
    stored = DescriptorFile.from_memmap(mapped)
    (tmp_path / "rows.npy").unlink()
    with float32_file(stored) as path:
        np.testing.assert_array_equal(np.load(path), ROWS)
    np.save(tmp_path / "rows.npy", ROWS[:4])
    assert npy_file_of(stored) is None
    (tmp_path / "rows.npy").write_bytes(b"no array")
    assert npy_file_of(stored) is None


def test_mapped_rows_are_read_without_mapping_them(mapped):
    read = unmapped(mapped)
    assert isinstance(read, DescriptorFile)
    np.testing.assert_array_equal(read[np.array([7, 2])], ROWS[[7, 2]])
    part = mapped[2:]
    assert unmapped(part) is part
