import numpy as np
import pytest

from vpr_tf.extraction.descriptor_file import DescriptorFile
from vpr_tf.stored_paths import StoredPathError

SOURCE = {"encoder_fingerprint": "a", "split": "database"}


def test_rows_are_kept_over_several_goes(tmp_path):
    file = DescriptorFile(tmp_path / "d", SOURCE, 5, 2)
    assert file.missing_rows.tolist() == [0, 1, 2, 3, 4]
    file.write(np.array([3, 1]), np.array([[3, 3], [1, 1]], np.float32))
    assert len(file.missing_rows) == 5  # not safe on disk yet
    file.commit()
    again = DescriptorFile(tmp_path / "d", SOURCE, 5, 2)
    assert again.missing_rows.tolist() == [0, 2, 4]
    np.testing.assert_array_equal(again.descriptors[[1, 3]], [[1, 1], [3, 3]])


def test_rows_without_commit_are_computed_again(tmp_path):
    file = DescriptorFile(tmp_path / "d", SOURCE, 2, 1)
    file.write(np.array([0]), np.ones((1, 1), np.float32))
    assert len(DescriptorFile(tmp_path / "d", SOURCE, 2, 1).missing_rows) == 2


@pytest.mark.parametrize(
    ("source", "shape"),
    [
        (SOURCE | {"encoder_fingerprint": "b"}, (3, 2)),
        (SOURCE, (4, 2)),
        (SOURCE, (3, 8)),
    ],
)
def test_descriptors_of_another_source_are_never_reused(tmp_path, source, shape):
    file = DescriptorFile(tmp_path / "d", SOURCE, 3, 2)
    file.write(np.arange(3), np.ones((3, 2), np.float32))
    file.commit()
    (tmp_path / "d" / "notes.txt").touch()
    assert len(DescriptorFile(tmp_path / "d", source, *shape).missing_rows) == shape[0]
    assert (tmp_path / "d" / "notes.txt").exists()


@pytest.mark.parametrize("name", ["descriptors.npy", "done.npy", "source.json"])
@pytest.mark.parametrize("num_rows", [3, 4])
def test_links_are_neither_read_nor_written(tmp_path, name, num_rows):
    file = DescriptorFile(tmp_path / "d", SOURCE, 3, 2)
    path, outside = tmp_path / "d" / name, tmp_path / name
    path.rename(outside)
    path.symlink_to(outside)
    before = outside.read_bytes()
    with pytest.raises(StoredPathError, match="symbolic link"):
        DescriptorFile(tmp_path / "d", SOURCE, num_rows, 2)
    assert outside.read_bytes() == before
    del file


@pytest.mark.parametrize("name", ["descriptors.npy", "done.npy", "source.json"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut"])
def test_damaged_folder_is_begun_again(tmp_path, name, damage):
    file = DescriptorFile(tmp_path / "d", SOURCE, 3, 2)
    file.write(np.arange(3), np.ones((3, 2), np.float32))
    file.commit()
    path = tmp_path / "d" / name
    if damage == "missing":
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes(b"" if damage == "empty" else content[:-3])
    again = DescriptorFile(tmp_path / "d", SOURCE, 3, 2)
    assert len(again.missing_rows) == 3
