import fcntl

import numpy as np
import pytest

from tests.vpr_tf.place_index.samples import (
    ModelIndex,
    create,
    create_with_encoder,
    found_keys,
    make_batch,
    verify,
)
from vpr_tf.place_index import (
    PlaceIndex,
    segment,
)
from vpr_tf.search import RetrievalError
from vpr_tf.work_folder import claim_folder, is_own


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_descriptors_file_can_be_read_by_numpy(tmp_path, dtype, monkeypatch):
    monkeypatch.setattr(segment, "_VALUES_PER_BLOCK", 64)  # several blocks
    descriptors, photos = make_batch(11)
    create(tmp_path / "index", descriptors, photos, dtype=dtype)
    stored = np.load(tmp_path / "index/segments/00000001/descriptors.npy")
    np.testing.assert_array_equal(stored, descriptors.astype(dtype))
    with PlaceIndex.open(tmp_path / "index") as index:
        matches = index.search(descriptors, 3)
        assert index.manifest.dtype == dtype
    rounded = descriptors.astype(dtype).astype(np.float32)
    assert found_keys(matches) == ModelIndex(rounded, photos).search(descriptors, 3)[0]


def test_memory_mapped_descriptors(tmp_path):
    descriptors, photos = make_batch(11)
    np.save(tmp_path / "descriptors.npy", descriptors)
    mapped = np.load(tmp_path / "descriptors.npy", mmap_mode="r")
    create(tmp_path / "index", mapped, photos)
    with PlaceIndex.open(tmp_path / "index") as index:
        np.testing.assert_array_equal(index.state().descriptors[:], descriptors)


def test_existing_folder_is_not_overwritten(tmp_path):
    (tmp_path / "index").mkdir()
    with pytest.raises(RetrievalError, match="exists already"):
        create(tmp_path / "index", *make_batch(3))
    assert list(tmp_path.iterdir()) == [tmp_path / "index"]


def test_what_an_interrupted_creation_left_is_replaced(tmp_path):
    canary = tmp_path / "canary"
    canary.mkdir()
    (canary / "photo.jpg").touch()
    unfinished = tmp_path / "index.unfinished"
    claim_folder(unfinished)
    (unfinished / "segments/00000001").mkdir(parents=True)
    (unfinished / "manifest.json").write_text("{")
    (unfinished / "link").symlink_to(canary)
    create(tmp_path / "index", *make_batch(3))
    assert verify(tmp_path / "index").is_intact
    assert not is_own(tmp_path / "index")
    assert not unfinished.exists()
    assert (canary / "photo.jpg").exists()


@pytest.mark.parametrize("is_link", [False, True])
def test_a_foreign_folder_of_the_name_of_unfinished_work_is_left_alone(
    tmp_path, is_link
):
    mine = tmp_path / ("mine" if is_link else "index.unfinished")
    mine.mkdir()
    (mine / "photo.jpg").touch()
    (mine / ".lock").write_text("of another program")
    if is_link:
        (tmp_path / "index.unfinished").symlink_to(mine)
    with pytest.raises(RetrievalError, match=r"symbolic link|this program made"):
        create(tmp_path / "index", *make_batch(3))
    assert sorted(path.name for path in mine.iterdir()) == [".lock", "photo.jpg"]
    assert (mine / ".lock").read_text() == "of another program"
    assert not (tmp_path / "index").exists()


def test_two_creations_of_one_folder(tmp_path):
    (tmp_path / "index.unfinished").mkdir()
    with (tmp_path / "index.unfinished/.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(RetrievalError, match="Another process"):
            create(tmp_path / "index", *make_batch(3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dtype": "float64"}, "`dtype` must be float32 or float16"),
        ({"kind": "no such"}, "`index` must be"),
        ({"settings": {"leaves": 3}}, "no settings"),
    ],
)
def test_what_cannot_be_leaves_nothing(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        create(tmp_path / "index", *make_batch(3), **arguments)
    assert not list(tmp_path.iterdir())


def test_values_too_large_for_float16_are_named(tmp_path):
    descriptors, photos = make_batch(3)
    descriptors[1, 0] = 1e6
    with pytest.raises(RetrievalError, match=r"as float16.* 1 photos: 1\.jpg"):
        create(tmp_path / "index", descriptors, photos, dtype="float16")
    create(tmp_path / "index", descriptors, photos)


def test_encoder_folder_is_kept(tmp_path):
    def keep(folder):
        (folder / "saved_model/variables").mkdir(parents=True)
        (folder / "saved_model/variables/data").write_bytes(b"weights")
        return folder / "saved_model"

    create_with_encoder(tmp_path / "index", *make_batch(3), keep)
    with PlaceIndex.open(tmp_path / "index") as index:
        assert index.manifest.encoder.file == "encoder/saved_model"
        assert (index.encoder_path / "variables/data").read_bytes() == b"weights"
        assert list(index.manifest.encoder_files) == [
            "encoder/saved_model/variables/data"
        ]
