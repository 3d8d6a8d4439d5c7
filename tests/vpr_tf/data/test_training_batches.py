import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.vpr_tf.data.prepared_fixture import (
    StoredImage,
    encode_image,
    stored,
    write_prepared_dataset,
)
from vpr_tf.config import AugmentationConfig, PlaceHeadConfig, TrainConfig
from vpr_tf.data.class_sampler import sampled_record_ids
from vpr_tf.data.image_decoding import decode_image
from vpr_tf.data.records import parse_record
from vpr_tf.data.training_batches import training_batches

_NO_JITTER = AugmentationConfig(brightness=0, contrast=0, saturation=0, hue=0)
_NO_AUGMENTATION = dataclasses.replace(_NO_JITTER, random_resized_crop=0)
_CONFIG = TrainConfig(batch_size=4, image_size=24)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Five classes in two groups; sizes, formats and orientations are mixed."""
    images = []
    for i in range(18):
        class_id = i % 5
        images.append(
            stored(
                *((40, 56) if i % 3 else (64, 32)),
                seed=i,
                image_format="PNG" if i % 4 == 0 else "JPEG",
                exif_orientation=i % 8 + 1,
                class_id=class_id,
                group_id=0 if class_id < 2 else 1,
            )
        )
    return write_prepared_dataset(tmp_path_factory.mktemp("mixed"), images)


@pytest.fixture(scope="module")
def square_dataset(tmp_path_factory):
    """Twelve plain 48x48 images in three classes of one group."""
    images = [stored(48, 48, seed=i, class_id=i % 3) for i in range(12)]
    return write_prepared_dataset(tmp_path_factory.mktemp("square"), images)


def batches(dataset, config=_CONFIG, group_id=1, seed=7, **options):
    return training_batches(
        dataset.split("train"),
        dataset.partition("cosplace"),
        group_id,
        config,
        seed,
        **options,
    )


def collect(*args, **options) -> tuple[np.ndarray, np.ndarray]:
    images, targets = zip(*batches(*args, **options).as_numpy_iterator(), strict=True)
    return np.concatenate(images), np.concatenate([t["class_index"] for t in targets])


@pytest.mark.parametrize("order", ["crop_first", "jitter_first"])
def test_batches_have_the_promised_shapes_types_and_range(dataset, order):
    config = dataclasses.replace(_CONFIG, augmentation=AugmentationConfig(order=order))
    endless = batches(dataset, config)
    assert endless.element_spec == (
        tf.TensorSpec((4, 24, 24, 3), tf.float32),
        {"class_index": tf.TensorSpec((4,), tf.int32)},
    )
    images, targets = next(iter(endless))
    classes = targets["class_index"]
    assert tf.reduce_min(images) >= 0
    assert tf.reduce_max(images) <= 1 + 1e-6  # of the resize
    assert set(classes.numpy()) <= {0, 1, 2}


def test_same_seed_gives_the_same_bytes_and_another_seed_others(dataset):
    first, again = (collect(dataset, num_samples=8) for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    other = collect(dataset, num_samples=8, seed=8)
    assert (first[0] != other[0]).any()


_EXTRA = [{"name": "GaussianBlur"}, {"name": "Cutout"}, {"name": "keras.RandomShear"}]


@pytest.mark.parametrize("extra", [[], _EXTRA])
def test_pipeline_resumes_at_any_position(dataset, extra):
    augmentation = AugmentationConfig(extra=extra)
    config = dataclasses.replace(_CONFIG, augmentation=augmentation)
    images, classes = collect(dataset, config, num_samples=16)
    plain, _ = collect(dataset, num_samples=16)
    assert (images == plain).all() == (not extra)
    resumed = collect(dataset, config, start_position=5, num_samples=8)
    np.testing.assert_array_equal(resumed[0], images[5:13])
    np.testing.assert_array_equal(resumed[1], classes[5:13])


@pytest.mark.parametrize(("workers", "replicas"), [(1, 2), (2, 2), (2, 4)])
def test_samples_do_not_depend_on_workers_and_replicas(dataset, workers, replicas):
    images, classes = collect(dataset, num_samples=8)
    parts = [
        list(
            batches(
                dataset,
                num_samples=8,
                num_input_pipelines=workers,
                input_pipeline_id=worker,
                num_replicas=replicas,
            ).as_numpy_iterator()
        )
        for worker in range(workers)
    ]
    per_worker = replicas // workers
    elements = [
        part[step * per_worker + replica]
        for step in range(2)
        for part in parts
        for replica in range(per_worker)
    ]
    assert elements[0][0].shape[0] == 4 // replicas
    np.testing.assert_array_equal(np.concatenate([e[0] for e in elements]), images)
    np.testing.assert_array_equal(
        np.concatenate([e[1]["class_index"] for e in elements]), classes
    )


def test_without_augmentation_images_and_classes_are_the_stored_ones(square_dataset):
    config = dataclasses.replace(_CONFIG, image_size=48, augmentation=_NO_AUGMENTATION)
    split = square_dataset.split("train")
    raw = [parse_record(r) for r in tf.data.TFRecordDataset(split.shard_paths)]
    expected = np.stack([decode_image(record["image"]) for record in raw]) / 255
    images, classes = collect(square_dataset, config, 0, num_samples=12)
    ids = sampled_record_ids(square_dataset.partition("cosplace"), 0, config, 7, 0, 12)
    np.testing.assert_array_equal(classes, ids % 3)
    # The JPEG crop is the whole image here, so even its border is equal.
    np.testing.assert_allclose(images, expected[ids], atol=1e-6)


def test_orders_agree_where_the_operations_commute(square_dataset):
    """Brightness and saturation are linear while nothing is clamped."""
    results = []
    for order in ("crop_first", "jitter_first"):
        augmentation = dataclasses.replace(_NO_JITTER, saturation=1e-3, order=order)
        config = dataclasses.replace(_CONFIG, augmentation=augmentation)
        results.append(collect(square_dataset, config, 0, num_samples=8)[0])
    # Clamping and the border of the decoded crop leave small differences.
    assert np.abs(results[0] - results[1]).mean() < 2e-3


def test_exif_orientation_turns_the_training_image(tmp_path):
    """Top red, bottom blue; stored on its side as a phone does (orientation 6)."""
    upright = np.zeros((64, 64, 3), np.uint8)
    upright[:32, :, 0] = upright[32:, :, 2] = 255
    data = encode_image(np.ascontiguousarray(np.rot90(upright)), "PNG")
    train = [StoredImage(data, 64, 64, exif_orientation=6)]
    dataset = write_prepared_dataset(tmp_path, train)
    for order in ("crop_first", "jitter_first"):
        augmentation = dataclasses.replace(_NO_JITTER, order=order)
        config = dataclasses.replace(_CONFIG, augmentation=augmentation)
        images, _ = collect(dataset, config, 0, num_samples=8)
        assert (images[:, 0, :, 0] > 0.99).all()
        assert (images[:, -1, :, 2] > 0.99).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_replicas": 3}, "batch_size=4, num_replicas=3"),
        ({"num_replicas": 1, "num_input_pipelines": 2}, "num_input_pipelines=2"),
        ({"input_pipeline_id": 1}, "Received: 1 of 1"),
        ({"num_samples": 6}, "num_samples=6, batch_size=4"),
        ({"group_id": 2}, "below the 2 groups"),
    ],
)
def test_impossible_options_are_refused(dataset, options, message):
    with pytest.raises(ValueError, match=message):
        batches(dataset, **options)


@pytest.mark.parametrize("values_in_memory", [0, 1 << 20])
def test_descriptors_and_targets_are_those_of_the_sampled_records(
    small_training_dataset, monkeypatch, values_in_memory
):
    module = "vpr_tf.data.training_batches._VALUES_IN_MEMORY"
    monkeypatch.setattr(module, values_in_memory)
    split = small_training_dataset.split("train")
    partition = small_training_dataset.partition("cosplace")
    numbers = np.arange(len(split), dtype=np.float32)
    config = dataclasses.replace(TrainConfig(), batch_size=4)

    batches = training_batches(
        split,
        partition,
        1,
        config,
        5,
        start_position=3,
        num_samples=12,
        descriptors=np.stack([numbers, -numbers], axis=1),
        targets=10 * numbers[:, None],
    )
    found = [(x.numpy(), y["place"].numpy()) for x, y in batches]

    expected = sampled_record_ids(partition, 1, config, 5, 3, 12)
    descriptors = np.concatenate([x for x, _ in found])
    np.testing.assert_array_equal(descriptors[:, 0], expected)
    np.testing.assert_array_equal(descriptors[:, 1], -expected)
    targets = np.concatenate([y for _, y in found])
    np.testing.assert_array_equal(targets[:, 0], 10 * expected)


def test_noise_moves_positions_alone_and_depends_on_the_position(
    small_training_dataset,
):
    split = small_training_dataset.split("train")
    partition = small_training_dataset.partition("cosplace")
    targets = np.zeros((len(split), 4), np.float32)
    targets[:, 0], targets[:, 3] = np.arange(len(split)), 1

    def places(deviation_m, start=0, group=1):
        head = PlaceHeadConfig(position_noise_m=deviation_m)
        config = TrainConfig(batch_size=40, head=head)
        found = training_batches(
            *(split, partition, group, config, 5),
            start_position=start,
            num_samples=2000,
            targets=targets,
            descriptors=targets,
        )
        return np.concatenate([y["place"].numpy() for _, y in found])

    plain, noisy = places(0), places(3.0)
    moved = noisy - plain
    assert (moved[:, 2:] == 0).all()
    np.testing.assert_allclose(moved[:, :2].mean(axis=0), 0, atol=0.3)
    np.testing.assert_allclose(moved[:, :2].std(axis=0), 3, rtol=0.06)
    assert abs(np.corrcoef(moved[:, 0], moved[:, 1])[0, 1]) < 0.1
    assert len(np.unique(moved[:, 0])) > 1990
    np.testing.assert_array_equal(places(3.0, start=800)[:1200], noisy[800:])
    assert (places(3.0, group=0)[:, 1] != noisy[:, 1]).any()


def test_views_of_a_photo_stand_side_by_side_and_differ(dataset):
    config = dataclasses.replace(_CONFIG, objectives=[{"name": "simclr"}])
    images, classes = collect(dataset, config, num_samples=8)
    once, of_photos = collect(dataset, num_samples=8)
    np.testing.assert_array_equal(images[0::2], once)
    np.testing.assert_array_equal(classes, np.repeat(of_photos, 2))
    assert all(
        np.abs(one - other).max() > 0.01
        for one, other in zip(images[0::2], images[1::2], strict=True)
    )
