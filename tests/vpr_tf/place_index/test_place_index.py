import os
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest

from tests.vpr_tf.place_index.samples import (
    DIM,
    ENCODER,
    ModelIndex,
    add,
    create_with_encoder,
    found_keys,
    make_batch,
    make_descriptors,
    remove,
)
from vpr_tf.place_index import (
    PlaceIndex,
    index_reader,
)
from vpr_tf.search import IndexMismatchError, RetrievalError


def test_search_finds_photos_with_their_metadata(folder):
    descriptors, photos = make_batch(40)
    with PlaceIndex.open(folder) as index:
        matches = index.search(descriptors[[7, 3]], 5)
    expected, distances = ModelIndex(descriptors, photos).search(descriptors[[7, 3]], 5)
    assert found_keys(matches) == expected
    np.testing.assert_allclose(matches.distances, distances, atol=1e-6)
    best = matches.photos.take(matches.rows[:, 0])
    np.testing.assert_array_equal(best.keys, photos.keys[[7, 3]])
    np.testing.assert_array_equal(best.heading_deg, [7, 3])
    np.testing.assert_array_equal(best.timestamps, [b"", b""])
    expected = photos.positions.take(np.array([7, 3]))
    np.testing.assert_array_equal(best.positions.latitude_deg, expected.latitude_deg)
    np.testing.assert_array_equal(best.positions.utm_east_cm, expected.utm_east_cm)
    np.testing.assert_array_equal(
        matches.descriptors[matches.rows[0]][0], descriptors[7]
    )


def test_more_neighbours_than_photos(folder):
    with PlaceIndex.open(folder) as index:
        matches = index.search(make_descriptors(2, first=90), 50)
    assert (matches.rows[:, :40] >= 0).all()
    assert (matches.rows[:, 40:] == -1).all()
    assert np.isinf(matches.distances[:, 40:]).all()


@pytest.mark.parametrize(
    ("queries", "k", "message"),
    [
        (np.zeros((1, DIM + 1)), 1, r"descriptor_dim=16"),
        (np.zeros((1, DIM)), 0, "`k` must be 1 or more"),
        (np.full((1, DIM), np.nan), 1, "must be finite"),
    ],
)
def test_queries_that_cannot_be(folder, queries, k, message):
    with PlaceIndex.open(folder) as index, pytest.raises(ValueError, match=message):
        index.search(queries, k)


def test_changes_are_seen_by_the_next_search(folder):
    query = make_descriptors(1, first=50)
    with PlaceIndex.open(folder) as index:
        before = index.search(query, 1)
        add(folder, *make_batch(20, first=40))
        assert found_keys(index.search(query, 1)) == [[b"50.jpg"]]
        assert index.num_photos == 60
        remove(folder, ["50.jpg"])
        assert found_keys(index.search(query, 1)) != [[b"50.jpg"]]
        assert b"50.jpg" not in index.photos.keys
        PlaceIndex(folder).compact()
        assert len(index.photos) == index.num_photos == 59
        # What was found before still refers to the state it was found in.
        assert len(before.photos) == 40
        row = before.rows[0]
        number = int(before.photos.keys[row[0]].split(b".")[0])
        np.testing.assert_array_equal(
            before.descriptors[row], make_descriptors(1, first=number)
        )


def test_segments_that_did_not_change_are_not_read_again(folder):
    with PlaceIndex.open(folder) as index:
        first = index.state().segments[0]
        add(folder, *make_batch(5, first=40))
        assert index.state().segments[0] is first
        assert len(index.state().segments) == 2


def test_moved_and_copied_folder(folder, tmp_path):
    copy = tmp_path / "elsewhere" / "copy"
    shutil.copytree(folder, copy)
    folder = folder.rename(tmp_path / "moved")
    for path in (folder, copy):
        add(path, *make_batch(3, first=40))
        with PlaceIndex.open(path) as index:
            found = index.search(make_descriptors(1, first=41), 1)
        assert found_keys(found) == [[b"41.jpg"]]


def test_reading_needs_no_permission_to_write(folder, monkeypatch):
    opened = []
    real_open = os.open

    def watching_open(path, flags, *args, **kwargs):
        opened.append(flags)
        return real_open(path, flags, *args, **kwargs)

    before = sorted(folder.rglob("*"))
    monkeypatch.setattr(os, "open", watching_open)
    with PlaceIndex.open(folder) as index:
        index.search(make_descriptors(1), 1)
    assert opened
    assert not any(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) for flags in opened)
    assert sorted(folder.rglob("*")) == before


def test_other_encoder_is_refused(folder):
    PlaceIndex.open(folder, encoder_fingerprint=ENCODER.fingerprint).close()
    message = r"fingerprint \(a network\)\. Received: another"
    with pytest.raises(IndexMismatchError, match=message):
        PlaceIndex.open(folder, encoder_fingerprint="another")


def test_encoder_in_the_folder_is_compared(tmp_path):
    def keep(folder):
        folder.mkdir()
        (folder / "encoder.keras").write_bytes(b"weights")
        return folder / "encoder.keras"

    folder = tmp_path / "index"
    create_with_encoder(folder, *make_batch(3), keep)
    with PlaceIndex.open(folder) as index:
        assert index.manifest.encoder.file == "encoder/encoder.keras"
        assert index.encoder_path.read_bytes() == b"weights"
        index.encoder_path.write_bytes(b"wEights")
        with pytest.raises(IndexMismatchError, match=r"encoder\.keras is damaged"):
            _ = index.encoder_path
        (folder / "encoder/encoder.keras").unlink()
        with pytest.raises(IndexMismatchError, match=r"keras .* cannot be read"):
            _ = index.encoder_path


def test_no_encoder_in_the_folder(folder):
    with PlaceIndex.open(folder) as index:
        assert index.encoder_path is None


def test_folder_that_is_no_index(tmp_path):
    with pytest.raises(IndexMismatchError, match=r"No index at .*manifest\.json"):
        PlaceIndex.open(tmp_path)


def test_closed_index(folder):
    index = PlaceIndex.open(folder)
    matches = index.search(make_descriptors(1), 1)
    index.close()
    index.close()
    with pytest.raises(RetrievalError, match="was closed"):
        index.search(make_descriptors(1), 1)
    np.testing.assert_array_equal(
        matches.descriptors[matches.rows[0]], make_descriptors(1)
    )


def test_damage_after_opening_is_not_hidden_by_the_former_state(folder):
    with PlaceIndex.open(folder) as index:
        add(folder, *make_batch(5, first=40))
        (folder / "segments/00000002/row_checksums.npy").unlink()
        for _ in range(2):
            with pytest.raises(IndexMismatchError, match=r"row_checksums\.npy"):
                index.search(make_descriptors(1), 1)


def test_reader_that_meets_a_change_opens_the_newer_state(folder, monkeypatch):
    read = index_reader.parse_manifest
    changes = [lambda: add(folder, *make_batch(5, first=40)), lambda: None]

    def change_after_reading(text, path):
        manifest = read(text, path)
        changes.pop(0)()
        if changes:
            PlaceIndex(folder).compact()
        return manifest

    monkeypatch.setattr(index_reader, "parse_manifest", change_after_reading)
    with PlaceIndex.open(folder) as index:
        assert index.num_photos == 45
    assert not changes


def test_threads_search_while_photos_are_added(folder):
    queries = make_descriptors(30, first=30)
    wrong = []
    stop = threading.Event()

    def search():
        while not stop.is_set():
            found = found_keys(index.search(queries, 1))
            numbers = [int(keys[0].split(b".")[0]) for keys in found]
            last = max(numbers)
            if numbers[: last - 29] != list(range(30, last + 1)):
                wrong.append(numbers)

    with PlaceIndex.open(folder) as index:
        threads = [threading.Thread(target=search) for _ in range(3)]
        for thread in threads:
            thread.start()
        for first in range(40, 60, 4):
            add(folder, *make_batch(4, first=first))
        stop.set()
        for thread in threads:
            thread.join()
        assert not wrong
        assert found_keys(index.search(queries[-1:], 1)) == [[b"59.jpg"]]


def test_opening_an_index_needs_no_tensorflow(folder):
    program = (
        "import sys, numpy as np\n"
        "from vpr_tf.place_index import PlaceIndex\n"
        f"PlaceIndex.open({str(folder)!r}).search(np.zeros((1, {DIM})), 1)\n"
        "assert not {'tensorflow', 'keras', 'scipy', 'sklearn'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
