import numpy as np
import pytest

from tests.vpr_tf.place_index.samples import ENCODER, make_batch
from vpr_tf.place_index import (
    PlaceIndex,
    add_photos,
    create_place_index,
    measure_recall,
    remove_photos,
)
from vpr_tf.search import INDEX_KINDS, ExactIndex


class EveryOtherIndex(ExactIndex):
    """Misses every second neighbour, and the nearest."""

    kind = "every other"
    is_exact = False

    def _search(self, queries, k):
        distances, ids = super()._search(queries, min(2 * k, self.num_images))
        distances, ids = distances[:, ::2].copy(), ids[:, ::2].copy()
        short = ((0, 0), (0, k - ids.shape[1]))
        distances = np.pad(distances, short, constant_values=np.inf)
        return distances, np.pad(ids, short, constant_values=-1)


@pytest.fixture
def half(tmp_path, monkeypatch):
    monkeypatch.setitem(INDEX_KINDS, EveryOtherIndex.kind, EveryOtherIndex)
    folder = tmp_path / "index"
    create_place_index(folder, *make_batch(60), ENCODER, kind="every other")
    return folder


def test_exact_index_has_recall_one(folder):
    with PlaceIndex.open(folder) as index:
        report = measure_recall(index)
        assert (report.recall_at_1, report.recall_at_10) == (1.0, 1.0)
        assert report.num_queries == 0
        assert index.manifest.recall == report


def test_missed_neighbours_are_counted(half):
    # Of a photo itself and its ten nearest the first, third, ... are found: itself and
    # five of its neighbours, but not the nearest.
    with PlaceIndex.open(half) as index:
        report = measure_recall(index, num_queries=20)
        assert index.manifest.recall.recall_at_10 == pytest.approx(0.5)
    assert report.recall_at_1 == 0.0
    assert report.recall_at_10 == pytest.approx(0.5)
    assert report.num_queries == 20


def test_recall_is_measured_on_what_is_there_after_a_change(half):
    added = add_photos(half, *make_batch(30, first=60)).recall
    assert 0.5 < added.recall_at_10 < 1
    names = [f"{number}.jpg" for number in range(60)]
    assert remove_photos(half, names).recall.recall_at_10 == 1.0


def test_equally_near_photos_are_equally_right(tmp_path, monkeypatch):
    monkeypatch.setitem(INDEX_KINDS, EveryOtherIndex.kind, EveryOtherIndex)
    descriptors, photos = make_batch(60)
    descriptors[:] = descriptors[0]
    report = create_place_index(
        tmp_path / "index", descriptors, photos, ENCODER, kind="every other"
    )
    assert report.recall.recall_at_1 == report.recall.recall_at_10 == 1.0


@pytest.mark.parametrize("num_photos", [1, 2])
def test_few_photos(tmp_path, monkeypatch, num_photos):
    monkeypatch.setitem(INDEX_KINDS, EveryOtherIndex.kind, EveryOtherIndex)
    folder = tmp_path / "index"
    batch = make_batch(num_photos)
    report = create_place_index(folder, *batch, ENCODER, kind="every other").recall
    assert report.num_queries == (0 if num_photos == 1 else 2)
