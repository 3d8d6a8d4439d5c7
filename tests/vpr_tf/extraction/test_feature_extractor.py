import doctest
import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.vpr_tf.evaluation.tiny_dataset import MeanColourEncoder
from tests.vpr_tf.photos.photo_writer import write_photo
from vpr_tf.config import Preprocessing
from vpr_tf.extraction import (
    DescriptorError,
    EncoderError,
    FeatureExtractor,
    feature_extractor,
    load_extractor,
)

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def png_of(pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def flatten(images):
    """Descriptors that tell every pixel."""
    return np.reshape(images, (len(images), -1))


@pytest.mark.parametrize(
    "preprocessing",
    [Preprocessing("square", 8), Preprocessing("shorter_side", 10), Preprocessing()],
)
def test_photos_of_all_kinds_give_the_same_descriptors(tmp_path, preprocessing):
    path = tmp_path / "photo.png"
    path.write_bytes(png_of(PIXELS))
    kinds = [path, str(path), png_of(PIXELS), Image.fromarray(PIXELS), PIXELS]
    kinds += [PIXELS / 255.0, (PIXELS / 255).astype(np.float32)]
    kinds += [np.dstack([PIXELS, PIXELS[..., :1]])]  # alpha is dropped
    extractor = FeatureExtractor(
        lambda images: np.asarray(images)[:, :5, :6].reshape(len(images), -1),
        preprocessing,
        batch_size=3,
    )
    found = extractor.extract(kinds)
    assert found.dtype == np.float32
    assert found.shape == (len(kinds), 90)
    np.testing.assert_allclose(found, found[:1].repeat(len(kinds), 0), atol=1e-6)


def test_photos_are_turned_upright_and_grey_is_repeated(tmp_path):
    image = Image.fromarray(PIXELS)
    exif = image.getexif()
    exif[274] = 6
    file = io.BytesIO()
    image.save(file, "PNG", exif=exif)
    extractor = FeatureExtractor(flatten, Preprocessing(), batch_size=4)
    extractor.descriptor_dim = PIXELS.size
    turned = np.rot90(PIXELS, -1)
    found = extractor.extract(
        [file.getvalue(), Image.open(io.BytesIO(file.getvalue())), turned]
    )
    np.testing.assert_allclose(found, found[:1].repeat(3, 0), atol=1e-6)
    grey = PIXELS[..., 0]
    found = extractor.extract([grey, np.dstack([grey] * 3), Image.fromarray(grey)])
    np.testing.assert_allclose(found, found[:1].repeat(3, 0), atol=1e-6)


def test_one_photo_and_none():
    extractor = FeatureExtractor(MeanColourEncoder())
    assert extractor.extract(PIXELS).shape == (1, 3)
    assert extractor.extract([]).shape == (0, 3)


@pytest.mark.parametrize(
    ("photo", "message"),
    [
        (b"no image", "photo 1: not a JPEG or PNG"),
        ("missing.jpg", "missing.jpg: file cannot be read: No such file"),
        (np.full((4, 4, 3), 7.0), r"photo 1: .*floats must be in \[0, 1\]"),
        (np.zeros((4, 4, 2)), r"photo 1: .*Received: shape \(4, 4, 2\)"),
        (np.zeros((4, 4, 3), np.int64), "photo 1: .*int64"),
        (png_of(PIXELS).replace(b"IDAT\x78", b"IDAT\x00"), "photo 1: image does not"),
    ],
)
def test_a_bad_photo_is_named(photo, message):
    extractor = FeatureExtractor(MeanColourEncoder())
    with pytest.raises(ValueError, match=message):
        extractor.extract([PIXELS, photo])


def test_encoder_is_compiled_for_many_photos_and_kept(monkeypatch):
    compiled = []

    def compile_forward(engine, encoder, preprocessing, encoder_url):
        compiled.append(preprocessing.precision)
        return lambda images: encoder(images).numpy()

    monkeypatch.setattr(feature_extractor, "compile_forward", compile_forward)
    extractor = FeatureExtractor(MeanColourEncoder())
    for _ in range(2):
        extractor.extract([PIXELS] * 16)
    assert not compiled
    for _ in range(3):
        extractor.extract([PIXELS] * 16)
    assert compiled == ["float32"]


def test_any_keras_model_is_an_encoder():
    images = keras.Input((None, None, 3))
    model = keras.Model(images, keras.layers.GlobalAveragePooling2D()(images))
    extractor = load_extractor(model=model)
    assert extractor.descriptor_dim == 3
    np.testing.assert_allclose(
        extractor.extract([PIXELS]), [PIXELS.mean(axis=(0, 1)) / 255], rtol=1e-5
    )
    fixed = keras.Input((16, 16, 3))
    model = keras.Model(fixed, keras.layers.Flatten()(fixed))
    assert load_extractor(model=model).preprocessing == Preprocessing("square", 16)
    with pytest.raises(EncoderError, match="takes images of 16x16 only"):
        FeatureExtractor(model)


def test_functions_are_never_taken_for_each_other():
    first, second = FeatureExtractor(flatten), FeatureExtractor(flatten)
    assert first.fingerprint != second.fingerprint
    assert FeatureExtractor(first.encoder).fingerprint == first.fingerprint


def test_preparation_is_part_of_the_identity_but_for_a_size_that_is_not_used():
    encoder = MeanColourEncoder()
    native = [FeatureExtractor(encoder, Preprocessing("native", n)) for n in (8, 9)]
    assert native[0].identity() == native[1].identity()
    square = [FeatureExtractor(encoder, Preprocessing("square", n)) for n in (8, 9)]
    assert square[0].identity() != square[1].identity()


def test_errors_are_told():
    with pytest.raises(EncoderError, match="`engine` must be one of tensorflow"):
        FeatureExtractor(MeanColourEncoder(), engine="abacus")
    with pytest.raises(EncoderError, match=r"function of images\. Received: int"):
        FeatureExtractor(3)
    with pytest.raises(EncoderError, match="Pass a config or a model"):
        load_extractor()
    with pytest.raises(EncoderError, match=r"shape \(num_images, dim\)"):
        FeatureExtractor(lambda images: images).extract([PIXELS])
    with pytest.raises(DescriptorError, match="finite descriptors"):
        FeatureExtractor(lambda images: tf.fill((len(images), 3), np.nan)).extract(
            [PIXELS]
        )


def test_example_of_the_docstring():
    assert doctest.testmod(feature_extractor).failed == 0


def test_files_are_read_in_parallel_and_in_order(tmp_path):
    colours = [(10 * i, 250 - 10 * i, 128) for i in range(20)]
    paths = [tmp_path / f"{i}.jpg" for i in range(20)]
    for path, colour in zip(paths, colours, strict=True):
        write_photo(path, colour, size=(24, 24))
    found = FeatureExtractor(MeanColourEncoder(), batch_size=4).extract(paths)
    expected = np.array(colours) / np.linalg.norm(colours, axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=0.02)
