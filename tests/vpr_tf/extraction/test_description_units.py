"""A descriptor is computed in the same batch, whoever does it, whatever is damaged."""

import numpy as np
import pytest

import vpr_tf.extraction.describe_images as module
from vpr_tf.config import Preprocessing
from vpr_tf.data.image_sources import (
    BatchReader,
    DamagedImage,
    DamagedImageError,
    ImageSource,
)
from vpr_tf.extraction.describe_images import (
    DescriptorArray,
    describe_images,
    describe_unit,
    missing_units,
)
from vpr_tf.extraction.errors import ImageSizeError

NUM_IMAGES = 100
BAD, TOO_SMALL = {5, 20, 21, 77}, 8


class Images(ImageSource):
    """Images of three heights, mixed; those of one are too small."""

    name = "images"
    keys = np.array([str(row).encode() for row in range(NUM_IMAGES)])
    loader = part = first_files = first_damaged = None

    def stored_sizes(self, rows):
        heights = np.array([32, 64, TOO_SMALL, 64, 48])[rows % 5]
        return heights, np.full(len(rows), 32), np.ones(len(rows), np.int64)


class Batches(BatchReader):
    """Gives row numbers instead of images."""

    def iterate(self, rows):
        plan = self.plan(rows)
        for batch in np.split(plan.record_ids, np.cumsum(plan.batch_sizes)[:-1]):
            for row in sorted(BAD.intersection(batch.tolist())):
                raise DamagedImageError(DamagedImage(row, ValueError(f"{row} is bad")))
            yield batch, batch


def forward(batch):
    """Descriptors that tell in which batch they were computed."""
    if batch[0] % 5 == 2:
        raise ImageSizeError("too small")
    return np.array([[row, *batch[[0, -1]], len(batch)] for row in batch], np.float32)


@pytest.fixture
def batches(monkeypatch):
    monkeypatch.setattr(module, "_BATCHES_OF_UNIT", 3)
    return Batches(Images(), Preprocessing(), batch_size=4)


def described(batches, store):
    skipped = describe_images(
        forward, 4, batches, store, skip_damaged=True, progress=False
    )
    return skipped


@pytest.fixture
def whole(batches):
    store = DescriptorArray(np.arange(NUM_IMAGES), 4)
    return store, described(batches, store)


def test_all_are_described_but_what_cannot_be(whole):
    store, skipped = whole
    expected = {row for row in range(NUM_IMAGES) if row % 5 == 2} | BAD
    assert set(skipped) == expected
    assert set(np.flatnonzero(~store.done)) == expected
    assert skipped[20] == "20 is bad"
    assert skipped[2] == "too small"


def test_damage_changes_the_batches_of_its_unit_alone(whole, batches, monkeypatch):
    store, _ = whole
    clean = DescriptorArray(np.arange(NUM_IMAGES), 4)
    monkeypatch.setattr(f"{__name__}.BAD", set())
    units = [unit.rows for unit in missing_units(batches, clean)]
    described(batches, clean)
    for unit in units:
        if not {5, 20, 21, 77}.intersection(unit.tolist()):
            assert np.array_equal(store.descriptors[unit], clean.descriptors[unit])
    assert (store.descriptors != clean.descriptors).any()


def test_units_alone_have_the_bytes_of_all_together(whole, batches):
    store, skipped = whole
    empty = DescriptorArray(np.arange(NUM_IMAGES), 4)
    found = {}
    for unit in missing_units(batches, empty):
        part, why = describe_unit(forward, 4, batches, unit.rows, skip_damaged=True)
        empty.write(unit.rows[part.done], part.descriptors[part.done])
        found |= why
    assert np.array_equal(empty.descriptors, store.descriptors)
    assert found == skipped


@pytest.mark.parametrize("num_batches", range(0, 24, 3))
def test_interrupted_run_goes_on_to_the_same_bytes(whole, batches, num_batches):
    store, _ = whole
    resumed = DescriptorArray(np.arange(NUM_IMAGES), 4)
    calls = []

    def interrupted(batch):
        if len(calls) == num_batches:
            raise KeyboardInterrupt
        calls.append(batch)
        return forward(batch)

    with pytest.raises(KeyboardInterrupt):
        describe_images(
            interrupted, 4, batches, resumed, skip_damaged=True, progress=False
        )
    described(batches, resumed)
    assert np.array_equal(resumed.descriptors, store.descriptors)
    assert np.array_equal(resumed.done, store.done)


def test_first_damaged_image_is_the_error_where_none_is_skipped(batches):
    store = DescriptorArray(np.arange(NUM_IMAGES), 4)
    with pytest.raises(ValueError, match=r"^too small$"):
        describe_images(forward, 4, batches, store, progress=False)
