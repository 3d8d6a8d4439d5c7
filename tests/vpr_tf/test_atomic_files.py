import os
import stat
import tempfile

import pytest

from vpr_tf import atomic_files
from vpr_tf.atomic_files import new_folder, replace_file, scratch_folder, write_json

_NAME = "0123456789ab"


@pytest.fixture
def known_name(monkeypatch):
    """Makes the random part of names one that an attacker has guessed."""
    monkeypatch.setattr(atomic_files.secrets, "token_hex", lambda num_bytes: _NAME)
    return _NAME


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def _make_old(*paths):
    for path in paths:
        os.utime(path, (0, 0), follow_symlinks=False)


def test_a_file_is_replaced_in_whole_with_the_permissions_of_the_umask(tmp_path):
    path = tmp_path / "a.weights.h5"
    path.write_text("old")
    former = os.umask(0o027)
    try:
        with replace_file(path) as temporary:
            assert temporary.name.endswith("-a.weights.h5")
            temporary.write_text("new")
            assert path.read_text() == "old"
    finally:
        os.umask(former)
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert _names(tmp_path) == ["a.weights.h5"]


def test_a_file_stays_as_it_was_after_an_error(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, 1)
    with pytest.raises(TypeError):
        write_json(path, object())
    assert path.read_text() == "1\n"
    assert _names(tmp_path) == ["a.json"]


def test_names_of_temporary_files_differ_each_time(tmp_path):
    names = set()
    for _ in range(3):
        with replace_file(tmp_path / "a") as temporary:
            names.add(temporary.name)
    assert len(names) == 3


@pytest.mark.parametrize("target", ["canary", "missing"])
def test_a_link_in_the_place_of_a_temporary_file_is_not_followed(
    tmp_path, known_name, target
):
    canary = tmp_path / "canary"
    canary.write_text("untouched")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / f".partial-{known_name}-a").symlink_to(tmp_path / target)
    with pytest.raises(FileExistsError):
        write_json(folder / "a", 1)
    with pytest.raises(FileExistsError), new_folder(folder / "a"):
        pass
    assert canary.read_text() == "untouched"
    assert _names(tmp_path) == ["canary", "folder"]


def test_leftovers_of_the_same_name_are_deleted_after_an_hour(tmp_path):
    leftover = tmp_path / ".partial-12345-a.json"  # of a version with process numbers
    fresh = tmp_path / f".partial-{_NAME}-a.json"
    other = tmp_path / f".partial-{_NAME}-b.json"
    foreign = tmp_path / ".partial-mine-a.json"
    link = tmp_path / ".partial-abc-a.json"
    for path in (leftover, fresh, other, foreign):
        path.touch()
    link.symlink_to(other)
    _make_old(leftover, other, foreign, link)
    write_json(tmp_path / "a.json", 1)
    kept = {path.name for path in (fresh, other, foreign, link)}
    assert {*_names(tmp_path)} == kept | {"a.json"}


def test_leftover_folders_are_deleted_unless_they_are_in_use(tmp_path):
    canary = tmp_path / "canary"
    canary.mkdir()
    (canary / "file").touch()
    with new_folder(tmp_path / "model") as in_use:
        left = tmp_path / f".partial-{_NAME}-model"
        left.mkdir()
        (left / "link").symlink_to(canary)
        recent = tmp_path / ".partial-abc-model"
        recent.mkdir()
        (recent / "file").touch()
        _make_old(left, left / "link", in_use, recent)
        with new_folder(tmp_path / "model") as other:
            assert other.is_dir()
            assert in_use.is_dir()
            assert recent.is_dir()
            assert not left.exists()
    assert _names(tmp_path) == [recent.name, "canary"]
    assert (canary / "file").exists()


def test_scratch_folders_of_killed_processes_are_deleted(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with scratch_folder("test") as in_use:
        left, other = tmp_path / "vpr_tf_test_abcdefgh", tmp_path / "vpr_tf_test_mine"
        left.mkdir()
        other.mkdir()
        _make_old(left, other, in_use)
        with scratch_folder("test") as folder:
            assert folder.parent == tmp_path
            assert _names(tmp_path) == sorted(
                path.name for path in (in_use, folder, other)
            )
    assert _names(tmp_path) == [other.name]
