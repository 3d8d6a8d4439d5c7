"""The TFRecord format of a prepared dataset; the only place that knows its keys.

Positions are int64 centimetres and 1e-7 degrees: a float of a TFRecord is float32,
which at 4,178,906 m north is off by up to 0.25 m.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MISSING_HEADING_DEG = -1.0
NO_CLASS = -1


@dataclass(frozen=True)
class ImageRecord:
    """One image with its position; the fields are the keys on disk.

    `utm_zone` is signed: 10 is zone 10 north, -10 is zone 10 south. `heading_deg` is
    -1 when unknown. `exif_orientation` is the EXIF tag, 1 to 8; height and width are
    those of the stored pixels, before the orientation is applied. `timestamp` has the
    form YYYY[MM[DD[_hh[mm[ss]]]]] and may be empty. `class_id` and `group_id` are
    those of the partition named in the manifest, -1 when the image is in no class.
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


def encode_record(record: ImageRecord) -> bytes:
    """Returns the serialized `tf.train.Example` of one image."""
    import tensorflow as tf

    features = {}
    for name in _BYTES:
        value = getattr(record, name)
        data = value if isinstance(value, bytes) else value.encode()
        features[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))
    for name in _INTEGERS:
        features[name] = tf.train.Feature(
            int64_list=tf.train.Int64List(value=[getattr(record, name)])
        )
    for name in _FLOATS:
        features[name] = tf.train.Feature(
            float_list=tf.train.FloatList(value=[getattr(record, name)])
        )
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


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
