"""The text that `inspect` prints."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data_prep.inspection.spacing import Spacing
from data_prep.inspection.statistics import SplitStatistics
from vpr_tf.config import GridConfig
from vpr_tf.data import Partition, PreparedDataset


def describe_splits(
    dataset: PreparedDataset, statistics: dict[str, SplitStatistics]
) -> str:
    """Returns a table of the splits."""
    rows: list[tuple[str, ...]] = [
        ("split", "images", "rejected", "shards", "MB", "height", "width", "years")
    ]
    for name, counts in statistics.items():
        entry = dataset.manifest["splits"][name]
        years = [year for year in counts.images_per_year if year]
        low_height, high_height, low_width, high_width = counts.sizes
        num_bytes = sum(shard["num_bytes"] for shard in entry["shards"])
        rows.append(
            (
                name,
                f"{counts.num_images:,}",
                f"{entry['num_rejected']:,}",
                str(len(entry["shards"])),
                f"{num_bytes / 1e6:,.1f}",
                _interval(low_height, high_height),
                _interval(low_width, high_width),
                _interval(min(years), max(years)) if years else "unknown",
            )
        )
    lines = [_table(rows)]
    for name, counts in statistics.items():
        for number, what in (
            (counts.num_without_heading, "have no heading"),
            (counts.num_rotated, "are rotated by their EXIF orientation"),
        ):
            if number:
                lines.append(f"{name}: {number:,} images {what}")
    return "\n".join(lines)


def describe_partition(
    partition: Partition,
    config: GridConfig,
    dropped: tuple[int, int],
    spacing: Spacing,
) -> str:
    """Returns what a partition holds and whether its classes keep their distance.

    Args:
        partition: The partition.
        config: Its parameters.
        dropped: Classes below the minimum, and images in them.
        spacing: Smallest gaps between its classes.
    """
    images = partition.classes["num_images"]
    _, per_group = np.unique(partition.classes["group_id"], return_counts=True)
    quartiles = np.percentile(images, [0, 25, 50, 75, 100])
    return "\n".join(
        [
            f"partition {partition.name}: M={config.cell_size_m} m, "
            f"alpha={config.heading_bin_deg} deg, N={config.cell_stride}, "
            f"L={config.heading_stride}, order {config.group_order}",
            f"  {len(images):,} classes in {len(per_group):,} groups "
            f"({_interval(int(per_group.min()), int(per_group.max()))} a group), "
            f"{images.sum():,} images",
            "  images per class: smallest {:g}, quartiles {:g} {:g} {:g}, largest "
            "{:g}".format(*quartiles),
            f"  dropped: {dropped[0]:,} classes with fewer than "
            f"{config.min_images_per_class} images, {dropped[1]:,} images in them",
            *(f"  {line}" for line in _describe_spacing(spacing, config)),
        ]
    )


def _describe_spacing(spacing: Spacing, config: GridConfig) -> list[str]:
    bound_m = config.cell_size_m * (config.cell_stride - 1)
    bound_deg = config.heading_bin_deg * (config.heading_stride - 1)
    lines = []
    if spacing.metres is None:
        reach_m = config.cell_size_m * config.cell_stride
        text = f"no two cells of one group are within {reach_m} m"
        lines.append(f"{text} (M(N-1) = {bound_m} m): kept")
    else:
        lines.append(
            f"smallest distance between cells of one group: {spacing.metres:g} m "
            f"(M(N-1) = {bound_m} m): {_verdict(spacing.metres >= bound_m)}"
        )
    if spacing.degrees is None:
        lines.append("no cell has two classes in one group")
    else:
        lines.append(
            f"smallest angle between classes of one cell and group: "
            f"{spacing.degrees:g} deg (alpha(L-1) = {bound_deg} deg): "
            f"{_verdict(spacing.degrees >= bound_deg)}"
        )
    return lines


def _verdict(kept: bool) -> str:
    return "kept" if kept else "BROKEN (alpha * L should divide 360)"


def describe_figures(paths: list[Path]) -> str:
    """Returns where the pictures are."""
    return "pictures: " + ", ".join(str(path) for path in paths)


def _interval(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low}-{high}"


def _table(rows: list[tuple[str, ...]]) -> str:
    """Aligns columns: the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
