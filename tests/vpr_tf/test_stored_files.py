import pytest

from vpr_tf.stored_files import ChecksumWriter, StoredFile, store_folder

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
