import numpy as np
import pytest

from tests.vpr_tf.place_index.samples import add, create, make_batch, remove
from vpr_tf.place_index import (
    PlaceIndex,
)
from vpr_tf.search import INDEX_KINDS, ExactIndex, index_choice


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
def every_other(monkeypatch):
    monkeypatch.setitem(INDEX_KINDS, EveryOtherIndex.kind, EveryOtherIndex)
    monkeypatch.setattr(index_choice, "KINDS", tuple(INDEX_KINDS))


@pytest.fixture
def half(tmp_path, every_other):
    folder = tmp_path / "index"
    create(folder, *make_batch(60), kind="every other")
    return folder


def test_exact_index_has_recall_one(folder):
    with PlaceIndex.open(folder) as index:
        report = index.measure_recall()
        assert (report.recall_at_1, report.recall_at_10) == (1.0, 1.0)
        assert report.num_queries == 0
        assert index.manifest.recall == report


def test_missed_neighbours_are_counted(half):
    # Of a photo itself and its ten nearest the first, third, ... are found: itself and
    # five of its neighbours, but not the nearest.
    with PlaceIndex.open(half) as index:
        report = index.measure_recall(num_queries=20)
        assert index.manifest.recall.recall_at_10 == pytest.approx(0.5)
    assert report.recall_at_1 == 0.0
    assert report.recall_at_10 == pytest.approx(0.5)
    assert report.num_queries == 20


def test_recall_is_measured_on_what_is_there_after_a_change(half):
    added = add(half, *make_batch(30, first=60)).recall
    assert 0.5 < added.recall_at_10 < 1
    names = [f"{number}.jpg" for number in range(60)]
    assert remove(half, names).recall.recall_at_10 == 1.0


def test_equally_near_photos_are_equally_right(tmp_path, every_other):
    descriptors, photos = make_batch(60)
    descriptors[:] = descriptors[0]
    index = create(tmp_path / "index", descriptors, photos, kind="every other")
    recall = index.manifest.recall
    assert recall.recall_at_1 == recall.recall_at_10 == 1.0


@pytest.mark.parametrize("num_photos", [1, 2])
def test_few_photos(tmp_path, every_other, num_photos):
    folder = tmp_path / "index"
    batch = make_batch(num_photos)
    report = create(folder, *batch, kind="every other").manifest.recall
    assert report.num_queries == (0 if num_photos == 1 else 2)
