import numpy as np
import pytest
import tensorflow as tf

from tests.vpr_tf.evaluation.tiny_dataset import MeanColourEncoder, Shot, write_dataset
from tests.vpr_tf.photos.photo_writer import gps_of, write_photo
from vpr_tf.config import Preprocessing
from vpr_tf.extraction import DescriptorError, FeatureExtractor
from vpr_tf.photos import scan_named_photos, scan_photos

COLOURS = [(25 * i, 250 - 20 * i, 128) for i in range(10)]


@pytest.fixture
def photos(tmp_path):
    for number, colour in enumerate(COLOURS):
        path = tmp_path / "photos" / f"{number}.jpg"
        write_photo(path, colour, gps=gps_of(37.7, -122.5 + number / 1000))
    return scan_photos(tmp_path / "photos", progress=False)


def describe(encoder, photos, folder=None, **options):
    extractor = FeatureExtractor(encoder, batch_size=4)
    return extractor.extract_files(photos, folder, progress=False, **options)


def expected():
    colours = np.array(COLOURS, float)
    return colours / np.linalg.norm(colours, axis=1, keepdims=True)


def test_descriptors_are_in_the_order_of_the_photos(photos, tmp_path):
    for folder in (None, tmp_path / "d"):
        found = describe(MeanColourEncoder(), photos, folder)
        np.testing.assert_allclose(found.in_memory(), expected(), atol=0.02)
        assert found.photos.photos.keys.tolist() == photos.photos.keys.tolist()


def test_half_precision_file(photos, tmp_path):
    found = describe(MeanColourEncoder(), photos, tmp_path / "d", dtype="float16")
    assert found.descriptors.dtype == np.float16
    np.testing.assert_allclose(found.in_memory(), expected(), atol=0.02)


@pytest.mark.parametrize("resize", ["native", "shorter_side", "square"])
def test_equal_those_of_records_of_the_same_images(tmp_path, resize):
    sizes = [(32, 32), (24, 48), (48, 24), (32, 32)]
    shots = [
        Shot((30 * i + 40, 90, 120), 0, size=size, exif_orientation=1 + 5 * (i % 2))
        for i, size in enumerate(sizes)
    ]
    dataset = write_dataset(tmp_path / "dataset", {"test-a-database": shots})
    for number, shot in enumerate(shots):
        path = tmp_path / "photos" / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(shot.encode(number))
    photos = scan_named_photos([tmp_path / "photos"])
    photos.exif_orientations[:] = [shot.exif_orientation for shot in shots]
    extractor = FeatureExtractor(
        ReadsCorners(), Preprocessing(resize, 16), batch_size=2
    )
    found = extractor.extract_files(photos, progress=False)
    records = extractor.extract_split(
        dataset, "test-a-database", tmp_path / "d", progress=False
    )
    np.testing.assert_array_equal(found.in_memory(), records)


class ReadsCorners(MeanColourEncoder):
    """Tells an image from its mirror image."""

    def __call__(self, images, training=False):
        return tf.math.l2_normalize(images[:, 1, 2] - 0.3, axis=1)


def damage(photos, number):
    """Makes a photo whose header and end are right and whose pixels are not."""
    with open(photos.file(number), "r+b") as file:  # noqa: PTH123
        frame = file.read().index(b"\xff\xc0")
        file.seek(frame + 11)
        file.write(b"\0")  # a sampling factor that cannot be


def test_photos_that_break_are_rejected_and_the_others_go_on(photos, tmp_path):
    damage(photos, 5)
    write_photo(tmp_path / "photos" / "7.jpg", (1, 2, 3), size=(64, 64))
    (tmp_path / "photos" / "2.jpg").unlink()
    encoder = MeanColourEncoder()
    found = describe(encoder, photos, tmp_path / "d")
    assert found.rows.tolist() == [0, 1, 3, 4, 6, 8, 9]
    np.testing.assert_allclose(found.in_memory(), expected()[found.rows], atol=0.02)
    reasons = dict(found.photos.rejected)
    assert "cannot be read: No such file" in reasons["2.jpg"]
    assert "does not decode" in reasons["5.jpg"]
    assert reasons["7.jpg"] == "file has changed since it was listed"
    again = describe(encoder, photos, tmp_path / "d")
    assert int(encoder.num_images) == 7
    np.testing.assert_array_equal(again.in_memory(), found.in_memory())


def test_interrupted_extraction_ends_with_the_same_bytes(photos, tmp_path):
    class Interrupted(MeanColourEncoder):
        def __call__(self, images, training=False):
            descriptors = super().__call__(images)
            check = tf.debugging.assert_less(self.num_images, tf.constant(9, tf.int64))
            with tf.control_dependencies([check]):
                return tf.identity(descriptors) * np.nan

    whole = describe(MeanColourEncoder(), photos, tmp_path / "whole")
    with pytest.raises(DescriptorError):
        describe(Interrupted(), photos, tmp_path / "d")
    found = describe(MeanColourEncoder(), photos, tmp_path / "d")
    np.testing.assert_array_equal(found.in_memory(), whole.in_memory())


def test_changed_photos_are_described_anew(photos, tmp_path):
    describe(MeanColourEncoder(), photos, tmp_path / "d")
    write_photo(tmp_path / "photos" / "3.jpg", (9, 9, 200), gps=gps_of(37.7, -122.5))
    photos = scan_photos(tmp_path / "photos", progress=False)
    found = describe(MeanColourEncoder(), photos, tmp_path / "d")
    assert found.in_memory()[3, 2] > 0.9


def test_photos_that_are_too_small_for_the_encoder_are_rejected(photos, tmp_path):
    class Large(MeanColourEncoder):
        def __call__(self, images, training=False):
            check = tf.debugging.assert_greater(tf.shape(images)[1], 30, "too small")
            with tf.control_dependencies([check]):
                return super().__call__(images)

    write_photo(tmp_path / "small.jpg", size=(20, 20))
    named = scan_named_photos([tmp_path / "small.jpg", photos.file(0)])
    found = describe(Large(), named)
    assert found.rows.tolist() == [1]
    assert "refuses images of 20x20 pixels" in found.photos.rejected[0].reason


def test_no_photo_at_all(tmp_path):
    found = describe(MeanColourEncoder(), scan_named_photos([tmp_path / "gone.jpg"]))
    assert found.in_memory().shape == (0, 3)
    assert len(found.photos.rejected) == 1
