import contextlib
import errno
import fcntl
import os
import resource
import signal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.vpr_tf.place_index.samples import (
    DIM,
    ModelIndex,
    add,
    create,
    found_keys,
    make_batch,
    make_descriptors,
    make_photos,
    manifest_of,
    needs_scann,
    remove,
    verify,
)
from vpr_tf.place_index import (
    PlaceIndex,
    transaction,
)
from vpr_tf.search import RetrievalError

QUERIES = make_descriptors(6, first=1000)


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def assert_equals_model(folder, model, k=7):
    with PlaceIndex.open(folder) as index:
        matches = index.search(QUERIES, k)
        assert index.photos.keys.tolist() == model.keys
    keys, distances = model.search(QUERIES, k)
    assert found_keys(matches) == keys
    found = distances.shape[1]
    np.testing.assert_allclose(matches.distances[:, :found], distances, atol=1e-6)


batches = st.tuples(st.just("add"), st.integers(0, 30), st.integers(1, 12))
removals = st.tuples(st.just("remove"), st.integers(0, 30), st.integers(1, 12))
merges = st.tuples(st.just("compact"), st.just(0), st.just(0))


# All candidates of the codes are compared by their descriptors, so all are found.
ALL_CANDIDATES = {"structure": "quantized", "reordered_neighbors": 200}


@pytest.mark.parametrize(
    ("kind", "index_settings"),
    [
        ("exact", None),
        pytest.param("scann", ALL_CANDIDATES, marks=needs_scann),
    ],
)
@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(st.one_of(batches, removals, merges), min_size=1, max_size=6))
def test_any_changes_equal_those_of_a_list(
    kind, index_settings, steps, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("changes") / "index"
    batch = make_batch(24)
    create(folder, *batch, kind=kind, settings=index_settings)
    model = ModelIndex(*batch)
    for step, first, count in steps:
        if step == "add":
            add(folder, *make_batch(count, first=first), replace_existing=True)
            model.add(*make_batch(count, first=first))
        elif step == "remove":
            keys = make_photos(count, first).keys.tolist()
            present = [key for key in keys if key in model.keys]
            remove(folder, present)
            model.remove(present)
        else:
            PlaceIndex(folder).compact()
        assert_equals_model(folder, model)
    assert verify(folder).is_intact


def test_all_photos_removed_then_added_again(folder):
    remove(folder, make_photos(40).keys.tolist())
    model = ModelIndex(*make_batch(0))
    assert_equals_model(folder, model)
    PlaceIndex(folder).compact()
    assert_equals_model(folder, model)
    assert manifest_of(folder).segments == ()
    add(folder, *make_batch(3))
    assert_equals_model(folder, ModelIndex(*make_batch(3)))
    assert len(manifest_of(folder).segments) == 1


def test_number_of_segments_grows_slowly(folder):
    for first in range(40, 56):
        add(folder, *make_batch(1, first=first))
    assert [part.num_rows for part in manifest_of(folder).segments] == [40, 16]
    assert_equals_model(folder, ModelIndex(*make_batch(56)))


def test_no_files_remain_of_former_states(folder):
    add(folder, *make_batch(2, first=40))
    remove(folder, ["0.jpg"])
    remove(folder, ["1.jpg"])
    PlaceIndex(folder).compact()
    named = {*manifest_of(folder).files(), "manifest.json", ".lock"}
    assert set(files_of(folder)) == named
    assert manifest_of(folder).generation == 5


def test_compact_without_changes_does_nothing(folder):
    before = files_of(folder)
    PlaceIndex(folder).compact()
    assert {**files_of(folder)} == {**before, ".lock": b""}


def test_added_key_that_is_there_is_named(folder):
    with pytest.raises(RetrievalError, match=r"already has 2 .*: 38\.jpg, 39\.jpg\."):
        add(folder, *make_batch(5, first=38))
    assert_equals_model(folder, ModelIndex(*make_batch(40)))


def test_unknown_key_removes_nothing(folder):
    with pytest.raises(RetrievalError, match=r"1 of these keys: 40\.jpg\. Nothing"):
        remove(folder, ["3.jpg", "40.jpg"])
    assert_equals_model(folder, ModelIndex(*make_batch(40)))


def test_removed_photo_cannot_be_removed_again(folder):
    remove(folder, [b"3.jpg"])
    with pytest.raises(RetrievalError, match=r"3\.jpg"):
        remove(folder, [b"3.jpg"])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_descriptors_that_cannot_be_are_named(folder, value):
    descriptors, photos = make_batch(4, first=40)
    descriptors[2, 5] = value
    with pytest.raises(RetrievalError, match=r"1 photos: 42\.jpg"):
        add(folder, descriptors, photos)
    assert_equals_model(folder, ModelIndex(*make_batch(40)))
    assert manifest_of(folder).generation == 1


def test_zero_vectors_and_duplicates_are_found(folder):
    descriptors, photos = make_batch(3, first=40)
    descriptors[0] = 0
    descriptors[2] = descriptors[1]
    add(folder, descriptors, photos)
    with PlaceIndex.open(folder) as index:
        matches = index.search(descriptors, 2)
    assert matches.distances[0, 0] == 0
    assert found_keys(matches)[0][0] == b"40.jpg"
    assert found_keys(matches)[1:] == [[b"41.jpg", b"42.jpg"]] * 2


@pytest.mark.parametrize(
    ("descriptors", "keys", "message"),
    [
        (make_descriptors(2), [b"a"], r"shape \(1, 16\)"),
        (make_descriptors(1, dim=DIM + 1), [b"a"], r"shape \(1, 16\)"),
        (make_descriptors(0), [], "at least one row"),
        (make_descriptors(2), [b"a", b"a"], r"more than once: a \(1 in all\)"),
        (make_descriptors(2), [b"a", b""], "an empty one, photo 1"),
        (make_descriptors(1), [b"\xff"], "must be UTF-8"),
    ],
)
def test_photos_that_cannot_be(folder, descriptors, keys, message):
    photos = make_photos(len(keys), first=40)
    photos.keys[:] = keys
    with pytest.raises(ValueError, match=message):
        add(folder, descriptors, photos)


def test_advice_to_compact(folder):
    assert add(folder, *make_batch(4, first=40)).advice is None
    report = remove(folder, ["1.jpg"])
    assert "11% of the rows" in report.advice
    assert PlaceIndex(folder).compact().advice is None


@needs_scann
def test_recall_is_stored_with_every_change(folder):
    report = PlaceIndex(folder).set_search("scann", None, recall_queries=5)
    assert report.kind == "scann"
    assert report.recall == manifest_of(folder).recall
    report = remove(folder, ["1.jpg"], recall_queries=0)
    assert report.recall is None
    model = ModelIndex(*make_batch(40))
    model.remove([b"1.jpg"])
    assert_equals_model(folder, model)


def test_settings_that_cannot_be_change_nothing(folder):
    for kind, choice in (("exact", {"leaves": 3}), ("no such", None)):
        with pytest.raises(ValueError, match=r"settings|`index` must be"):
            PlaceIndex(folder).set_search(kind, choice)
    assert_equals_model(folder, ModelIndex(*make_batch(40)))
    assert set(files_of(folder)) == {
        *manifest_of(folder).files(),
        "manifest.json",
        ".lock",
    }


def test_localization_is_stored(folder):
    PlaceIndex(folder).set_localization({"method": "cluster", "curve": [0.5, 1.0]})
    add(folder, *make_batch(1, first=40))
    assert manifest_of(folder).localization["curve"] == [0.5, 1.0]
    with pytest.raises(ValueError):
        PlaceIndex(folder).set_localization({"curve": [np.nan]})
    PlaceIndex(folder).set_localization(None)
    assert manifest_of(folder).localization is None


def test_files_of_others_stay(folder):
    (folder / "notes.txt").write_text("mine")
    (folder / "segments/99999999").mkdir()
    add(folder, *make_batch(1, first=40))
    assert (folder / "notes.txt").read_text() == "mine"
    assert not (folder / "segments/99999999").exists()


def test_full_disk_leaves_the_old_state(folder):
    before = files_of(folder)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
        with pytest.raises(RetrievalError, match=r"as it was: .*index.*Make space"):
            add(folder, *make_batch(60, first=40))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    assert {**files_of(folder)} == {**before, ".lock": b""}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_every_file_that_cannot_be_written(folder, number, monkeypatch):
    """The n-th call that makes something survive a power cut fails, for every n."""
    before = files_of(folder)
    real_fsync, calls, failing = os.fsync, [], 0

    def failing_fsync(descriptor):
        calls.append(descriptor)
        if len(calls) == failing:
            raise OSError(number, os.strerror(number), str(folder / "some file"))
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", failing_fsync)
    for failing in range(1, 60):  # noqa: B007, it is read by failing_fsync
        calls.clear()
        with contextlib.suppress(RetrievalError):
            add(folder, *make_batch(3, first=40))
        if manifest_of(folder).generation > 1:
            break
        assert {**files_of(folder)} == {**before, ".lock": b""}
    assert failing > 10
    assert_equals_model(folder, ModelIndex(*make_batch(43)))


def test_folder_that_cannot_be_written(folder, monkeypatch):
    real_open = os.open

    def read_only_open(path, flags, *args, **kwargs):
        if flags & (os.O_RDWR | os.O_WRONLY):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return real_open(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", read_only_open)
    with pytest.raises(RetrievalError, match=r"\.lock: Read-only .* copy the index"):
        remove(folder, ["1.jpg"])


def test_two_changes_at_a_time_wait_for_each_other(folder, monkeypatch):
    monkeypatch.setattr(transaction, "_LOCK_WAIT_S", 0.05)
    with (folder / ".lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(RetrievalError, match="Another process is changing"):
            add(folder, *make_batch(1, first=40))
    add(folder, *make_batch(1, first=40))
