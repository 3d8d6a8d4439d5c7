import os

import pytest

from vpr_tf.stored_paths import StoredPathError, inside, is_inside


@pytest.mark.parametrize(
    ("name", "stays"),
    [
        ("a/b.npy", True),
        ("", False),
        (".", False),
        ("../a", False),
        ("a/../../b", False),
        ("/etc", False),
        ("a\0", False),
        ("\ud800", False),
    ],
)
def test_stored_paths_stay_inside_their_folder(tmp_path, name, stays):
    assert is_inside(name) == stays
    if stays:
        assert inside(tmp_path, name) == tmp_path / name
    else:
        with pytest.raises(StoredPathError, match="must stay inside that folder"):
            inside(tmp_path, name)


@pytest.mark.parametrize("name", ["link", "link/file", "folder/link/missing"])
def test_links_below_the_folder_are_not_followed(tmp_path, name):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").touch()
    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    (root / "link").symlink_to("../outside")
    (root / "folder" / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(StoredPathError, match="symbolic link"):
        inside(root, name)


def test_a_link_that_leads_nowhere_is_not_followed(tmp_path):
    (tmp_path / "a").symlink_to("b")
    with pytest.raises(StoredPathError, match="symbolic link"):
        inside(tmp_path, "a")


def test_pipes_are_refused(tmp_path):
    os.mkfifo(tmp_path / "a")
    with pytest.raises(StoredPathError, match="no file"):
        inside(tmp_path, "a")


def test_the_folder_itself_may_lie_behind_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert inside(tmp_path / "link", "a", "b/c") == tmp_path / "link" / "a" / "b" / "c"
