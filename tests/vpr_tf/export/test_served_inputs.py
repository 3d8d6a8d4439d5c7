"""What clients send to a SavedModel, right and wrong."""

import struct
import zlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.vpr_tf.export.test_saved_model import ENCODER, FILES, RESIZES, experiment
from vpr_tf.export import export_encoder
from vpr_tf.models import build_encoder
from vpr_tf.photos.schema import MAX_PIXELS

DIM = ENCODER.descriptor_dim
IMAGES = np.random.default_rng(0).random((2, 40, 72, 3), np.float32)
InvalidArgument = tf.errors.InvalidArgumentError


def png_of(width, height):
    """A PNG that claims a size and has pixels of one row."""

    def chunk(kind, content):
        check = zlib.crc32(kind + content)
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    row = zlib.compress(b"\0" * 100)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", row)


UNREADABLE = {
    "empty": b"",
    "text": b"hello",
    "cut jpeg": FILES[0][: len(FILES[0]) // 2],
    "cut png": FILES[1][: len(FILES[1]) // 2],
    "header alone": FILES[1][:20],
    "bomb": png_of(2**31 - 1, 2**31 - 1),
    "no pixels": png_of(0, 0),
    "more than allowed": png_of(MAX_PIXELS // 1000 + 1, 1000),
    "gif": b"GIF89a\x01\x00\x01\x00\x00\xff\x00,\x00\x00\x00\x00\x01\x00\x01\x00",
}


@pytest.fixture(scope="module")
def signatures(tmp_path_factory):
    """By resize mode, of SavedModels that were loaded again."""
    keras.utils.set_random_seed(1)
    encoder = build_encoder(ENCODER)
    folder = tmp_path_factory.mktemp("savedmodels")
    # The signatures need their models, which nothing else holds.
    models = {
        resize: tf.saved_model.load(
            str(export_encoder(encoder, experiment(resize), folder))
        )
        for resize in RESIZES
    }
    yield {resize: model.signatures for resize, model in models.items()}
    del models


def describe(signatures, images, resize="square"):
    images = tf.constant(images, tf.float32)
    return signatures[resize]["descriptors"](images=images)["descriptors"].numpy()


@pytest.mark.parametrize("shape", [(40, 72, 3), (3,), (), (1, 2, 40, 72, 3)])
def test_another_rank_is_refused(signatures, shape):
    with pytest.raises(InvalidArgument, match="one image is a batch of 1"):
        describe(signatures, np.zeros(shape))


@pytest.mark.parametrize("shape", [(1, 40, 72, 1), (1, 3, 40, 72), (1, 0, 72, 3)])
def test_another_shape_is_refused(signatures, shape):
    with pytest.raises(InvalidArgument, match="batch, height, width, 3"):
        describe(signatures, np.zeros(shape))


def test_a_shape_is_told_whole(signatures):
    with pytest.raises(InvalidArgument, match=r"\[1 40 72 4\]"):
        describe(signatures, np.zeros((1, 40, 72, 4)))


@pytest.mark.parametrize("name", ["serving_default", "flagged"])
@pytest.mark.parametrize("files", [FILES[0], [FILES[:2]]])
def test_files_of_another_rank_are_refused(signatures, name, files):
    with pytest.raises(InvalidArgument, match="one file is a batch of 1"):
        signatures["square"][name](image_bytes=tf.constant(files))


@pytest.mark.parametrize("value", [255.0, -1.0, 1.01, np.nan, np.inf, -np.inf])
def test_values_outside_the_range_are_refused(signatures, value):
    images = IMAGES.copy()
    images[1, 3, 4, 0] = value
    with pytest.raises(InvalidArgument, match="divide bytes by 255"):
        describe(signatures, images)


def test_the_whole_range_is_described(signatures):
    images = np.stack([np.zeros((40, 72, 3)), np.ones((40, 72, 3))])
    assert describe(signatures, images).shape == (2, DIM)


@pytest.mark.parametrize("resize", RESIZES)
def test_an_empty_batch_has_no_descriptors(signatures, resize):
    assert describe(signatures, IMAGES[:0], resize).shape == (0, DIM)
    none = tf.zeros(0, tf.string)
    strict = signatures[resize]["serving_default"](image_bytes=none)
    assert strict["descriptors"].shape == (0, DIM)
    flagged = signatures[resize]["flagged"](image_bytes=none)
    assert flagged["descriptors"].shape == (0, DIM)
    assert flagged["is_valid"].shape == (0,)


@pytest.mark.parametrize("what", UNREADABLE)
def test_the_unreadable_file_of_a_batch_is_named(signatures, what):
    files = tf.constant([FILES[0], FILES[1], UNREADABLE[what]])
    with pytest.raises(InvalidArgument, match=r"counted from 0.*\[2\]"):
        signatures["square"]["serving_default"](image_bytes=files)


@pytest.mark.parametrize("resize", RESIZES)
def test_flagged_describes_the_others(signatures, resize):
    files = [FILES[0], *UNREADABLE.values(), FILES[1]]
    good = [0, len(files) - 1]
    strict = signatures[resize]["serving_default"](image_bytes=tf.constant(FILES[:2]))
    flagged = signatures[resize]["flagged"](image_bytes=tf.constant(files))
    assert np.flatnonzero(flagged["is_valid"]).tolist() == good
    described = flagged["descriptors"].numpy()
    np.testing.assert_allclose(described[good], strict["descriptors"], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(described[good], axis=1), 1, atol=1e-5)
    assert not described[1:-1].any()


def test_nothing_readable_is_flagged_as_well(signatures):
    for resize in RESIZES:
        files = tf.constant(list(UNREADABLE.values()))
        flagged = signatures[resize]["flagged"](image_bytes=files)
        assert not flagged["is_valid"].numpy().any()
        assert flagged["descriptors"].shape == (len(UNREADABLE), DIM)
