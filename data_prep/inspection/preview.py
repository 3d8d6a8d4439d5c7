"""`vpr data preview`: what one should look at before training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.spatial import cKDTree

from data_prep.errors import wrap_disk_errors
from vpr_tf.config import TrainConfig
from vpr_tf.data import Partition, PreparedDataset, SplitIndex
from vpr_tf.data.image_sources import EncodedSource
from vpr_tf.evaluation.pictures import NEUTRAL, join_tiles, picture_tile
from vpr_tf.evaluation.record_images import read_image
from vpr_tf.geo import heading_differences_deg

_COLUMNS = 8
_OF_A_CLASS = 4
_NEIGHBOURS = 64  # of an image, among which one of another class is looked for
_SAME_VIEW_DEG = 45.0
_COLOURS = ((31, 119, 180), (214, 110, 20))  # of a class and of its neighbour
_ZONE_M = 1e8  # apart, whatever their coordinates


def preview_dataset(
    dataset: PreparedDataset,
    partition: Partition | None,
    train: TrainConfig,
    output: Path,
    *,
    split_name: str = "train",
    num_rows: int = 6,
    seed: int = 0,
) -> list[Path]:
    """Draws a split, classes beside their neighbours, and augmented images.

    Args:
        dataset: The prepared dataset.
        partition: Whose classes are drawn; None draws the split alone.
        train: Size and augmentation of the images.
        output: Folder of the pictures.
        split_name: Split of the first picture.
        num_rows: Rows of each picture.
        seed: Of the choice of images.

    Returns:
        The pictures: PNG files in `output`.
    """
    rng = np.random.default_rng(seed)
    sheets = {
        split_name: _split_rows(dataset.split(split_name), split_name, num_rows, rng)
    }
    if partition is not None:
        split = dataset.split("train")
        sheets["classes"] = _class_rows(split, partition, num_rows, rng)
        from vpr_tf.extraction import Target

        target = None
        if train.target is not None:
            target = Target.of(train.target, dataset).photos
        sheets["augmented"] = _augmented_rows(
            split, partition, train, target, num_rows, rng
        )
    paths = []
    with wrap_disk_errors(output, "have the pictures elsewhere by `--output DIR`"):
        output.mkdir(parents=True, exist_ok=True)
        for name, rows in sheets.items():
            paths.append(output / f"{name}.png")
            _stacked(list(rows)).save(paths[-1])
            print(paths[-1], flush=True)
    return paths


def _stacked(rows: Sequence[Image.Image]) -> Image.Image:
    width, height = max(row.width for row in rows), sum(row.height for row in rows)
    sheet, top = Image.new("RGB", (width, height), (255, 255, 255)), 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return sheet


def _split_rows(
    split: SplitIndex, name: str, num_rows: int, rng: np.random.Generator
) -> Iterator[Image.Image]:
    """Images of a split, drawn at random and shown in the order of their records."""
    count = min(len(split), num_rows * _COLUMNS)
    chosen = np.sort(rng.choice(len(split), count, replace=False))
    headings = split.column("heading_deg")
    for first in range(0, count, _COLUMNS):
        rows = chosen[first : first + _COLUMNS]
        tiles = [
            picture_tile(read_image(split, row), NEUTRAL, *_caption(row, headings[row]))
            for row in rows.tolist()
        ]
        title = f"{name}, {count} of {len(split):,} images" if first == 0 else ""
        yield join_tiles(tiles, (title, ""))


def _caption(row: int, heading_deg: float) -> tuple[str, str]:
    known = heading_deg >= 0
    return f"{row}", f"{heading_deg:.0f} deg" if known else "no heading"


def _class_rows(
    split: SplitIndex, partition: Partition, num_rows: int, rng: np.random.Generator
) -> Iterator[Image.Image]:
    """A class a row, and beside it the class of the nearest photo across its border."""
    records = np.asarray(partition.record_ids)
    offsets = np.asarray(partition.class_offsets)
    of_class = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    positions = split.positions()
    zones = positions.utm_zone[records].astype(np.float64)[:, None] * _ZONE_M
    points = positions.utm_cm[records] / 100.0 + zones
    headings = split.column("heading_deg")[records]
    tree = cKDTree(points)
    drawn = 0
    for class_id in rng.permutation(len(offsets) - 1).tolist():
        members = np.arange(offsets[class_id], offsets[class_id + 1])
        found = _across_border(members, tree, of_class, records, headings)
        if found is None:
            continue
        other, distance_m = found
        groups = partition.classes["group_id"][[class_id, other]]
        tiles = []
        for one, colour in zip((class_id, other), _COLOURS, strict=True):
            tiles += _class_tiles(
                split, records[offsets[one] : offsets[one + 1]], colour
            )
        yield join_tiles(
            tiles,
            (
                f"class {class_id} of group {groups[0]}, then class {other} of group "
                f"{groups[1]}",
                f"nearest photos {distance_m:.1f} m apart",
            ),
        )
        drawn += 1
        if drawn == num_rows:
            return
    if not drawn:
        yield join_tiles(
            [picture_tile(None, NEUTRAL, "", "")], ("no class has a neighbour", "")
        )


def _across_border(
    members: np.ndarray,
    tree: cKDTree,
    of_class: np.ndarray,
    records: np.ndarray,
    headings: np.ndarray,
) -> tuple[int, float] | None:
    """Returns the class of the nearest photo with the same view, and its distance."""
    count = min(_NEIGHBOURS + len(members), len(of_class))
    distances, near = tree.query(tree.data[members], k=count)
    distances, near = np.atleast_2d(distances), np.atleast_2d(near)
    turns = heading_differences_deg(headings[near], headings[members][:, None])
    is_other = of_class[near] != of_class[members][:, None]
    is_other &= records[near] != records[members][:, None]
    is_other &= np.nan_to_num(turns) <= _SAME_VIEW_DEG
    if not is_other.any():
        return None
    best = np.where(is_other, distances, np.inf).argmin()
    return int(of_class[near.flat[best]]), float(distances.flat[best])


def _class_tiles(
    split: SplitIndex, rows: np.ndarray, colour: tuple[int, int, int]
) -> list[Image.Image]:
    spread = np.linspace(0, len(rows) - 1, min(_OF_A_CLASS, len(rows))).round()
    headings = split.column("heading_deg")
    tiles = []
    for row in rows[spread.astype(int)].tolist():
        caption = _caption(row, headings[row])
        tiles.append(picture_tile(read_image(split, row), colour, *caption))
    return tiles + [picture_tile(None, colour, "", "")] * (_OF_A_CLASS - len(tiles))


def _augmented_rows(
    split: SplitIndex,
    partition: Partition,
    train: TrainConfig,
    target: EncodedSource | None,
    num_rows: int,
    rng: np.random.Generator,
) -> Iterator[Image.Image]:
    """An image a row, then as the encoder is given it: pixels of the right size."""
    import tensorflow as tf

    from vpr_tf.data.augmentation import Augmentation
    from vpr_tf.data.panoramas import FocalCrops
    from vpr_tf.data.record_reading import RecordReader
    from vpr_tf.data.target_photos import draw_whole_photos

    records = np.unique(partition.record_ids)
    if partition.cuts_panoramas:  # which are cut towards the points of their classes
        classes = partition.classes_of_group(0)
        records = partition.record_ids[: partition.class_offsets[classes.stop]]
    places = rng.choice(len(records), min(num_rows, len(records)), replace=False)
    chosen = records[places]
    read = RecordReader(split, chosen)
    draw_target = draw_whole_photos(target, train.image_size) if target else None
    augment = Augmentation(
        train.augmentation, train.image_size, draw_target=draw_target
    )
    cut = FocalCrops(split, partition, 0) if partition.cuts_panoramas else None
    rows = tf.constant(places, tf.int64)

    def shown(k: tf.Tensor) -> tf.Tensor:
        number, seed = k // (_COLUMNS - 1), tf.stack([tf.zeros_like(k), k])
        record = read(number)
        if cut is None:
            return augment(record, seed)
        return augment.of_pixels(cut(record, rows[number]), seed)

    order = tf.range(len(chosen) * (_COLUMNS - 1), dtype=tf.int64)
    images = tf.data.Dataset.from_tensor_slices(order).map(shown)
    seen, size = images.as_numpy_iterator(), f"{train.image_size} px"
    for number, row in enumerate(chosen.tolist()):
        tiles = [picture_tile(read_image(split, row), NEUTRAL, f"{row}", "stored")]
        for _ in range(_COLUMNS - 1):
            pixels = np.rint(np.clip(next(seen), 0, 1) * 255).astype(np.uint8)
            tiles.append(picture_tile(pixels, _COLOURS[0], "", size))
        extra = ", ".join(str(entry["name"]) for entry in train.augmentation.extra)
        title = f"augmented; extra: {extra or 'none'}" if number == 0 else ""
        yield join_tiles(tiles, (title, ""))
