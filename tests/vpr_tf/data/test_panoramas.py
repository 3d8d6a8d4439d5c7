"""Crops of panoramas that look at the focal points of their classes."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_prep.build import build_dataset
from tests.small_training import build_small_encoder
from vpr_tf.config import (
    AugmentationConfig,
    BuildConfig,
    CliqueSamplingConfig,
    ConfigError,
    DatasetConfig,
    EigenPlacesConfig,
    ExperimentConfig,
    TrainConfig,
)
from vpr_tf.data import DatasetError
from vpr_tf.data.panoramas import FocalCrops, crop_lefts
from vpr_tf.data.record_reading import RecordReader
from vpr_tf.data.training_batches import training_batches
from vpr_tf.geo import bearings_deg, utm_to_lat_lon
from vpr_tf.photos import format_image_name
from vpr_tf.training.group_trainer import GroupTrainer
from vpr_tf.training.process import create_strategy

HEIGHT, WIDTH = 16, 104
PARTITION = EigenPlacesConfig(
    photos="panoramas", cell_size_m=20, cell_stride=1, min_images_per_class=3
)
TRAIN = TrainConfig(
    groups_num=1,
    batch_size=4,
    iterations_per_epoch=2,
    image_size=HEIGHT,
    augmentation=AugmentationConfig(0, 0, 0, 0, 0),
)


def build(folder, partition=PARTITION, width=WIDTH):
    """Panoramas whose red tells the column, on a street to the east."""
    rng = np.random.default_rng(0)
    (folder / "train").mkdir()
    columns = np.repeat(np.arange(width)[None], HEIGHT, axis=0)
    for number in range(24):
        pixels = np.stack([columns, 0 * columns + number, 0 * columns], axis=-1)
        east_m = 600_000.0 + 4 * number
        north_m = 4_200_005 + rng.normal()
        latitude, longitude = utm_to_lat_lon(east_m, north_m, 10)
        name = format_image_name(
            utm_east_m=east_m,
            utm_north_m=north_m,
            zone_number=10,
            zone_letter="S",
            latitude=float(latitude),
            longitude=float(longitude),
            pano_id=f"p{number}",
            heading_deg=int(rng.integers(360)),
        )
        buffer = io.BytesIO()
        Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG")
        (folder / "train" / name).write_bytes(buffer.getvalue())
    return build_dataset(
        ExperimentConfig(
            name="p",
            dataset=DatasetConfig(path=str(folder / "dataset")),
            build=BuildConfig(
                source=str(folder), train="train", workers=1, partition=partition
            ),
        )
    )


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return build(tmp_path_factory.mktemp("panoramas"))


def test_equal_to_official_left_edges(golden_dir):
    golden = np.load(golden_dir / "research" / "eigenplaces_M60_N3_min5.npz")
    utm, lefts = golden["utm"], golden["crop_left_px_angle0_angle90"]
    cells = {tuple(c): i for i, c in enumerate(golden["class_east_north"].tolist())}
    for view, angle in enumerate((0, 90)):
        rows = np.flatnonzero(lefts[:, view] >= 0)
        own = [cells[tuple(c)] for c in (utm[rows] // 60 * 60).astype(int).tolist()]
        points = golden[f"focal_point_10m_angle{angle}"][own]
        size = np.full(len(rows), 512), np.full(len(rows), 3328)
        bearings = bearings_deg(utm[rows], points)
        found = crop_lefts(golden["yaw_deg"][rows], bearings, *size)
        np.testing.assert_array_equal(found, lefts[rows, view])


def test_a_class_holds_all_panoramas_of_its_cell(dataset):
    partition = dataset.partition("cosplace")
    assert partition.cuts_panoramas
    assert partition.classes["num_images"].tolist() == [5] * 4 + [4] + [5] * 4 + [4]


def test_crops_look_at_the_focal_point_over_the_seam_too(dataset):
    partition, split = dataset.partition("cosplace"), dataset.split("train")
    middles = []
    for group_id in (0, 1):
        classes = partition.classes_of_group(group_id)
        first, last = partition.class_offsets[[classes.start, classes.stop]]
        records = partition.record_ids[first:last]
        read, cut = RecordReader(split, records), FocalCrops(split, partition, group_id)
        points = np.repeat(
            partition.focal_points[classes.start : classes.stop],
            partition.classes["num_images"][classes.start : classes.stop],
            axis=0,
        )
        for row in range(len(records)):
            place = tf.constant(row, tf.int64)
            crop = cut(read(place), place).numpy()
            assert crop.shape == (HEIGHT, HEIGHT, 3)
            columns = crop[0, :, 0].astype(int)
            np.testing.assert_array_equal(np.diff(columns) % WIDTH, 1)
            middle_deg = (columns[0] + HEIGHT / 2) * 360 / WIDTH
            looks_deg = split.column("heading_deg")[records[row]] - 180 + middle_deg
            bearing = bearings_deg(split.utm_m[records[row]][None], points[row][None])
            turn = (looks_deg - bearing[0] + 180) % 360 - 180
            assert abs(turn) <= 2 * 360 / WIDTH
            middles.append(columns[0])
    assert max(middles) > WIDTH - HEIGHT  # some reach over the seam


@pytest.mark.parametrize("order", ["crop_first", "jitter_first"])
def test_batches_hold_crops_of_their_classes(dataset, order):
    config = TrainConfig(
        **(vars(TRAIN) | {"augmentation": AugmentationConfig(0, 0, 0, 0, 0, order)})
    )
    partition, split = dataset.partition("cosplace"), dataset.split("train")
    batches = training_batches(split, partition, 1, config, 3, num_samples=8)
    for images, targets in batches:
        numbers = np.rint(images.numpy()[:, 0, 0, 1] * 255).astype(int)
        np.testing.assert_array_equal(numbers // 5, targets["class_index"])
        columns = np.rint(images.numpy()[:, 0, :, 0] * 255).astype(int)
        np.testing.assert_array_equal(np.diff(columns, axis=1) % WIDTH, 1)


def trainer_of(dataset, **changes):
    return GroupTrainer(
        build_small_encoder,
        dataset.split("train"),
        dataset.partition("cosplace"),
        TrainConfig(**(vars(TRAIN) | changes)),
        3,
        create_strategy("one_device"),
    )


def test_photos_that_are_no_panoramas_are_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"twice as wide as high\. Received: @0600"):
        trainer_of(build(tmp_path, width=HEIGHT))


def test_whole_panoramas_are_not_described(dataset):
    with pytest.raises(ConfigError, match=r"sampling\.name: cliques` describes"):
        trainer_of(dataset, sampling=CliqueSamplingConfig())
