from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.vpr_tf.evaluation.tiny_dataset import MeanColourEncoder, Shot, write_dataset
from vpr_tf.config import Preprocessing
from vpr_tf.data.record_reading import DamagedRecordError
from vpr_tf.extraction import DescriptorError, FeatureExtractor
from vpr_tf.models import GeoLocalizationNet

SHOTS = [Shot((20 * i, 250 - 20 * i, 128), 10 * i) for i in range(11)]


def extract(encoder, dataset, folder, preprocessing=None):
    extractor = FeatureExtractor(encoder, preprocessing, batch_size=4)
    return extractor.extract_split(dataset, "test-a-database", folder, progress=False)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("descriptors") / "dataset"
    return write_dataset(folder, {"test-a-database": SHOTS})


def expected_of(shots):
    colours = np.array([shot.colour for shot in shots], float)
    return colours / np.linalg.norm(colours, axis=1, keepdims=True)


def test_descriptors_are_in_record_order_and_memory_mapped(dataset, tmp_path):
    found = extract(MeanColourEncoder(), dataset, tmp_path / "d")
    assert isinstance(found, np.memmap)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected_of(SHOTS), atol=0.02)


def test_images_that_the_encoder_refuses_are_named_by_their_size(dataset, tmp_path):
    aggregation = {"name": "optimal_transport", "num_clusters": 512, "token": "mean"}
    encoder = GeoLocalizationNet(
        "EfficientNetLite0", None, aggregation=aggregation, last_stage=0
    )
    encoder.fingerprint = "a"
    with pytest.raises(
        DescriptorError, match=r"32x32 pixels\. Optimal transport needs"
    ):
        extract(encoder, dataset, tmp_path / "d")


def test_sizes_and_orientations_may_differ(tmp_path):
    sizes = [(32, 32), (24, 48), (48, 24), (32, 32), (24, 48)]
    shots = [
        Shot((30 * i + 40, 90, 120), 0, size=size, exif_orientation=1 + 5 * (i % 2))
        for i, size in enumerate(sizes)
    ]
    dataset = write_dataset(tmp_path / "dataset", {"test-a-database": shots})
    for resize in ("native", "shorter_side"):
        preprocessing = Preprocessing(resize, 16)
        found = extract(MeanColourEncoder(), dataset, tmp_path / resize, preprocessing)
        np.testing.assert_allclose(found, expected_of(shots), atol=0.02)


def test_finished_descriptors_are_not_computed_again(dataset, tmp_path):
    encoder = MeanColourEncoder()
    first = np.array(extract(encoder, dataset, tmp_path / "d"))
    np.testing.assert_array_equal(extract(encoder, dataset, tmp_path / "d"), first)
    assert encoder.num_images.numpy() == len(SHOTS)


@pytest.mark.parametrize(
    "change",
    [{"resize": "square", "image_size": 16}, {"precision": "mixed_bfloat16"}],
)
def test_other_preparation_computes_again(dataset, tmp_path, change):
    encoder = MeanColourEncoder()
    extract(encoder, dataset, tmp_path / "d")
    extract(encoder, dataset, tmp_path / "d", Preprocessing(**change))
    assert encoder.num_images.numpy() == 2 * len(SHOTS)


def test_interrupted_extraction_continues(dataset, tmp_path):
    class Interrupted(MeanColourEncoder):
        def __call__(self, images, training=False):
            descriptors = super().__call__(images)
            limit = tf.constant(9, tf.int64)
            check = tf.debugging.assert_less(self.num_images, limit, "enough for now")
            with tf.control_dependencies([check]):
                return tf.identity(descriptors)

    with pytest.raises(DescriptorError, match=r"32x32 pixels\. enough for now"):
        extract(Interrupted(), dataset, tmp_path / "d")
    encoder = MeanColourEncoder()
    found = extract(encoder, dataset, tmp_path / "d")
    assert encoder.num_images.numpy() == len(SHOTS) - 8
    np.testing.assert_allclose(found, expected_of(SHOTS), atol=0.02)


def test_encoder_that_gives_nan_is_named_with_the_image(dataset, tmp_path):
    class Broken(MeanColourEncoder):
        def __call__(self, images, training=False):
            return super().__call__(images) * np.nan

    with pytest.raises(DescriptorError, match=r"test-a-database_0\.jpg. Check its wei"):
        extract(Broken(), dataset, tmp_path / "d")


def test_encoder_of_another_shape_is_refused(dataset, tmp_path):
    class Broken(MeanColourEncoder):
        descriptor_dim = 7

    with pytest.raises(DescriptorError, match=r"shape \(4, 7\). Received: \(4, 3\)"):
        extract(Broken(), dataset, tmp_path / "d")


def test_damaged_record_is_named_and_the_rest_is_kept(tmp_path):
    dataset = write_dataset(tmp_path / "dataset", {"test-a-database": SHOTS})
    split = dataset.split("test-a-database")
    offset = int(split.column("byte_offset")[9])
    with Path(split.shard_paths[0]).open("r+b") as shard:
        shard.seek(offset + 200)
        shard.write(b"damage")
    with pytest.raises(DamagedRecordError, match=f"byte offset {offset}, key .*_9.jpg"):
        extract(MeanColourEncoder(), dataset, tmp_path / "d")
    assert np.load(tmp_path / "d" / "done.npy").any()


def test_some_records_are_described_in_their_order(tmp_path):
    sizes = [(32, 32), (24, 48), (48, 24), (32, 32), (24, 48)]
    shots = [Shot((30 * i + 40, 90, 120), 0, size=size) for i, size in enumerate(sizes)]
    dataset = write_dataset(tmp_path / "dataset", {"test-a-database": shots})
    split = dataset.split("test-a-database")
    rows = np.array([0, 1, 3, 4])
    encoder = MeanColourEncoder()
    extractor = FeatureExtractor(encoder, batch_size=4)
    found = extractor.extract_records(split, rows, progress=False)
    expected = expected_of([shots[row] for row in rows])
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert int(encoder.num_images) == 4
