"""One rule of what decodes."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.vpr_tf.data.prepared_fixture import encode_image, smooth_pixels
from vpr_tf.data.pillow_decoding import decode_image
from vpr_tf.photos import InvalidEntryError
from vpr_tf.photos.quality.decoded_photo import read_photo
from vpr_tf.photos.scan import _decode

PIXELS = smooth_pixels(40, 56, 0)
JPEG, PNG = encode_image(PIXELS, "JPEG"), encode_image(PIXELS, "PNG")


def as_gif() -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "GIF")
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [JPEG[:-2] + b"\xff\xe1\xff\xd9", PNG[:-1] + b"?", JPEG[:600], as_gif()],
    ids=["damaged after its pixels", "wrong last checksum", "cut", "other format"],
)
def test_what_does_not_decode_is_refused_everywhere(content, tmp_path):
    file = tmp_path / "photo.jpg"
    file.write_bytes(content)
    for read in (_decode, read_photo, lambda file: decode_image(file.read_bytes())):
        with pytest.raises(InvalidEntryError, match="image does not decode: "):
            read(file)


@pytest.mark.parametrize("content", [JPEG, PNG])
def test_what_decodes_is_taken_everywhere(content, tmp_path):
    file = tmp_path / "photo.jpg"
    file.write_bytes(content)
    assert _decode(file) >= 0
    assert read_photo(file).grey.shape == PIXELS.shape[:2]
    assert np.abs(decode_image(content).astype(int) - PIXELS).mean() < 10
