from tests.vpr_tf.place_index.samples import (
    add,
    make_batch,
    manifest_of,
    remove,
    verify,
)
from vpr_tf.place_index import (
    PlaceIndex,
)

SEGMENT = "segments/00000001"


def damage(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_intact_folder(folder):
    read = []
    report = verify(folder, progress=read.append)
    assert report.is_intact
    assert report.num_files == len(manifest_of(folder).files())
    assert sum(read) == report.num_bytes


def test_every_file_is_compared(folder):
    add(folder, *make_batch(3, first=40))
    remove(folder, ["1.jpg"])
    for name in manifest_of(folder).files():
        damage(folder / name, -1)
        assert verify(folder).problems == {name: "has another sha256"}
        damage(folder / name, -1)
    assert verify(folder).is_intact


def test_missing_and_cut_files_are_named(folder):
    (folder / SEGMENT / "photos/key.npy").unlink()
    path = folder / SEGMENT / "row_checksums.npy"
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-1])
    assert verify(folder).problems == {
        f"{SEGMENT}/photos/key.npy": "cannot be read: No such file or directory",
        f"{SEGMENT}/row_checksums.npy": f"must have {size} bytes, has {size - 1}",
    }


def test_damaged_photos_are_named_and_can_be_replaced(folder):
    damage(folder / SEGMENT / "descriptors.npy", -1)
    report = verify(folder)
    assert list(report.problems) == [f"{SEGMENT}/descriptors.npy"]
    assert report.damaged_photos == ["39.jpg"]
    remove(folder, report.damaged_photos)
    PlaceIndex(folder).compact()
    add(folder, *make_batch(1, first=39))
    assert verify(folder).is_intact
    with PlaceIndex.open(folder) as index:
        assert index.num_photos == 40


def test_photos_can_be_added_beside_a_damaged_one(folder):
    add(folder, *make_batch(1, first=40))
    damage(folder / "segments/00000002/descriptors.npy", -1)
    add(folder, *make_batch(3, first=41))
    assert verify(folder).damaged_photos == ["40.jpg"]
    assert [part.num_rows for part in manifest_of(folder).segments] == [40, 1, 3]
