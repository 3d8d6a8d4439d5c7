import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from vpr_tf.data.class_sampler import ClassSampler, shuffled_class
from vpr_tf.data.partition import CLASS_DTYPE, Partition


def partition_of(counts_per_group: list[list[int]]) -> Partition:
    """Record ids are shuffled, so that a row is never mistaken for a record id."""
    counts = [count for group in counts_per_group for count in group]
    classes = np.zeros(len(counts), CLASS_DTYPE)
    classes["group_id"] = np.repeat(
        np.arange(len(counts_per_group)), [len(group) for group in counts_per_group]
    )
    offsets = np.concatenate([[0], np.cumsum(counts)])
    record_ids = np.random.default_rng(0).permutation(offsets[-1])
    return Partition("test", {}, classes, offsets, record_ids)


def draw(sampler: ClassSampler, first: int, count: int) -> np.ndarray:
    """Returns `(count, 4)`: class, row and augmentation seed."""
    samples = tf.data.Dataset.range(first, first + count).map(sampler)
    rows = [
        [sample.class_index, sample.row, *sample.augmentation_seed]
        for sample in samples.as_numpy_iterator()
    ]
    return np.array(rows)


def orders(key: int, num_classes: int, first_pass: int, num_passes: int) -> np.ndarray:
    positions = tf.data.Dataset.range(
        first_pass * num_classes, (first_pass + num_passes) * num_classes
    )
    classes = positions.map(lambda p: shuffled_class(key, p, num_classes))
    values = np.fromiter(classes.as_numpy_iterator(), np.int64)
    return values.reshape(num_passes, num_classes)


@settings(max_examples=15, deadline=None)
@given(
    key=st.integers(-(2**63), 2**63 - 1),
    num_classes=st.integers(1, 70),
    first_pass=st.integers(0, 2**40),
)
def test_every_pass_visits_each_class_once(key, num_classes, first_pass):
    passes = orders(key, num_classes, first_pass, 3)
    np.testing.assert_array_equal(
        np.sort(passes, axis=1), np.tile(np.arange(num_classes), (3, 1))
    )


def test_all_orders_of_classes_are_equally_likely():
    passes = orders(987, 3, 0, 900)
    _, counts = np.unique(passes @ [9, 3, 1], return_counts=True)
    assert len(counts) == 6
    # Chi-square with 5 degrees of freedom: above 21 once in 1000 keys.
    assert ((counts - 150) ** 2 / 150).sum() < 21


def test_orders_hardly_ever_repeat_and_place_classes_evenly():
    passes = orders(5, 12, 0, 400)
    assert len(np.unique(passes, axis=0)) == 400
    table = np.stack([np.bincount(column, minlength=12) for column in passes.T])
    expected = 400 / 12
    # Chi-square with 121 degrees of freedom: above 174 once in 1000 keys.
    assert ((table - expected) ** 2 / expected).sum() < 174


def test_image_is_uniform_within_its_class():
    sampler = ClassSampler(partition_of([[1, 5, 2]]), 0, seed=3)
    samples = draw(sampler, 0, 3 * 500)
    counts = np.bincount(samples[:, 1], minlength=8)
    assert counts[0] == 500
    np.testing.assert_allclose(counts[1:6], 100, atol=35)
    np.testing.assert_allclose(counts[6:], 250, atol=50)
    expected_class = np.array([0, 1, 1, 1, 1, 1, 2, 2])
    np.testing.assert_array_equal(samples[:, 0], expected_class[samples[:, 1]])


@settings(max_examples=8, deadline=None)
@given(
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=12),
    seed=st.integers(0, 2**31),
    start=st.integers(0, 60),
)
def test_sampling_from_a_position_equals_undisturbed_sampling(counts, seed, start):
    partition = partition_of([[3], counts])
    whole = draw(ClassSampler(partition, 1, seed), 0, start + 20)
    resumed = draw(ClassSampler(partition, 1, seed), start, 20)
    np.testing.assert_array_equal(resumed, whole[start:])


def test_records_belong_to_the_classes_of_the_group():
    partition = partition_of([[2, 3], [4, 1, 2]])
    sampler = ClassSampler(partition, 1, seed=0)
    samples = draw(sampler, 0, 60)
    records = sampler.record_ids_at(0, 60)
    np.testing.assert_array_equal(records, sampler.record_ids[samples[:, 1]])
    for class_index, record in zip(samples[:, 0], records, strict=True):
        first, last = partition.class_offsets[[class_index + 2, class_index + 3]]
        assert record in partition.record_ids[first:last]
    assert set(records) == set(partition.record_ids[5:])


def test_seed_and_group_change_the_samples():
    partition = partition_of([[5] * 10, [5] * 10])
    base = draw(ClassSampler(partition, 0, 0), 0, 30)
    for group_id, seed in ((0, 1), (1, 0)):
        other = draw(ClassSampler(partition, group_id, seed), 0, 30)
        assert (other[:, 0] != base[:, 0]).any()
        assert (other[:, 2] != base[:, 2]).all()


@pytest.mark.parametrize("group_id", [-1, 2])
def test_unknown_group_is_refused_with_the_number_that_exist(group_id):
    with pytest.raises(
        ValueError, match=r"below the 2 groups.*group_id=" + str(group_id)
    ):
        ClassSampler(partition_of([[2], [2]]), group_id, 0)


@settings(max_examples=8, deadline=None)
@given(
    counts=st.lists(st.integers(1, 7), min_size=4, max_size=12),
    photos=st.integers(2, 4),
    seed=st.integers(0, 2**31),
    start=st.integers(0, 10),
)
def test_batches_of_k_photos_hold_distinct_classes_and_photos(
    counts, photos, seed, start
):
    counts = [*counts, 4, 5]
    sampler = ClassSampler(partition_of([[3], counts]), 1, seed, photos, 2)
    samples = draw(sampler, 0, 16 * photos)
    for batch in samples.reshape(-1, 2, photos, 4):
        classes, rows = batch[:, :, 0], batch[:, :, 1]
        assert (classes == classes[:, :1]).all()
        assert classes[0, 0] != classes[1, 0]
        assert len(set(rows.ravel())) == rows.size
        assert min(counts[index] for index in classes.ravel()) >= photos
    resumed = draw(sampler, start, 6)
    np.testing.assert_array_equal(resumed, samples[start : start + 6])


def test_all_classes_with_enough_photos_and_all_their_photos_come():
    sampler = ClassSampler(partition_of([[3, 1, 4, 2, 5]]), 0, 0, 2, 3)
    samples = draw(sampler, 0, 6 * 60)
    assert set(samples[:, 0]) == {0, 2, 3, 4}
    counts = np.bincount(samples[::2, 0], minlength=5)
    np.testing.assert_allclose(counts[[0, 2, 3, 4]], 45, atol=15)
    assert set(samples[:, 1]) == set(range(15)) - {3}


def test_too_few_classes_with_enough_photos_are_refused():
    with pytest.raises(ValueError, match=r"has 3 classes of 2 photos.*has 2 with"):
        ClassSampler(partition_of([[2, 1, 2]]), 0, 0, 2, 3)
