import os

import pytest

from vpr_tf.stored_paths import StoredPathError, found_inside, inside, is_inside


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


def test_patterns_find_what_glob_finds(tmp_path):
    for name in ("a/r/x", "b/c/r/x", "r/x", "x", "a/y"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    for pattern in ("x", "r/x", "*/r/x", "*/*/r/x", "*/x", "*", "none/x", "*/none"):
        found = list(found_inside(tmp_path, pattern))
        assert found == sorted(tmp_path.glob(pattern))
    assert not list(found_inside(tmp_path / "none", "*/x"))


def test_patterns_do_not_look_behind_links(tmp_path):
    (tmp_path / "outside" / "r").mkdir(parents=True)
    (tmp_path / "outside" / "r" / "x").write_bytes(b"")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "outside")
    assert not list(found_inside(folder, "*/*/x"))
    (named,) = found_inside(folder, "*/r/x")
    with pytest.raises(StoredPathError, match="a symbolic link"):
        inside(folder, named.relative_to(folder).as_posix())
