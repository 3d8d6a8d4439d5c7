"""The numbers and the text that `inspect` prints."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from data_prep.inspection.spacing import measure_spacing
from vpr_tf.config import EigenPlacesConfig, PartitionConfig, grid_config
from vpr_tf.data import Partition, PreparedDataset, SplitIndex
from vpr_tf.geo import constant_heading_text, ecef, local_text
from vpr_tf.photos.schema import UNKNOWN_DEGREES_E7
from vpr_tf.tables import Column, Table

HEADING_BINS = 36
_ROWS_AT_ONCE = 1 << 20
_TURN_DEG = 360


@dataclass
class SplitStatistics:
    """Counts of one split.

    Attributes:
        num_images: Records.
        sizes: Smallest and largest height and width.
        images_per_year: By year; 0 is unknown.
        images_per_heading: In bins of ten degrees from north.
        num_without_heading: Images whose heading is missing.
        num_local: Images whose position is in local coordinates.
        heading_range: Lowest and highest of the headings that are known.
        num_rotated: Images whose EXIF orientation is not upright.
        photos_per_place: Images of each place that has a number.
        num_sequences: Drives that have a name.
    """

    num_images: int = 0
    sizes: tuple[int, int, int, int] = (0, 0, 0, 0)
    images_per_year: dict[int, int] = field(default_factory=dict)
    images_per_heading: np.ndarray = field(
        default_factory=lambda: np.zeros(HEADING_BINS, np.int64)
    )
    num_without_heading: int = 0
    num_local: int = 0
    heading_range: tuple[float, float] = (np.inf, -np.inf)
    num_rotated: int = 0
    photos_per_place: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    num_sequences: int = 0


def count_split(index: SplitIndex) -> SplitStatistics:
    """Counts sizes, years and headings of a split."""
    result = SplitStatistics(num_images=len(index))
    heights, widths = index.column("height"), index.column("width")
    if len(index):
        extremes = (heights.min(), heights.max(), widths.min(), widths.max())
        result.sizes = tuple(int(value) for value in extremes)  # type: ignore[assignment]
    for start in range(0, len(index), _ROWS_AT_ONCE):
        piece = slice(start, start + _ROWS_AT_ONCE)
        _count_years(result, np.asarray(index.column("timestamp")[piece]))
        _count_headings(result, np.asarray(index.column("heading_deg")[piece]))
        degrees_e7 = np.asarray(index.column("latitude_e7")[piece])
        result.num_local += int(np.count_nonzero(degrees_e7 == UNKNOWN_DEGREES_E7))
        orientations = index.column("exif_orientation")[piece]
        result.num_rotated += int(np.count_nonzero(orientations > 1))
    places = np.asarray(index.column("place_id"))
    _, result.photos_per_place = np.unique(places[places >= 0], return_counts=True)
    sequences = np.unique(np.asarray(index.column("sequence")))
    result.num_sequences = int(np.count_nonzero(sequences != b""))
    return result


def _count_years(result: SplitStatistics, timestamps: np.ndarray) -> None:
    texts, counts = np.unique(timestamps.astype("S4"), return_counts=True)
    for text, count in zip(texts.tolist(), counts.tolist(), strict=True):
        year = int(text) if text else 0
        result.images_per_year[year] = result.images_per_year.get(year, 0) + count


def _count_headings(result: SplitStatistics, headings: np.ndarray) -> None:
    known = headings[headings >= 0]
    bins = (known % _TURN_DEG / (_TURN_DEG / HEADING_BINS)).astype(np.int64)
    result.images_per_heading += np.bincount(bins, minlength=HEADING_BINS)
    result.num_without_heading += len(headings) - len(known)
    low, high = result.heading_range
    result.heading_range = (known.min(initial=low), known.max(initial=high))


def describe_splits(
    dataset: PreparedDataset, statistics: dict[str, SplitStatistics]
) -> str:
    """Returns a table of the splits."""
    columns = [Column("split", "text"), *map(Column, ("images", "rejected", "shards"))]
    columns += map(Column, ("MB", "height", "width", "years"))
    rows = []
    for name, counts in statistics.items():
        entry = dataset.manifest["splits"][name]
        years = [year for year in counts.images_per_year if year]
        low_height, high_height, low_width, high_width = counts.sizes
        num_bytes = sum(shard["num_bytes"] for shard in entry["shards"])
        rows.append(
            (
                name,
                counts.num_images,
                entry["num_rejected"],
                len(entry["shards"]),
                num_bytes / 1e6,
                _interval(low_height, high_height),
                _interval(low_width, high_width),
                _interval(min(years), max(years)) if years else "unknown",
            )
        )
    lines = [Table("", columns, rows).to_text()]
    for name, counts in statistics.items():
        entry = dataset.manifest["splits"][name]  # older ones lack some counts
        for number, what in (
            (
                entry.get("num_outside", 0),
                "were outside `build.area`, see rejected.csv",
            ),
            (
                entry.get("num_flagged", 0),
                "were left out by their flags, see rejected.csv",
            ),
            (counts.num_without_heading, "have no heading"),
            (counts.num_rotated, "are rotated by their EXIF orientation"),
        ):
            if number:
                lines.append(f"{name}: {number:,} images {what}")
        lines += _describe_groups(name, counts)
        if counts.num_local:
            lines.append(f"{name}: {local_text(counts.num_local)}")
        num_known = counts.num_images - counts.num_without_heading
        if remark := constant_heading_text(*counts.heading_range, num_known):
            lines.append(f"{name}: {remark}")
    return "\n".join(lines)


def _describe_groups(name: str, counts: SplitStatistics) -> list[str]:
    """Returns how many places and drives a table names, if it does."""
    lines, photos = [], counts.photos_per_place
    if len(photos):
        each = _interval(int(photos.min()), int(photos.max()))
        lines.append(f"{name}: {len(photos):,} places of {each} images")
    if counts.num_sequences:
        lines.append(f"{name}: {counts.num_sequences:,} sequences")
    return lines


def describe_partition(
    partition: Partition, config: PartitionConfig, dropped: np.ndarray
) -> str:
    """Returns what a partition holds.

    Args:
        partition: The partition.
        config: Its parameters.
        dropped: Rows of `CLASS_DTYPE` of the classes below the minimum.
    """
    if partition.is_grid:
        lines = _describe_grid(partition)
    else:
        lines = _describe_by_group(partition, config)
    lines.append(
        f"  dropped: {len(dropped):,} classes with fewer than "
        f"{config.min_images_per_class} images, {dropped['num_images'].sum():,} images "
        "in them"
    )
    if partition.is_grid:
        lines += [f"  {line}" for line in _describe_spacing(partition)]
    return "\n".join(lines)


def _describe_grid(partition: Partition) -> list[str]:
    config = grid_config(partition.parameters)
    images = partition.classes["num_images"]
    _, per_group = np.unique(partition.classes["group_id"], return_counts=True)
    most = config.images_kept_per_class
    limit = "" if most is None else f", at most {most} images of a class"
    if isinstance(config, EigenPlacesConfig):
        shown = "whole panoramas"
        if config.photos != "panoramas":
            shown = (
                f"photos that look at most {config.largest_turn_deg:g} deg past them"
            )
        limit = (
            f"; lateral and frontal focal points {config.focal_distance_m:g} m away, "
            + shown
        )
    return [
        f"partition {partition.name}: M={config.cell_size_m} m, "
        f"alpha={config.heading_bin_deg} deg, N={config.cell_stride}, "
        f"L={config.heading_stride}, order {config.group_order}{limit}",
        f"  {len(images):,} classes in {len(per_group):,} groups "
        f"({_interval(int(per_group.min()), int(per_group.max()))} a group), "
        f"{images.sum():,} images",
        f"  {_quartiles(images)}",
    ]


def _describe_by_group(partition: Partition, config: PartitionConfig) -> list[str]:
    shown_elsewhere = ("name", "min_images_per_class", "method")
    settings = [
        f"{name}={value}"
        for name, value in partition.parameters.items()
        if name not in shown_elsewhere
    ]
    lines = [f"partition {partition.name}: {', '.join([config.method, *settings])}"]
    for group in range(partition.num_groups):
        ids = partition.classes_of_group(group)
        images = partition.classes["num_images"][ids.start : ids.stop]
        lines.append(
            f"  group {group}: {len(ids):,} classes, {images.sum():,} images; "
            f"{_quartiles(images)}"
        )
    if partition.num_groups > 1:
        places = _num_intersections(partition)
        lines.append(f"  all groups together tell {places:,} places apart")
    return lines


def describe_places(partition: Partition, split: SplitIndex) -> str:
    """Returns how far the photos of a class lie apart: a number may stand twice."""
    points = ecef.from_positions(split.positions().take(partition.record_ids))
    starts = partition.class_offsets[:-1]
    sizes = np.diff(partition.class_offsets)
    middles = np.add.reduceat(points, starts) / sizes[:, None]
    away_m = np.linalg.norm(points - np.repeat(middles, sizes, axis=0), axis=1)
    farthest_m = np.maximum.reduceat(away_m, starts)
    return (
        "farthest photo from the middle of its class: median "
        f"{np.median(farthest_m):.1f} m, largest {farthest_m.max():,.1f} m"
    )


def _quartiles(images: np.ndarray) -> str:
    text = "images per class: smallest {:g}, quartiles {:g} {:g} {:g}, largest {:g}"
    return text.format(*np.percentile(images, [0, 25, 50, 75, 100]))


def _num_intersections(partition: Partition) -> int:
    """Number of different combinations of classes that images have in all groups."""
    num_images = int(partition.record_ids.max()) + 1
    classes = np.full((num_images, partition.num_groups), -1, np.int32)
    sizes = np.diff(partition.class_offsets)
    class_ids = np.repeat(np.arange(len(sizes)), sizes)
    groups = partition.classes["group_id"][class_ids]
    classes[partition.record_ids, groups] = class_ids
    return len(np.unique(classes[(classes >= 0).all(axis=1)], axis=0))


def _describe_spacing(partition: Partition) -> list[str]:
    config = grid_config(partition.parameters)
    spacing = measure_spacing(
        partition.classes,
        config.cell_size_m,
        config.cell_stride,
        config.heading_bin_deg,
    )
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
