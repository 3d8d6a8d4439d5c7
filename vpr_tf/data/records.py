"""The TFRecord format of a prepared dataset; the only place that knows its keys.

Positions are int64 centimetres and 1e-7 degrees: a float of a TFRecord is float32,
which at 4,178,906 m north is off by up to 0.25 m.
"""

from __future__ import annotations

import functools
import struct
from dataclasses import dataclass
from typing import Any

NO_CLASS = -1


@dataclass(frozen=True)
class ImageRecord:
    """One image with its position; the fields are the keys on disk.

    `utm_zone` is signed: 10 is zone 10 north, -10 is zone 10 south, 0 is an unknown
    position. `heading_deg` is 0 to 360, both north, -1 when unknown.
    `exif_orientation` is the EXIF tag, 1 to 8; height and width are those of the
    stored pixels, before the orientation is applied. `timestamp` has the form
    YYYY[MM[DD[_hh[mm[ss]]]]] and may be empty. `class_id` and `group_id` are those of
    the partition named in the manifest, -1 when the image is in no class.
    """

    image: bytes
    key: str
    height: int
    width: int
    exif_orientation: int
    utm_east_cm: int
    utm_north_cm: int
    utm_zone: int
    latitude_e7: int
    longitude_e7: int
    heading_deg: float
    timestamp: str
    class_id: int = NO_CLASS
    group_id: int = NO_CLASS


_BYTES = ("image", "key", "timestamp")
_INTEGERS = (
    "height",
    "width",
    "exif_orientation",
    "utm_east_cm",
    "utm_north_cm",
    "utm_zone",
    "latitude_e7",
    "longitude_e7",
    "class_id",
    "group_id",
)
_FLOATS = ("heading_deg",)


def encode_record_parts(record: ImageRecord) -> tuple[bytes, bytes, bytes]:
    """Returns the serialized `tf.train.Example` as (head, image, tail).

    The three parts follow one another on disk; apart, the image needs no copy. The
    bytes are those of protobuf's deterministic serialization, keys sorted, written
    without TensorFlow so that the workers of a build start at once.
    """
    parts: list[bytes] = []
    for name in _SORTED_NAMES:
        value = getattr(record, name)
        if name in _INTEGER_HEADS:
            packed = _varint(value & _UINT64)
            parts += (_INTEGER_HEADS[name][len(packed)], packed)
        elif name == "heading_deg":
            parts += (_HEADING_HEAD, struct.pack("<f", value))
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


def encode_record(record: ImageRecord) -> bytes:
    """Returns the serialized `tf.train.Example` of one image."""
    return b"".join(encode_record_parts(record))


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
_HEADING_HEAD = _field_head("heading_deg", _FLOAT_LIST, 4)


def parse_record(serialized: Any) -> dict[str, Any]:
    """Parses one serialized record inside the tf.data graph.

    Args:
        serialized: Scalar string tensor.

    Returns:
        The fields of `ImageRecord` by name: scalar tensors, `image` still encoded.
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
    import numpy as np
    import tensorflow_datasets as tfds

    features: dict[str, Any] = dict.fromkeys(_INTEGERS, np.int64)
    features |= dict.fromkeys(_FLOATS, np.float32)
    features |= {name: tfds.features.Text() for name in _BYTES}
    features["image"] = tfds.features.Image(shape=(None, None, 3))
    return tfds.features.FeaturesDict(features)
