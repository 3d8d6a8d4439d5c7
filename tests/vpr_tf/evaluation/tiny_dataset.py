"""A prepared dataset of a few small images with positions of one's choice."""

import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from vpr_tf.data.prepared_dataset import INDEX_COLUMNS, PreparedDataset
from vpr_tf.data.records import NO_CLASS, encode_record_parts

EAST_CM, NORTH_CM = 548_000_00, 4_173_000_00


@dataclass(frozen=True)
class Shot:
    """An image of one colour (and a little texture) somewhere along a street."""

    colour: tuple[int, int, int]
    east_m: float
    zone: int = 10
    size: tuple[int, int] = (32, 32)  # height, width
    exif_orientation: int = 1
    file_format: str = "JPEG"
    key: str | None = None  # by split and number
    heading_deg: float = 0.0
    timestamp: str = ""

    def encode(self, seed: int) -> bytes:
        noise = np.random.default_rng(seed).integers(-8, 9, (*self.size, 3))
        pixels = np.clip(np.array(self.colour) + noise, 0, 255).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, self.file_format)
        return file.getvalue()


def write_dataset(folder: Path, splits: dict[str, list[Shot]]) -> PreparedDataset:
    """Writes splits such as val-database; pairs of database and queries become sets."""
    folder.mkdir(parents=True)
    manifest = {
        "format_version": 1,
        "dataset_fingerprint": "0123456789abcdef",
        "splits": {name: _write_split(folder, name, splits[name]) for name in splits},
        "val": None,
        "tests": {},
    }
    for name in sorted({split.rpartition("-")[0] for split in splits}):
        entry = {"database": f"{name}-database", "queries": f"{name}-queries"}
        if not set(entry.values()) <= set(splits):
            continue
        if name == "val":
            manifest["val"] = entry
        else:
            manifest["tests"][name.removeprefix("test-")] = entry
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return PreparedDataset(folder)


def _write_split(folder: Path, name: str, shots: list[Shot]) -> dict:
    columns: dict[str, list] = {column: [] for column in INDEX_COLUMNS}
    file = f"{name}-00000-of-00001.tfrecord"
    offset = 0
    with tf.io.TFRecordWriter(str(folder / file)) as writer:
        for number, shot in enumerate(shots):
            record = {
                "image": shot.encode(number),
                "key": shot.key or f"{name}_{number}.jpg",
                "height": shot.size[0],
                "width": shot.size[1],
                "exif_orientation": shot.exif_orientation,
                "utm_east_cm": EAST_CM + round(shot.east_m * 100),
                "utm_north_cm": NORTH_CM,
                "utm_zone": shot.zone,
                "latitude_e7": 37_7000000,
                "longitude_e7": -122_4500000,
                "heading_deg": shot.heading_deg,
                "timestamp": shot.timestamp,
                "class_id": NO_CLASS,
                "group_id": NO_CLASS,
            }
            serialized = b"".join(encode_record_parts(record))
            writer.write(serialized)
            place = {"shard": 0, "byte_offset": offset, "length": len(serialized)}
            for column in columns:
                value = place.get(column, record.get(column))
                columns[column].append(value.encode() if type(value) is str else value)
            offset += len(serialized) + 16
    (folder / f"{name}.index").mkdir()
    for column, dtype in INDEX_COLUMNS.items():
        array = np.array(columns[column], None if dtype == "|S" else dtype)
        array = array.astype("S1") if dtype == "|S" and not shots else array
        np.save(folder / f"{name}.index" / f"{column}.npy", array)
    return {"shards": [{"file": file}], "num_records": len(shots)}


class MeanColourEncoder:
    """Describes an image by its mean colour; counts the images it was given."""

    descriptor_dim = 3
    fingerprint = "mean colour"

    def __init__(self) -> None:
        self.num_images = tf.Variable(0, dtype=tf.int64)

    def __call__(self, images, training=False):
        self.num_images.assign_add(tf.shape(images, out_type=tf.int64)[0])
        return tf.math.l2_normalize(tf.reduce_mean(images, axis=(1, 2)), axis=1)
