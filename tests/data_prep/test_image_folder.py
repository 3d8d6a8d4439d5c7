import os
from pathlib import Path

import pytest

from tests.data_prep.conftest import write_images
from vpr_tf.photos import PhotoSourceError, image_folder, scan_photos
from vpr_tf.photos.image_folder import walk_image_folder

OPEN_FILES = Path("/proc/self/fd")


def make_tree(folder):
    names = ["b", "a/z", "a.jpg", "a-b/x", "a/b/c", "a/b.jpg", "é", "A", "a\nb", "ab"]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return sorted(names)


@pytest.mark.parametrize(("in_memory", "open_parts"), [(1, 2), (2, 256), (50_000, 2)])
def test_walk_is_sorted_by_relative_path(tmp_path, monkeypatch, in_memory, open_parts):
    monkeypatch.setattr(image_folder, "ENTRIES_IN_MEMORY", in_memory)
    monkeypatch.setattr(image_folder, "MOST_OPEN_PARTS", open_parts)
    source, scratch = tmp_path / "source", tmp_path / "scratch"
    source.mkdir()
    scratch.mkdir()
    names = make_tree(source)
    walked = list(walk_image_folder(source, scratch))
    assert [name for name, _ in walked] == names
    assert [size for _, size in walked] == [len(name.encode()) for name in names]
    assert not list(scratch.iterdir())


def test_a_large_folder_does_not_need_a_file_for_every_part(tmp_path, monkeypatch):
    monkeypatch.setattr(image_folder, "ENTRIES_IN_MEMORY", 2)
    monkeypatch.setattr(image_folder, "MOST_OPEN_PARTS", 5)
    source, scratch = tmp_path / "source", tmp_path / "scratch"
    source.mkdir()
    scratch.mkdir()
    names = sorted(f"{number * 7919 % 1000}.jpg" for number in range(100))
    for name in names:
        (source / name).touch()
    num_open = len([*OPEN_FILES.iterdir()])
    walked = walk_image_folder(source, scratch)
    assert next(walked)[0] == names[0]
    assert len([*OPEN_FILES.iterdir()]) <= num_open + 5
    assert [name for name, _ in walked] == names[1:]


def test_link_to_a_parent_is_an_error(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    with pytest.raises(PhotoSourceError, match="leads back"):
        list(walk_image_folder(tmp_path, tmp_path))


def test_broken_link_has_no_size(tmp_path):
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    assert list(walk_image_folder(tmp_path, tmp_path)) == [("gone.jpg", -1)]


def test_a_link_to_itself_is_one_rejected_photo(tmp_path):
    write_images(tmp_path, 2)
    (tmp_path / "a.jpg").symlink_to("a.jpg")
    photos = scan_photos(tmp_path, progress=False)
    assert len(photos) == 2
    [rejected] = photos.rejected
    assert rejected.path == "a.jpg"
    assert "cannot be read: Too many levels of symbolic links" in rejected.reason


def test_names_that_are_not_utf8_are_kept_as_they_are(tmp_path):
    try:
        os.close(os.open(os.fsencode(tmp_path) + b"/\xff.jpg", os.O_CREAT))
    except OSError:
        pytest.skip("this file system wants UTF-8")
    [(name, size)] = walk_image_folder(tmp_path, tmp_path)
    assert os.fsencode(name) == b"\xff.jpg"
    assert size == 0
