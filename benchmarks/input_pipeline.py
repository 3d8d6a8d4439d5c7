"""Images per second of the input pipelines and of their parts.

    python -m benchmarks.input_pipeline --config configs/sf_xs_dark.yaml [key=value ...]
    python -m benchmarks.input_pipeline --dataset DIR [--partition NAME]
    python -m benchmarks.input_pipeline --config FILE --augmentations full

Each part includes those above it. The CPU column is time over all cores, so it says
what a part costs even while other programs run. With `--augmentations full` every
augmentation of the registry is listed in the config with its own probability, and the
cost of each on every image follows.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from benchmarks.figures import record
from benchmarks.overrides import parse_with_overrides
from vpr_tf.config import (
    AUGMENTATIONS,
    AugmentationConfig,
    Preprocessing,
    TrainConfig,
    augmentation_of,
    load_config,
)
from vpr_tf.data.augmentation import CROP_DRAWS, Augmentation
from vpr_tf.data.class_sampler import ClassSampler
from vpr_tf.data.color_jitter import JITTER_DRAWS
from vpr_tf.data.extra_augmentations import ExtraAugmentations
from vpr_tf.data.image_batches import ImageBatches, SplitImages
from vpr_tf.data.partition import Partition
from vpr_tf.data.prepared_dataset import PreparedDataset, SplitIndex
from vpr_tf.data.record_reading import RecordReader, pipeline_options
from vpr_tf.data.training_batches import training_batches

_SEED = 0
_WARM_UP_BATCHES = 12


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints one line a part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", help="experiment file")
    parser.add_argument("--dataset", help="prepared dataset, instead of a config")
    parser.add_argument("--partition", default="cosplace")
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 224])
    parser.add_argument("--images", type=int, default=512, help="images a line")
    parser.add_argument(
        "--augmentations",
        choices=("config", "full"),
        default="config",
        help="those of the config, or all of the registry",
    )
    options = parse_with_overrides(parser, arguments)
    if bool(options.config) == bool(options.dataset):
        parser.error("pass either --config FILE or --dataset DIR")
    train, folder, name = TrainConfig(), options.dataset, options.partition
    if options.config:
        experiment = load_config(options.config, options.overrides)
        train, folder = experiment.train, experiment.dataset.path
        name = experiment.partition_name
    if options.augmentations == "full":
        full = dataclasses.replace(train.augmentation, extra=_every_augmentation())
        train = dataclasses.replace(train, augmentation=full)
    dataset = PreparedDataset(folder)
    split, partition = dataset.split("train"), dataset.partition(name)
    num_images = max(options.images // train.batch_size, 1) * train.batch_size
    print(f"{os.cpu_count()} cores, {num_images} images a line")
    print(f"{'':44s} {'images/s':>9s} {'CPU ms':>7s}")
    for size in options.sizes:
        sized = dataclasses.replace(train, image_size=size)
        _measure_training(split, partition, sized, num_images)
        if options.augmentations == "full":
            _measure_each(size, num_images)
    for resize in ("native", "square"):
        preprocessing = Preprocessing(resize, options.sizes[-1])
        batches = ImageBatches(SplitImages(split), preprocessing)
        ids = partition.record_ids[:num_images]
        name = f"evaluation batches, {resize}"
        _measure(name, batches.read(ids), batches.batch_size)


def _measure_training(
    split: SplitIndex, partition: Partition, config: TrainConfig, num_images: int
) -> None:
    size = config.image_size
    for name, load in _parts(split, partition, config).items():
        part = (
            tf.data.Dataset.range(num_images)
            .map(load, num_parallel_calls=os.cpu_count())
            .with_options(pipeline_options(os.cpu_count() or 1))
        )
        _measure(f"{size} {name}", part, 1)
    for order in ("crop_first", "jitter_first"):
        augmentation = dataclasses.replace(config.augmentation, order=order)
        batches = training_batches(
            split,
            partition,
            0,
            dataclasses.replace(config, augmentation=augmentation),
            _SEED,
            num_samples=num_images,
        )
        # Rare augmentations are compiled when they are first drawn.
        warm_up = _WARM_UP_BATCHES if config.augmentation.extra else 2
        name = f"{size} training batches, {order}"
        _measure(name, batches, config.batch_size, warm_up=warm_up)


def _every_augmentation() -> list[dict[str, Any]]:
    """Returns the registry, but for mixing with a target, each as likely as it says."""
    others = ("FourierMixing", "RandomChoice")
    simple = [{"name": name} for name in AUGMENTATIONS if name not in others]
    choices = [{"name": name} for name in ("Grayscale", "Solarize")]
    return [*simple, {"name": "RandomChoice", "choices": choices}]


def _measure_each(size: int, num_images: int) -> None:
    """Measures every augmentation alone, on every image."""
    pixels = tf.random.stateless_uniform([size, size, 3], [0, 1])
    for entry in _every_augmentation():
        augment = ExtraAugmentations([augmentation_of({**entry, "probability": 1.0})])

        def load(position: tf.Tensor, augment: Any = augment) -> tf.Tensor:
            return augment(pixels, tf.stack([tf.constant(_SEED, tf.int64), position]))

        part = (
            tf.data.Dataset.range(num_images)
            .map(load, num_parallel_calls=os.cpu_count())
            .with_options(pipeline_options(os.cpu_count() or 1))
        )
        _measure(f"{size} {entry['name']} on every image", part, 1)


def _parts(
    split: SplitIndex, partition: Partition, config: TrainConfig
) -> dict[str, Callable[[tf.Tensor], Any]]:
    """Returns functions of a position, each with one more part of the pipeline."""
    sampler = ClassSampler(partition, 0, _SEED)
    read = RecordReader(split, sampler.record_ids)
    plain = dataclasses.replace(config.augmentation, order="crop_first", extra=[])
    augment = Augmentation(plain, config.image_size)
    whole = Augmentation(AugmentationConfig(random_resized_crop=0.0), config.image_size)

    def draws(sample: Any) -> tf.Tensor:
        return tf.random.stateless_uniform(
            [CROP_DRAWS + JITTER_DRAWS], sample.augmentation_seed, alg="philox"
        )

    def load_record(position: tf.Tensor) -> tf.Tensor:
        return read(sampler(position).row).image

    def load_crop(position: tf.Tensor) -> tf.Tensor:
        sample = sampler(position)
        return augment.cropped(read(sample.row), draws(sample)[:CROP_DRAWS])

    def load_whole(position: tf.Tensor) -> tf.Tensor:
        sample = sampler(position)
        return whole.cropped(read(sample.row), draws(sample)[:CROP_DRAWS])

    def load_jittered(position: tf.Tensor) -> tf.Tensor:
        sample = sampler(position)
        return augment(read(sample.row), sample.augmentation_seed)

    return {
        "sample": lambda position: sampler(position).row,
        "+ read": load_record,
        "+ decode the whole image, resize": load_whole,
        "+ decode a crop, resize": load_crop,
        "+ colour jitter": load_jittered,
    }


def _measure(
    name: str, dataset: tf.data.Dataset, images_per_element: int, *, warm_up: int = 2
) -> None:
    """Prints the speed of one whole iteration, after a short one to warm up."""
    for _ in dataset.take(warm_up):
        pass
    wall, cpu = time.perf_counter(), time.process_time()
    num_images = sum(1 for _ in dataset) * images_per_element
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{name:44s} {num_images / wall:9.0f} {1e3 * cpu / num_images:7.2f}")
    record("input_pipeline", name, num_images / wall, "images/s")


if __name__ == "__main__":
    main()
