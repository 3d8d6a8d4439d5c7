"""`vpr data inspect`: prints and draws what is in a dataset."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_prep.errors import wrap_disk_errors
from data_prep.inspection.report import (
    SplitStatistics,
    count_split,
    describe_figures,
    describe_partition,
    describe_places,
    describe_splits,
)
from data_prep.partition.assignment import (
    ClassAssignment,
    assign_classes,
    column_reader,
)
from vpr_tf.config import PartitionConfig
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
    old = [
        name for name in dataset.split_names if not dataset.split(name).has_checksums
    ]
    if old:
        print(
            f"without checksums of the columns: {', '.join(old)}; an altered position "
            "is not noticed there until the dataset is built again"
        )
    with wrap_disk_errors(output, "have the pictures elsewhere by `--output DIR`"):
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
    from data_prep.inspection.class_maps import draw_class_map
    from data_prep.inspection.s2_maps import draw_cells

    config = PartitionConfig.from_parameters(partition.parameters)
    split, classes = dataset.split("train"), partition.classes
    every = dataclasses.replace(config, min_images_per_class=1)
    assignment = assign_classes(column_reader(split, every), every)
    is_small = assignment.classes["num_images"] < config.min_images_per_class
    dropped = assignment.classes[is_small]
    print(describe_partition(partition, config, dropped))
    if not partition.has_ground:
        print(f"  {describe_places(partition, split)}")
    counts = np.concatenate([classes["num_images"], dropped["num_images"]])
    draw_counts = functools.partial(
        figures.images_per_class, counts=counts, minimum=config.min_images_per_class
    )
    start = f"{output}/{partition.name}_"
    paths = [figures.draw(Path(f"{start}images_per_class.png"), draw_counts)]
    if partition.is_grid:
        draw_groups = functools.partial(figures.classes_per_group, classes=classes)
        paths.append(figures.draw(Path(f"{start}classes_per_group.png"), draw_groups))
    for zone in np.unique(classes["utm_zone"]).tolist():
        frame = f"zone_{abs(zone)}{'N' if zone > 0 else 'S'}" if zone else "local"
        path = Path(f"{start}map_{frame}.png")
        if partition.regions is None:
            points, every_point = None, assignment.focal_points
            if partition.focal_points is not None and every_point is not None:
                points = partition.focal_points, every_point[is_small]
            paths.append(draw_class_map(path, classes, dropped, config, zone, points))
        else:
            small = _regions_of(assignment, is_small)
            paths.append(draw_cells(path, partition, split.positions(), small, zone))
    return paths


def _regions_of(assignment: ClassAssignment, is_chosen: np.ndarray) -> np.ndarray:
    """Returns the regions of some classes, with their groups as class ids."""
    regions = assignment.regions
    if regions is None:
        raise ValueError("The assignment has no regions.")
    regions = regions[is_chosen[regions["class_id"]]].copy()
    regions["class_id"] = assignment.classes["group_id"][regions["class_id"]]
    return regions


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
    from vpr_tf.terminal_bar import TerminalBar

    num_records = len(dataset.split(name))
    with TerminalBar(
        total=num_records, desc=f"verify {name}", unit="image", disable=None
    ) as bar:
        yield from verify_split(dataset, name, bar.update)
