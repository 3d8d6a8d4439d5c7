import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.vpr_tf.data.prepared_fixture import stored, write_prepared_dataset
from vpr_tf.config import Preprocessing
from vpr_tf.data.image_batches import ImageBatches, SplitImages
from vpr_tf.data.image_sources import ImageSource, plan_batches


@given(
    sizes=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), max_size=60),
    batch_size=st.integers(1, 7),
)
def test_plan_fills_batches_of_one_size(sizes, batch_size):
    heights, widths = np.array(sizes, np.int64).reshape(-1, 2).T
    ids = np.arange(len(sizes)) * 10
    plan = plan_batches(ids, heights, widths, batch_size)
    np.testing.assert_array_equal(np.sort(plan.record_ids), ids)
    np.testing.assert_array_equal(
        np.bincount(plan.batch_ids, minlength=len(plan.batch_sizes)), plan.batch_sizes
    )
    assert (np.diff(plan.batch_ids) >= 0).all()
    of_batch = [
        {sizes[r // 10] for r in plan.record_ids[plan.batch_ids == b]}
        for b in range(len(plan.batch_sizes))
    ]
    assert all(len(found) == 1 for found in of_batch)
    partial = [
        found.pop()
        for found, n in zip(of_batch, plan.batch_sizes, strict=True)
        if n < batch_size
    ]
    assert len(partial) == len(set(partial))


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    """Eleven images of three upright sizes, some turned."""
    images = []
    for i in range(11):
        height, width, orientation = [(40, 60, 1), (60, 40, 6), (50, 50, 3)][i % 3]
        images.append(stored(height, width, seed=i, exif_orientation=orientation))
    dataset = write_prepared_dataset(
        tmp_path_factory.mktemp("evaluation"), images[:1], images
    )
    split = dataset.split("val-database")
    split.images = images
    return split


def batches_of(split, preprocessing=None, batch_size=16):
    return ImageBatches(
        SplitImages(split), preprocessing or Preprocessing(), batch_size
    )


def upright(image) -> Image.Image:
    pixels = Image.open(io.BytesIO(image.data))
    turn = {
        1: lambda x: x,
        3: lambda x: x.transpose(Image.Transpose.ROTATE_180),
        6: lambda x: x.transpose(Image.Transpose.ROTATE_270),
    }
    return turn[image.exif_orientation](pixels)


def test_native_images_equal_pillow_and_come_once(split):
    seen, sizes = [], []
    for images, ids in batches_of(split, batch_size=4).read():
        assert images.dtype == np.float32
        sizes.append(len(ids))
        for image, record_id in zip(images.numpy(), ids.numpy(), strict=True):
            expected = np.asarray(upright(split.images[record_id]), np.float32) / 255
            np.testing.assert_allclose(image, expected, atol=1e-7)
            seen.append(record_id)
    assert sorted(seen) == list(range(11))
    # 8 images are 40x60 when upright, 3 are 50x50.
    assert sizes == [4, 4, 3]


@pytest.mark.parametrize(("resize", "sizes"), [("shorter_side", 2), ("square", 1)])
def test_resized_images_equal_pillow_within_rounding(split, resize, sizes):
    batches = list(batches_of(split, Preprocessing(resize, 20)).read())
    assert len(batches) == sizes
    for images, ids in batches:
        height, width = images.shape[1:3]
        for image, record_id in zip(images.numpy(), ids.numpy(), strict=True):
            expected = upright(split.images[record_id]).resize(
                (width, height), Image.Resampling.BILINEAR
            )
            # Pillow rounds to whole grey levels after each of its two passes.
            np.testing.assert_allclose(image * 255, np.asarray(expected), atol=1.1)


def test_order_is_fixed_and_the_rest_can_be_read_later(split):
    batches = batches_of(split, batch_size=2)
    runs = [[ids.numpy().tolist() for _, ids in batches.read()] for _ in range(2)]
    assert runs[0] == runs[1]
    done = {i for ids in runs[0][:2] for i in ids}
    remaining = np.array([i for i in range(11) if i not in done])
    rest = [i for _, ids in batches.read(remaining) for i in ids.numpy()]
    assert sorted(rest) == remaining.tolist()


def test_no_records_give_no_batches(split):
    batches = batches_of(split).read(np.array([], np.int64))
    assert list(batches) == []


def test_record_outside_of_the_split_is_refused(split):
    with pytest.raises(ValueError, match=r"\[0, 11\).*val-database.*3 to 11"):
        batches_of(split).read(np.array([3, 11]))


@pytest.mark.parametrize(
    ("side", "at_a_time"), [(1_000, 256), (10_000, 7), (40_000, 1)]
)
def test_large_images_are_few_at_a_time(monkeypatch, side, at_a_time):
    class Sized(ImageSource):
        keys = np.array([b"a", b"b"])

        def stored_sizes(self, rows):
            sizes = np.array([[10, 10, 1], [side, side, 6]])[rows]
            return tuple(sizes.T)

        loader = first_damaged = part = first_files = None

    asked = []
    dataset_map = tf.data.Dataset.map

    def mapped(dataset, function, num_parallel_calls=None, **options):
        asked.append(num_parallel_calls)
        return dataset_map(dataset, function, num_parallel_calls, **options)

    monkeypatch.setattr("os.cpu_count", lambda: 64)
    monkeypatch.setattr(tf.data.Dataset, "map", mapped)
    source = Sized()
    source.loader = lambda rows: lambda place: tf.zeros((8, 8, 3), tf.uint8)
    ImageBatches(source, Preprocessing("square", 8)).read()
    assert asked[0] == at_a_time
