"""The size of a photo is read without its pixels, also where much stands before it."""

import io
import time

import pytest
from PIL import Image

from vpr_tf.photos import InvalidEntryError, image_header_of


@pytest.fixture(scope="module")
def jpeg():
    file = io.BytesIO()
    Image.new("RGB", (80, 60)).save(file, "JPEG")
    return file.getvalue()


@pytest.mark.parametrize("num_bytes", [0, 1, 2, 4094, 4095, 4096, 4097, 8192, 20_000])
def test_fill_bytes_before_a_marker_are_passed(num_bytes, jpeg):
    filled = jpeg[:2] + b"\xff" * num_bytes + jpeg[2:]
    assert image_header_of(filled)[:2] == (60, 80)
    with pytest.raises(InvalidEntryError, match="truncated in its header"):
        image_header_of(b"\xff\xd8\xff" + b"\xff" * num_bytes)


def test_millions_of_fill_bytes_are_passed_at_once(jpeg):
    filled = jpeg[:2] + (b"\xff" * 1900 + b"\xfe\0\2") * 9000 + jpeg[2:]
    start_s = time.process_time()
    assert image_header_of(filled)[:2] == (60, 80)
    assert time.process_time() - start_s < 2  # one by one they take 8 s
