"""Photos of another domain in the batches, by position alone."""

import dataclasses

import numpy as np
import pytest

from tests.vpr_tf.data.prepared_fixture import stored, write_prepared_dataset
from vpr_tf.config import (
    AugmentationConfig,
    ConfigError,
    Preprocessing,
    TargetConfig,
    TrainConfig,
)
from vpr_tf.data.image_batches import ImageBatches, SplitImages
from vpr_tf.data.prepared_dataset import DatasetError
from vpr_tf.data.record_reading import stored_images
from vpr_tf.data.target_photos import TargetLabels, draw_whole_photos
from vpr_tf.data.training_batches import damaged_samples_named, training_batches
from vpr_tf.extraction import Target

NUM_OF_TARGET = 5
SQUARE = Preprocessing("square", 16)
CONFIG = TrainConfig(
    batch_size=4,
    image_size=16,
    augmentation=AugmentationConfig(0, 0, 0, 0, 0),
    objectives=[{"name": "class_heads"}, {"name": "domain_adversarial"}],
    target=TargetConfig("test-queries", photos_per_batch=2),
)


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    """What is trained on, and the photos of the target."""
    return [
        write_prepared_dataset(
            tmp_path_factory.mktemp(name),
            [stored(16, 16, seed=first + i, class_id=i % 3) for i in range(count)],
        )
        for name, first, count in (("source", 0, 12), ("target", 99, NUM_OF_TARGET))
    ]


@pytest.fixture(scope="module")
def photos_of_target(datasets):
    draw = draw_whole_photos(photos_of(datasets[1]), 16)
    drawn = [draw(np.array([0, number], np.int64)).numpy() for number in range(60)]
    return np.unique(drawn, axis=0)


def photos_of(dataset):
    return SplitImages(dataset.split("train"))


def batches(datasets, config=CONFIG, seed=7, with_target=True, **options):
    source, target = datasets
    made = training_batches(
        source.split("train"),
        source.partition("cosplace"),
        *(0, config, seed),
        target=photos_of(target) if with_target else None,
        **options,
    )
    return list(made.as_numpy_iterator()) if "num_samples" in options else made


def numbers_of(images, photos):
    """Returns which photo each image is."""
    distances = np.abs(images[:, None] - photos).max(axis=(2, 3, 4))
    assert (distances.min(axis=1) < 1e-6).all()
    return distances.argmin(axis=1)


def test_photos_of_the_target_stand_behind_those_of_a_batch(datasets, photos_of_target):
    assert len(photos_of_target) == NUM_OF_TARGET
    alone = batches(datasets, with_target=False, num_samples=20)
    both = batches(datasets, num_samples=20)
    assert len(both) == len(alone) == 5
    seen = []
    for (images, targets), (expected, of_source) in zip(both, alone, strict=True):
        assert images.shape == (6, 16, 16, 3)
        np.testing.assert_array_equal(images[:4], expected)
        np.testing.assert_array_equal(targets["class_index"], of_source["class_index"])
        np.testing.assert_array_equal(targets["is_target"], [0, 0, 0, 0, 1, 1])
        seen += numbers_of(images[4:], photos_of_target).tolist()
    # Two passes, each over all photos, in different orders.
    first, second = seen[:5], seen[5:]
    assert sorted(first) == sorted(second) == list(range(NUM_OF_TARGET))
    assert first != second


def test_a_later_start_and_several_readers_see_the_same(datasets):
    whole = batches(datasets, num_samples=16)
    later = batches(datasets, num_samples=8, start_position=8)
    for (images, _), (expected, _) in zip(later, whole[2:], strict=True):
        np.testing.assert_array_equal(images, expected)
    readers = [
        batches(
            datasets,
            num_samples=16,
            num_replicas=2,
            num_input_pipelines=2,
            input_pipeline_id=number,
        )
        for number in range(2)
    ]
    for (images, _), *parts in zip(whole, *readers, strict=True):
        (first, _), (second, _) = parts
        np.testing.assert_array_equal(
            np.concatenate([first[:2], second[:2], first[2:], second[2:]]), images
        )


def test_another_seed_draws_others(datasets, photos_of_target):
    orders = {
        tuple(
            number
            for images, _ in batches(datasets, seed=seed, num_samples=20)
            for number in numbers_of(images[4:], photos_of_target)
        )
        for seed in range(4)
    }
    assert len(orders) == 4


def test_mixing_needs_no_photos_in_the_batch(datasets):
    extra = [{"name": "FourierMixing", "probability": 1.0, "window": 0.2}]
    config = dataclasses.replace(
        CONFIG,
        objectives=[{"name": "class_heads"}],
        augmentation=AugmentationConfig(0, 0, 0, 0, 0, extra=extra),
    )
    (mixed, targets), *_ = batches(datasets, config, num_samples=4)
    (plain, _), *_ = batches(datasets, num_samples=4, with_target=False)
    assert mixed.shape == (4, 16, 16, 3)
    assert "is_target" not in targets
    assert np.abs(mixed - plain).max(axis=(1, 2, 3)).min() > 0.01
    again = batches(datasets, config, num_samples=4)[0][0]
    np.testing.assert_array_equal(again, mixed)


def test_photos_with_a_label_come_with_it(datasets, photos_of_target):
    rows = np.array([3, 1], np.int64)
    place = np.arange(8, dtype=np.float32).reshape(2, 4)
    labels = TargetLabels(rows, np.array([2, 0], np.int32), place)
    objectives = [*CONFIG.objectives, {"name": "pseudo_labels"}]
    for listed, known in ((objectives, None), (objectives[::2], rows)):
        config = dataclasses.replace(CONFIG, objectives=listed)
        made = batches(datasets, config, num_samples=20, target_labels=labels)
        seen = {}
        for images, targets in made:
            numbers = numbers_of(images[4:], photos_of_target)
            said = targets["target_class_index"], targets["target_place"]
            for number, *own in zip(numbers.tolist(), *said, strict=True):
                seen[number] = own
        by_class = {int(index): row for index, row in seen.values()}
        assert len(seen) == (NUM_OF_TARGET if known is None else len(rows))
        assert set(by_class) == ({-1, 0, 2} if known is None else {0, 2})
        np.testing.assert_array_equal(by_class[2], place[0])
        np.testing.assert_array_equal(by_class[0], place[1])
        (own,) = [number for number, (index, _) in seen.items() if index == 2]
        batch = ImageBatches(photos_of(datasets[1]), SQUARE)
        ((whole, _),) = batch.iterate(rows[:1])
        np.testing.assert_allclose(photos_of_target[own], whole[0], atol=1e-6)


def test_without_labels_there_are_no_photos_of_the_target(datasets):
    objectives = [{"name": "class_heads"}, {"name": "pseudo_labels"}]
    config = dataclasses.replace(CONFIG, objectives=objectives)
    none = TargetLabels(np.empty(0, np.int64), np.empty(0, np.int32))
    for labels in (None, none):
        (images, targets), *_ = batches(
            datasets, config, num_samples=4, target_labels=labels
        )
        assert images.shape == (4, 16, 16, 3)
        assert list(targets) == ["class_index"]


@pytest.fixture
def folder(datasets, tmp_path):
    """The photos of the target, as files."""
    folder = tmp_path / "night"
    folder.mkdir()
    split = datasets[1].split("train")
    for number, content in enumerate(stored_images(split, np.arange(len(split)))):
        (folder / f"{number}.png").write_bytes(content)
    return folder


def test_a_folder_gives_the_batches_of_a_split(datasets, folder):
    (folder / "broken.jpg").write_bytes(b"no photo")
    target = Target.of(TargetConfig(photos=str(folder)), datasets[0])
    assert target.adapted_to.text == target.photos.name == "the photos of night"
    expected = batches(datasets, num_samples=12)
    source = datasets[0]
    found = training_batches(
        source.split("train"),
        source.partition("cosplace"),
        *(0, CONFIG, 7),
        num_samples=12,
        target=target.photos,
    )
    for (images, _), (wanted, _) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(images, wanted)


def test_photos_of_a_folder_are_recognised_by_what_they_hold(datasets, folder):
    def is_split():
        target = Target.of(TargetConfig(photos=str(folder)), datasets[0])
        return [target.is_split(dataset, "train") for dataset in datasets]

    (folder / "0.png").rename(folder / "z.png")
    assert is_split() == [False, True]
    (folder / "1.png").unlink()
    assert is_split() == [False, False]


def test_a_photo_that_changed_is_named(datasets, folder):
    photos = Target.of(TargetConfig(photos=str(folder)), datasets[0]).photos
    (folder / "2.png").write_bytes(b"no photo")
    source = datasets[0].split("train"), datasets[0].partition("cosplace")
    with (
        pytest.raises(DatasetError, match=r"night, cannot be read: '2\.png': file has"),
        damaged_samples_named(*source, [0], CONFIG, 7, 0, target=photos),
    ):
        list(training_batches(*source, 0, CONFIG, 7, num_samples=12, target=photos))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"split": "night"}, r"target.split`: .*no split 'night'.*train"),
        ({"photos": "nowhere"}, r"target.photos`: No folder of photos at nowhere"),
        ({}, "needs either `split`, the name of a split, or `photos`"),
        ({"split": "x", "photos": "y"}, "Received: split='x', photos='y'"),
    ],
)
def test_photos_that_are_not_there_are_refused(datasets, fields, message):
    with pytest.raises(ConfigError, match=message):
        Target.of(TargetConfig(**fields), datasets[0])
