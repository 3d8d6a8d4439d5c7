"""What `inspect` prints and draws of a partition of S2 cells."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import numpy as np

from data_prep.partition.assignment import ClassAssignment, assign_classes
from data_prep.partition.files import column_reader
from vpr_tf.config import PartitionConfig
from vpr_tf.data import Partition, PreparedDataset


def inspect_s2_partition(
    dataset: PreparedDataset, partition: Partition, output: Path
) -> list[Path]:
    """Prints and draws one partition; its pictures carry its name."""
    from data_prep.inspection import figures
    from data_prep.inspection.s2_maps import draw_cells

    config = PartitionConfig.from_parameters(partition.parameters)
    minimum = config.min_images_per_class
    every = dataclasses.replace(config, min_images_per_class=1)
    index = dataset.split("train")
    assignment = assign_classes(column_reader(index, every), every)
    is_small = assignment.classes["num_images"] < minimum
    small = assignment.classes["num_images"][is_small]
    print(describe_s2_partition(partition, len(small), int(small.sum())))
    counts = np.concatenate([partition.classes["num_images"], small])
    paths = [
        figures.draw(
            output / f"{partition.name}_images_per_class.png",
            functools.partial(figures.images_per_class, counts=counts, minimum=minimum),
        )
    ]
    images = index.positions()
    dropped = _dropped_regions(assignment, is_small)
    for zone in np.unique(partition.classes["utm_zone"]).tolist():
        name = f"{partition.name}_map_zone_{abs(zone)}{'N' if zone > 0 else 'S'}.png"
        paths.append(draw_cells(output / name, partition, images, dropped, zone))
    return paths


def describe_s2_partition(
    partition: Partition, num_dropped: int, num_dropped_images: int
) -> str:
    """Returns what a partition of S2 cells holds, a line for each group."""
    parameters = dict(partition.parameters)
    name, minimum = parameters.pop("name"), parameters.pop("min_images_per_class")
    method = parameters.pop("method")
    settings = ", ".join(f"{field}={value}" for field, value in parameters.items())
    lines = [f"partition {name}: {method}, {settings}"]
    for group in range(partition.num_groups):
        ids = partition.classes_of_group(group)
        images = partition.classes["num_images"][ids.start : ids.stop]
        quartiles = np.percentile(images, [0, 25, 50, 75, 100])
        lines.append(
            f"  group {group}: {len(ids):,} classes, {images.sum():,} images; images "
            "per class: smallest {:g}, quartiles {:g} {:g} {:g}, largest {:g}".format(
                *quartiles
            )
        )
    if partition.num_groups > 1:
        places = _num_intersections(partition)
        lines.append(f"  all groups together tell {places:,} places apart")
    lines.append(
        f"  dropped: {num_dropped:,} classes with fewer than {minimum} images, "
        f"{num_dropped_images:,} images in them"
    )
    return "\n".join(lines)


def _num_intersections(partition: Partition) -> int:
    """Number of different combinations of classes that images have in all groups."""
    num_images = int(partition.record_ids.max()) + 1
    classes = np.full((num_images, partition.num_groups), -1, np.int32)
    sizes = np.diff(partition.class_offsets)
    class_ids = np.repeat(np.arange(len(sizes)), sizes)
    groups = partition.classes["group_id"][class_ids]
    classes[partition.record_ids, groups] = class_ids
    return len(np.unique(classes[(classes >= 0).all(axis=1)], axis=0))


def _dropped_regions(assignment: ClassAssignment, is_small: np.ndarray) -> np.ndarray:
    """Returns the regions of small classes, with their groups as class ids."""
    regions = assignment.regions
    if regions is None:
        raise ValueError("The assignment has no regions.")
    regions = regions[is_small[regions["class_id"]]].copy()
    regions["class_id"] = assignment.classes["group_id"][regions["class_id"]]
    return regions
