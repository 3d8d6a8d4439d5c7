import threading

import numpy as np
import pytest

from tests.vpr_tf.data.prepared_fixture import encode_image, smooth_pixels
from vpr_tf.config import Preprocessing
from vpr_tf.data.image_batches import ImageBatches
from vpr_tf.data.image_sources import DamagedImageError
from vpr_tf.data.pillow_batches import PillowBatches
from vpr_tf.extraction.photo_sources import GivenPhotos, PhotoImages
from vpr_tf.photos import scan_named_photos

SIZES = [(40, 60), (60, 40), (50, 50)]


@pytest.fixture
def photos(tmp_path):
    for number in range(11):
        pixels = smooth_pixels(*SIZES[number % 3], seed=number)
        kind = "PNG" if number % 4 == 0 else "JPEG"
        (tmp_path / f"{number:02d}.jpg").write_bytes(encode_image(pixels, kind))
    found = scan_named_photos([tmp_path])
    found.exif_orientations[1::3] = 6  # all of 60x40 are upright as 40x60
    return found


@pytest.mark.parametrize(
    "preprocessing",
    [Preprocessing(), Preprocessing("shorter_side", 20), Preprocessing("square", 24)],
)
def test_batches_are_those_of_tensorflow(photos, preprocessing):
    rows = np.delete(np.arange(11), 4)
    source = PhotoImages(photos)
    found = list(PillowBatches(source, preprocessing, 3).iterate(rows))
    expected = list(ImageBatches(source, preprocessing, 3).iterate(rows))
    assert len(found) == len(expected)
    for (images, of_batch), (tensor, of_tensor) in zip(found, expected, strict=True):
        assert images.dtype == np.float32
        np.testing.assert_array_equal(of_batch, of_tensor)
        np.testing.assert_allclose(images, tensor, rtol=0, atol=1e-6)


def test_given_photos_of_every_kind_are_those_of_tensorflow(photos):
    given = [photos.file(0), photos.file(1), smooth_pixels(9, 8, 0) / 255]
    source, rows = GivenPhotos([photos.file(0), *given]), np.arange(4)
    found = PillowBatches(source, Preprocessing("square", 10)).iterate(rows)
    expected = ImageBatches(source, Preprocessing("square", 10)).iterate(rows)
    for (images, _), (tensor, _) in zip(found, expected, strict=True):
        np.testing.assert_allclose(images, tensor, rtol=0, atol=1e-6)


def test_nothing_to_read(photos):
    assert not list(PillowBatches(PhotoImages(photos), Preprocessing()).iterate([]))


@pytest.mark.parametrize("reader", [PillowBatches, ImageBatches])
def test_damaged_photo_ends_the_reading_and_is_named(photos, reader):
    broken = photos.file(7)
    with open(broken, "r+b") as file:  # noqa: PTH123
        file.seek(file.read().index(b"\xff\xc0") + 11)
        file.write(b"\0")  # a sampling factor that cannot be
    batches = reader(PhotoImages(photos), Preprocessing("square", 8), 2)
    read = batches.iterate(np.arange(11))
    assert [next(read)[1].tolist() for _ in range(3)] == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(DamagedImageError, match="does not decode") as error:
        next(read)
    assert error.value.image.row == 7


@pytest.mark.parametrize("memory", [1, 1 << 30])
def test_few_images_are_decoded_ahead_and_threads_end(photos, monkeypatch, memory):
    monkeypatch.setattr("vpr_tf.data.image_sources._MOST_DECODED_BYTES", memory)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    source, before = PhotoImages(photos), threading.active_count()
    asked, pixels = [], source.pixels
    source.pixels = lambda row: asked.append(row) or pixels(row)
    batches = PillowBatches(source, Preprocessing("square", 8), 2).iterate(
        np.arange(11)
    )
    next(batches)
    batches.close()
    assert len(asked) <= 2 + (1 if memory == 1 else 4)
    assert threading.active_count() == before
