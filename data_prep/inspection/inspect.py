"""`vpr data inspect`: prints and draws what is in a dataset."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_prep.errors import wrap_disk_errors
from data_prep.inspection.report import (
    describe_figures,
    describe_partition,
    describe_splits,
)
from data_prep.inspection.s2_partitions import inspect_s2_partition
from data_prep.inspection.spacing import measure_spacing
from data_prep.inspection.statistics import SplitStatistics, count_split
from data_prep.partition.assignment import assign_classes
from data_prep.partition.files import column_reader
from vpr_tf.config import GridConfig, grid_config
from vpr_tf.data import Partition, PreparedDataset, verify_split


def inspect_dataset(dataset: PreparedDataset, output: Path) -> list[Path]:
    """Prints what a dataset holds and draws it.

    Returns:
        The pictures, in `output`.
    """
    statistics = {
        name: count_split(dataset.split(name)) for name in dataset.split_names
    }
    print(f"{dataset.path} (fingerprint {dataset.fingerprint[:12]})")
    print(describe_splits(dataset, statistics))
    with wrap_disk_errors(output):
        output.mkdir(parents=True, exist_ok=True)
        pictures = _draw_splits(statistics, output)
        for name in dataset.partition_names:
            pictures += _inspect_partition(dataset, dataset.partition(name), output)
    print(describe_figures(pictures))
    return pictures


def _draw_splits(statistics: dict[str, SplitStatistics], output: Path) -> list[Path]:
    from data_prep.inspection import figures

    draw_years = functools.partial(figures.images_per_year, statistics=statistics)
    paths = [figures.draw(output / "images_per_year.png", draw_years)]
    train = statistics.get("train")
    if train is not None and train.images_per_heading.any():
        draw_headings = functools.partial(figures.headings, counts=train, split="train")
        path, size = output / "headings.png", (5.5, 5.5)
        paths.append(figures.draw(path, draw_headings, size, projection="polar"))
    return paths


def _inspect_partition(
    dataset: PreparedDataset, partition: Partition, output: Path
) -> list[Path]:
    """Prints and draws one partition; its pictures carry its name."""
    from data_prep.inspection import figures

    if partition.regions is not None:
        return inspect_s2_partition(dataset, partition, output)
    config = grid_config(partition.parameters)
    classes = partition.classes
    dropped = _dropped_classes(dataset, config)
    spacing = measure_spacing(
        classes, config.cell_size_m, config.cell_stride, config.heading_bin_deg
    )
    numbers = (len(dropped), int(dropped["num_images"].sum()))
    print(describe_partition(partition, config, numbers, spacing))
    counts = np.concatenate([classes["num_images"], dropped["num_images"]])
    minimum = config.min_images_per_class
    paths = [
        figures.draw(
            output / f"{partition.name}_images_per_class.png",
            lambda axes: figures.images_per_class(axes, counts, minimum),
        ),
        figures.draw(
            output / f"{partition.name}_classes_per_group.png",
            lambda axes: figures.classes_per_group(axes, classes),
        ),
    ]
    for zone in np.unique(classes["utm_zone"]).tolist():
        name = f"{partition.name}_map_zone_{abs(zone)}{'N' if zone > 0 else 'S'}.png"
        in_zone = classes[classes["utm_zone"] == zone]
        draw_map = functools.partial(
            figures.class_map, classes=classes, dropped=dropped, zone=zone
        )
        size = figures.map_size(in_zone)
        paths.append(figures.draw(output / name, draw_map, size))
    return paths


def _dropped_classes(dataset: PreparedDataset, config: GridConfig) -> np.ndarray:
    """Returns the classes that have fewer images than the minimum."""
    every = dataclasses.replace(config, min_images_per_class=1)
    reader = column_reader(dataset.split("train"), every)
    classes = assign_classes(reader, every).classes
    return classes[classes["num_images"] < config.min_images_per_class]


def verify_dataset(dataset: PreparedDataset) -> list[str]:
    """Reads every record; prints and returns what is damaged."""
    damages: list[str] = []
    for name in dataset.split_names:
        damages += _verified(dataset, name)
    for damage in damages:
        print(damage)
    print(f"verified: {len(damages)} damaged places" if damages else "verified: intact")
    return damages


def _verified(dataset: PreparedDataset, name: str) -> Iterator[str]:
    from tqdm import tqdm

    num_records = len(dataset.split(name))
    with tqdm(
        total=num_records, desc=f"verify {name}", unit="image", disable=None
    ) as bar:
        yield from verify_split(dataset, name, bar.update)
