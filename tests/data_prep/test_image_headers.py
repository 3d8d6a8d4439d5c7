import contextlib
import io
import os
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.data_prep.conftest import encode_image
from vpr_tf.photos import InvalidEntryError
from vpr_tf.photos.image_headers import exif_orientation, read_image_header


@pytest.fixture
def read_header(tmp_path):
    """Returns a function that reads the header of some bytes."""

    def read(data: bytes):
        path = tmp_path / "image"
        path.write_bytes(data)
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return read_image_header(descriptor, len(data))
        finally:
            os.close(descriptor)

    return read


def encode(kind: str, mode: str = "RGB", orientation: int = 0, **options) -> bytes:
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
        exif[0x010E] = "x" * 9000  # longer than the part that is read first
    buffer = io.BytesIO()
    pixels = np.arange(40 * 50 * 3, dtype=np.uint8).reshape(40, 50, 3)
    Image.fromarray(pixels).convert(mode).save(buffer, kind, exif=exif, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", [0, 1, 3, 6, 8])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_size_and_orientation(read_header, kind, orientation):
    header = read_header(encode(kind, orientation=orientation))
    assert header == (40, 50, orientation or 1)


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("JPEG", "L", {}),
        ("JPEG", "CMYK", {}),
        ("JPEG", "RGB", {"progressive": True}),
        ("PNG", "LA", {}),
        ("PNG", "P", {}),
    ],
)
def test_other_kinds_of_pixels(read_header, kind, mode, options):
    assert read_header(encode(kind, mode, **options))[:2] == (40, 50)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("tail", [b"\0", b"\0" * 5000, b"\r\n", bytes(range(99))])
def test_bytes_after_the_end_are_tolerated(read_header, kind, tail):
    assert read_header(encode(kind) + tail)[:2] == (40, 50)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@settings(deadline=None, max_examples=60)
@given(fraction=st.floats(0, 0.9999))
def test_truncated_anywhere_is_rejected(tmp_path_factory, kind, fraction):
    data = encode(kind, orientation=6)
    path = tmp_path_factory.getbasetemp() / "truncated"
    path.write_bytes(data[: int(fraction * len(data))])
    with path.open("rb") as file, pytest.raises(InvalidEntryError):
        read_image_header(file.fileno(), int(fraction * len(data)))


@settings(deadline=None, max_examples=200)
@given(
    data=st.binary(max_size=64),
    start=st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]),
)
def test_any_bytes_give_a_header_or_an_invalid_entry(tmp_path_factory, data, start):
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(start + data)
    with path.open("rb") as file, contextlib.suppress(InvalidEntryError):
        header = read_image_header(file.fileno(), len(start + data))
        assert header.height > 0


def test_padding_in_place_of_the_rest_is_truncation(read_header):
    data = encode("JPEG")
    with pytest.raises(InvalidEntryError, match="no end marker"):
        read_header(data[:-100] + bytes(100))


def test_end_marker_of_a_thumbnail_does_not_count(read_header):
    thumbnail = encode_image(0)
    segment = b"\xff\xe2" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    data = encode("JPEG")
    with_thumbnail = data[:2] + segment + data[2:]
    assert read_header(with_thumbnail)[:2] == (40, 50)
    with pytest.raises(InvalidEntryError, match="no end marker"):
        read_header(with_thumbnail[:-50])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "zero bytes"),
        (b"hello", r"not a JPEG or PNG image$"),
        (b"GIF89a" + bytes(50), "looks like GIF"),
        (b"\0\0\0\x18ftypheic", "looks like HEIC"),
        (b"\xff\xd8\xff\xd9", "ends before its pixels"),
    ],
)
def test_other_files_are_rejected(read_header, data, reason):
    with pytest.raises(InvalidEntryError, match=reason):
        read_header(data)


def test_lossless_jpeg_is_rejected(read_header):
    data = bytearray(encode("JPEG"))
    data[data.index(b"\xff\xc0") + 1] = 0xC3
    with pytest.raises(InvalidEntryError, match="lossless"):
        read_header(bytes(data))


@given(
    st.binary(max_size=80),
    st.sampled_from([b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"]),
)
def test_any_exif_block_gives_an_orientation(data, start):
    assert 1 <= exif_orientation(start + data) <= 8


def _png_header(width: int, height: int) -> bytes:
    png = bytearray(encode("PNG"))
    png[16:24] = struct.pack(">II", width, height)
    return bytes(png)


def test_more_pixels_than_allowed_are_rejected_by_the_header(read_header):
    for width, height in [(2**31 - 1, 2**31 - 1), (22_000, 22_000), (10_001, 10_000)]:
        with pytest.raises(InvalidEntryError, match=f"100 megapixels: {width} x"):
            read_header(_png_header(width, height))
    assert read_header(_png_header(10_000, 10_000))[:2] == (10_000, 10_000)


def test_a_jpeg_of_too_many_pixels_is_rejected(read_header):
    jpeg = bytearray(encode("JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 65_000, 65_000)
    with pytest.raises(InvalidEntryError, match="100 megapixels: 65000 x 65000"):
        read_header(bytes(jpeg))
