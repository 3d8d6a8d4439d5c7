import re
from pathlib import Path

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from vpr_tf.data.records import (
    RECORD_FIELDS,
    encode_record_parts,
    parse_record,
)

int64 = st.integers(-(2**63), 2**63 - 1)
records = st.builds(
    dict,
    image=st.binary(max_size=300),
    key=st.text(max_size=200).filter(lambda text: text.isprintable()),
    height=int64,
    width=int64,
    exif_orientation=st.integers(1, 8),
    utm_east_cm=int64,
    utm_north_cm=int64,
    utm_zone=st.integers(-60, 60),
    latitude_e7=int64,
    longitude_e7=int64,
    heading_deg=st.floats(-1, 360, width=32),
    timestamp=st.sampled_from(["", "2016", "20160203_111213"]),
    class_id=int64,
    group_id=int64,
)


def encode_by_tensorflow(record: dict) -> bytes:
    features = {}
    for name, value in record.items():
        if isinstance(value, int):
            values = tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        elif isinstance(value, float):
            values = tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        else:
            data = value if isinstance(value, bytes) else value.encode()
            values = tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))
        features[name] = values
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


@settings(deadline=None, max_examples=200)
@given(records)
def test_bytes_equal_the_deterministic_serialization(record):
    assert b"".join(encode_record_parts(record)) == encode_by_tensorflow(record)


def test_large_image_is_not_copied_into_the_head():
    image = bytes(200_000)
    values = (image, "k", 1, 2, 1, 3, 4, 10, 5, 6, 7.5, "2016", 8, 9)
    record = dict(zip(RECORD_FIELDS, values, strict=True))
    head, middle, tail = encode_record_parts(record)
    assert middle is image
    assert head + middle + tail == encode_by_tensorflow(record)


@settings(deadline=None, max_examples=30)
@given(records)
def test_parse_returns_every_field(record):
    parsed = tf.data.Dataset.from_tensors(b"".join(encode_record_parts(record))).map(
        parse_record
    )
    fields = next(parsed.as_numpy_iterator())
    assert fields.keys() == record.keys()
    for name, value in record.items():
        expected = value.encode() if isinstance(value, str) else value
        assert fields[name] == expected, name


def test_missing_field_is_an_error():
    with pytest.raises(tf.errors.InvalidArgumentError, match="is required"):
        parse_record(tf.train.Example().SerializeToString())


def test_only_records_knows_how_a_record_is_laid_out():
    root = Path(__file__).parents[3]
    words = re.compile(r'\["image"\]|FixedLenFeature|parse_single_example|FeaturesDict')
    paths = [*(root / "vpr_tf").rglob("*.py"), *(root / "data_prep").glob("*.py")]
    found = [path.name for path in paths if words.search(path.read_text())]
    assert found == ["records.py"]
