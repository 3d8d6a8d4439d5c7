"""Writes small prepared datasets; every byte of a record is the test's choice."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from vpr_tf.data.dataset_manifest import FORMAT_VERSION
from vpr_tf.data.partition import CLASS_DTYPE
from vpr_tf.data.prepared_dataset import INDEX_COLUMNS, PreparedDataset
from vpr_tf.data.records import encode_record_parts


@dataclasses.dataclass(frozen=True)
class StoredImage:
    """One record: encoded bytes and what the index says of them."""

    data: bytes
    height: int
    width: int
    exif_orientation: int = 1
    class_id: int = 0
    group_id: int = 0


def encode_image(pixels: np.ndarray, image_format: str = "JPEG", **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, image_format, **options)
    return file.getvalue()


def smooth_pixels(height: int, width: int, seed: int) -> np.ndarray:
    """A photo-like image: coarse colours, enlarged."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height)))


def stored(
    height: int, width: int, seed: int, image_format: str = "JPEG", **fields
) -> StoredImage:
    data = encode_image(smooth_pixels(height, width, seed), image_format)
    return StoredImage(data, height, width, **fields)


def write_split(
    folder: Path, name: str, images: Sequence[StoredImage], images_per_shard: int = 5
) -> list[str]:
    """Writes shards and index of one split and returns the shards' names."""
    num_shards = max(1, -(-len(images) // images_per_shard))
    rows: list[dict] = []
    files = [f"{name}-{i:05d}-of-{num_shards:05d}.tfrecord" for i in range(num_shards)]
    for shard, file in enumerate(files):
        part = images[shard * images_per_shard : (shard + 1) * images_per_shard]
        offset = 0
        with tf.io.TFRecordWriter(str(folder / file)) as writer:
            for image in part:
                record = _record(image, f"@{name}@{len(rows)}.jpg")
                serialized = b"".join(encode_record_parts(record))
                writer.write(serialized)
                place = {
                    "shard": shard,
                    "byte_offset": offset,
                    "length": len(serialized),
                }
                rows.append(record | place)
                offset += len(serialized) + 16
    index = folder / f"{name}.index"
    index.mkdir()
    for column, dtype in INDEX_COLUMNS.items():
        values = [row[column] for row in rows]
        if dtype == "|S":
            values = [value.encode() for value in values]
        np.save(index / f"{column}.npy", np.array(values, dtype))
    return files


def write_prepared_dataset(
    folder: Path, train: Sequence[StoredImage], database: Sequence[StoredImage] = ()
) -> PreparedDataset:
    """Writes a dataset whose partition follows the class and group ids of `train`."""
    folder.mkdir(parents=True, exist_ok=True)
    splits = {}
    for name, images in (("train", train), ("val-database", database)):
        files = write_split(folder, name, images)
        splits[name] = {"shards": [{"file": file} for file in files]}
    manifest = {
        "format_version": FORMAT_VERSION,
        "dataset_fingerprint": "test",
        "splits": splits,
        "tests": {},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    _write_partition(folder / "partitions" / "cosplace", train)
    return PreparedDataset(folder)


def _record(image: StoredImage, key: str) -> dict:
    return {
        "image": image.data,
        "key": key,
        "height": image.height,
        "width": image.width,
        "exif_orientation": image.exif_orientation,
        "utm_east_cm": 0,
        "utm_north_cm": 0,
        "utm_zone": 10,
        "latitude_e7": 0,
        "longitude_e7": 0,
        "heading_deg": 0.0,
        "timestamp": "",
        "class_id": image.class_id,
        "group_id": image.group_id,
    }


def _write_partition(folder: Path, train: Sequence[StoredImage]) -> None:
    class_ids = np.array([image.class_id for image in train])
    counts = np.bincount(class_ids)
    classes = np.zeros(len(counts), CLASS_DTYPE)
    classes["num_images"] = counts
    for image in train:
        classes["group_id"][image.class_id] = image.group_id
    folder.mkdir(parents=True)
    np.save(folder / "classes.npy", classes)
    np.save(folder / "class_offsets.npy", np.concatenate([[0], np.cumsum(counts)]))
    np.save(folder / "record_ids.npy", np.argsort(class_ids, kind="stable"))
    (folder / "partition.json").write_text(json.dumps({"parameters": {}}))
