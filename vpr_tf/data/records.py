"""The TFRecord format of a prepared dataset; the only place that knows its keys.

A record is an image and the fields of `photos.schema`: `image` holds the bytes of its
JPEG or PNG file, `key` its name; `class_id` and `group_id` are those of the partition
named in the manifest, -1 when the image is in no class.

Records are encoded here, not by protobuf: that takes six times as long (60 against 10
microseconds a record, as long as reading and checking an image of the disk cache), and
TensorFlow's own messages would make each worker of a build import TensorFlow.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import google_crc32c
import numpy as np

from vpr_tf.photos.schema import PHOTO_COLUMNS

NO_CLASS = -1
FRAME_BYTES = 16  # of a TFRecord: length, its checksum, checksum of the data
_MASK_DELTA = 0xA282EAD8


def _features(kind: str) -> tuple[str, ...]:
    return tuple(
        n for n, dtype in PHOTO_COLUMNS.items() if np.dtype(dtype).kind in kind
    )


_BYTES = ("image", "key", *_features("S"))
_INTEGERS = (*_features("iu"), "class_id", "group_id")
_FLOATS = _features("f")
RECORD_FIELDS = ("image", "key", *PHOTO_COLUMNS, "class_id", "group_id")


def encode_record_parts(record: Mapping[str, Any]) -> tuple[bytes, bytes, bytes]:
    """Returns the serialized `tf.train.Example` as (head, image, tail).

    Args:
        record: The value of each of `RECORD_FIELDS`.

    The three parts follow one another on disk; apart, the image needs no copy. The
    bytes are those of protobuf's deterministic serialization, keys sorted, written
    without TensorFlow so that the workers of a build start at once.
    """
    parts: list[bytes] = []
    for name in _SORTED_NAMES:
        value = record[name]
        if name in _INTEGER_HEADS:
            packed = _varint(value & _UINT64)
            parts += (_INTEGER_HEADS[name][len(packed)], packed)
        elif name in _FLOATS:
            parts += (_field_head(name, _FLOAT_LIST, 4), struct.pack("<f", value))
        else:
            data = value if isinstance(value, bytes) else value.encode()
            parts += (_field_head(name, _BYTES_LIST, len(data)), data)
            if name == "image":
                image_position = len(parts) - 1
    head = b"".join(parts[:image_position])
    tail = b"".join(parts[image_position + 1 :])
    image = parts[image_position]
    # An Example is one field: the map of features.
    length = len(head) + len(image) + len(tail)
    return b"\n" + _varint(length) + head, image, tail


@functools.lru_cache(maxsize=1 << 14)
def _varint(value: int) -> bytes:
    """Base-128 encoding of an unsigned number."""
    if value < 128:
        return _ONE_BYTE[value]
    encoded = bytearray()
    while value >= 128:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _delimited(data: bytes) -> bytes:
    return _varint(len(data)) + data


@functools.lru_cache(maxsize=1 << 12)
def _field_head(name: str, list_tag: bytes, value_length: int) -> bytes:
    """Everything before the one value of a feature: map entry, key, Feature, list."""
    value_head = b"\n" + _varint(value_length)
    list_length = len(value_head) + value_length
    feature_head = list_tag + _varint(list_length) + value_head
    feature_length = len(feature_head) + value_length
    entry_head = b"\n" + _delimited(name.encode()) + b"\x12" + _varint(feature_length)
    entry_length = len(entry_head) + feature_length
    return b"\n" + _varint(entry_length) + entry_head + feature_head


_BYTES_LIST, _FLOAT_LIST, _INT64_LIST = b"\n", b"\x12", b"\x1a"  # tags of Feature
_UINT64 = (1 << 64) - 1
_ONE_BYTE = [bytes([value]) for value in range(128)]
_SORTED_NAMES = sorted(_BYTES + _INTEGERS + _FLOATS)
_LONGEST_VARINT = 10
_INTEGER_HEADS = {
    name: [_field_head(name, _INT64_LIST, n) for n in range(_LONGEST_VARINT + 1)]
    for name in _INTEGERS
}


def write_frame(file: Any, parts: tuple[bytes, ...]) -> bytes:
    """Writes one TFRecord frame and returns its length and checksums.

    Args:
        file: Binary file.
        parts: The record, in pieces.
    """
    checksum = 0
    for part in parts:
        checksum = google_crc32c.extend(checksum, part)
    length = struct.pack("<Q", sum(map(len, parts)))
    header = length + struct.pack("<I", masked_crc32c(length))
    footer = struct.pack("<I", mask_crc32c(checksum))
    file.write(header)
    for part in parts:
        file.write(part)
    file.write(footer)
    return header + footer


def masked_crc32c(data: bytes) -> int:
    """Returns the CRC-32C of some bytes as TFRecord files store it."""
    return mask_crc32c(google_crc32c.value(data))


def mask_crc32c(checksum: int) -> int:
    """Masks a CRC-32C as TFRecord files do."""
    return ((checksum >> 15 | checksum << 17) + _MASK_DELTA) & 0xFFFFFFFF


class EncodedImage(NamedTuple):
    """What a pipeline needs of a record: scalar tensors, `image` still encoded.

    Attributes:
        image: Bytes of a JPEG or PNG file.
        height: Of the stored pixels, int64.
        width: Likewise.
        exif_orientation: 1 to 8, int64.
    """

    image: Any
    height: Any
    width: Any
    exif_orientation: Any


def parse_record(serialized: Any) -> dict[str, Any]:
    """Parses one serialized record inside the tf.data graph.

    Args:
        serialized: Scalar string tensor.

    Returns:
        `RECORD_FIELDS` by name: scalar tensors, `image` still encoded.
    """
    import tensorflow as tf

    spec: dict[str, Any] = {
        name: tf.io.FixedLenFeature([], tf.string) for name in _BYTES
    }
    spec |= {name: tf.io.FixedLenFeature([], tf.int64) for name in _INTEGERS}
    spec |= {name: tf.io.FixedLenFeature([], tf.float32) for name in _FLOATS}
    return tf.io.parse_single_example(serialized, spec)


def tfds_features() -> Any:
    """Returns the fields as a `tfds.features.FeaturesDict`."""
    import tensorflow_datasets as tfds

    features: dict[str, Any] = dict.fromkeys(_INTEGERS, np.int64)
    features |= dict.fromkeys(_FLOATS, np.float32)
    features |= {name: tfds.features.Text() for name in _BYTES}
    features["image"] = tfds.features.Image(shape=(None, None, 3))
    return tfds.features.FeaturesDict(features)
