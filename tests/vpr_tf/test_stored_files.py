import numpy as np
import pytest

from vpr_tf.stored_files import (
    ChecksumWriter,
    StoredFile,
    read_npy,
    store_folder,
)

CONTENT = bytes(range(256)) * 2000


@pytest.fixture
def path(tmp_path):
    (tmp_path / "folder").mkdir()
    path = tmp_path / "folder" / "file"
    path.write_bytes(CONTENT)
    return path


def test_unchanged_file_has_no_problem(path):
    stored = StoredFile.from_path(path)
    assert stored.num_bytes == len(CONTENT)
    assert all(stored.problem(path, how) is None for how in ("size", "crc32c"))
    read = []
    assert stored.problem(path, "sha256", read.append) is None
    assert sum(read) == len(CONTENT)


def test_problems_are_named(path):
    stored = StoredFile.from_path(path)
    path.write_bytes(CONTENT[:-1] + b"x")
    assert stored.problem(path, "size") is None
    assert stored.problem(path) == "has another crc32c"
    assert stored.problem(path, "sha256") == "has another sha256"
    path.write_bytes(CONTENT[:-1])
    assert stored.problem(path, "size") == "must have 512000 bytes, has 511999"
    path.unlink()
    assert stored.problem(path) == "cannot be read: No such file or directory"
    path.mkdir()
    assert "must" in stored.problem(path)


def test_checksums_while_writing_are_those_of_the_file(path):
    expected = StoredFile.from_path(path)
    with path.open("wb") as file:
        writer = ChecksumWriter(file)
        for start in range(0, len(CONTENT), 999):
            writer.write(CONTENT[start : start + 999])
    assert writer.stored() == expected == store_folder(path.parent)["file"]


@pytest.mark.parametrize("damage", [b"", b"x", b"\x93NUMPY\x01\x00v\x00{'descr': ("])
def test_damaged_array_is_a_value_error(tmp_path, damage):
    path = tmp_path / "a.npy"
    path.write_bytes(damage)
    with pytest.raises(ValueError, match="no array that NumPy wrote"):
        read_npy(path)


def test_array_that_declares_more_than_the_file_has_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    data = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(data.replace(b"(3,), }   ", b"(9999,), }"))
    with pytest.raises(ValueError, match="no array that NumPy wrote"):
        read_npy(tmp_path / "a.npy")


@pytest.mark.parametrize("mapped", [True, False])
def test_arrays_are_read_mapped_or_not_and_empty_too(tmp_path, mapped):
    for length in (0, 3):
        np.save(tmp_path / "a.npy", np.arange(length))
        found = read_npy(tmp_path / "a.npy", mapped=mapped)
        assert found.tolist() == list(range(length))
        assert isinstance(found, np.memmap) == (mapped and length > 0)
