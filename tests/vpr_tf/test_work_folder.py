import fcntl
import os

import pytest

from vpr_tf.stored_paths import StoredPathError
from vpr_tf.work_folder import (
    LOCK_FILE,
    ForeignFolderError,
    claim_folder,
    delete_folder,
    empty_folder,
    give_up_folder,
    is_own,
    open_lock,
)


def test_a_work_folder_is_made_and_taken_again(tmp_path):
    work = tmp_path / "city.building"
    for _ in range(2):
        claim_folder(work)
        assert is_own(work)
        (work / "file").touch()
    empty_folder(work, LOCK_FILE)
    assert [path.name for path in work.iterdir()] == [LOCK_FILE]
    delete_folder(work)
    assert not work.exists()


@pytest.mark.parametrize("has_lock", [False, True])
def test_an_empty_folder_is_taken(tmp_path, has_lock):
    if has_lock:
        (tmp_path / LOCK_FILE).touch()
    claim_folder(tmp_path)
    assert is_own(tmp_path)


@pytest.mark.parametrize("lock", [None, "", "of another program"])
def test_a_foreign_folder_is_refused(tmp_path, lock):
    (tmp_path / "photo.jpg").touch()
    if lock is not None:
        (tmp_path / LOCK_FILE).write_text(lock)
    with pytest.raises(ForeignFolderError, match="Move it elsewhere"):
        claim_folder(tmp_path)
    assert (tmp_path / "photo.jpg").exists()
    assert lock is None or (tmp_path / LOCK_FILE).read_text() == lock


def test_a_folder_that_is_kept_is_no_work_folder(tmp_path):
    claim_folder(tmp_path)
    give_up_folder(tmp_path)
    assert not is_own(tmp_path)


def test_no_link_is_followed(tmp_path):
    canary = tmp_path / "canary"
    canary.mkdir()
    (canary / "file").touch()
    (tmp_path / "link").symlink_to(canary)
    with pytest.raises(StoredPathError):
        claim_folder(tmp_path / "link")
    work = tmp_path / "work"
    claim_folder(work)
    (work / "link").symlink_to(canary)
    (work / "lock").symlink_to(tmp_path / "new")
    with pytest.raises(StoredPathError):
        open_lock(work, "lock")
    delete_folder(work)
    assert [path.name for path in canary.iterdir()] == ["file"]
    assert not (tmp_path / "new").exists()


def test_a_lock_holds(tmp_path):
    first, second = open_lock(tmp_path), open_lock(tmp_path)
    try:
        fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(BlockingIOError):
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(first)
        os.close(second)
