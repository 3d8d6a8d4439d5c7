"""What is measured of single images, on drawn and on real ones."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

pytest.importorskip("imagehash")

from vpr_tf.config import QualityConfig
from vpr_tf.photos import InvalidEntryError
from vpr_tf.photos.quality import MeasuredPhotos
from vpr_tf.photos.quality.decoded_photo import read_photo
from vpr_tf.photos.quality.image_rules import IMAGE_RULES
from vpr_tf.photos.quality.measures import MEASURES_DTYPE, measure_file
from vpr_tf.photos.quality.sharpness import sharpness

RNG = np.random.default_rng(7)
NIGHT = Path(__file__).parents[5] / "shared/data/sf_xs_dark/val/queries"


def texture(height=512, width=512):
    """Sharp blocks of all sizes, in some noise."""
    image = np.zeros((height, width), np.float32)
    for _ in range(400):
        top, left = RNG.integers(0, height), RNG.integers(0, width)
        image[top : top + RNG.integers(8, 90), left : left + RNG.integers(8, 90)] = (
            RNG.integers(20, 230)
        )
    return image + RNG.normal(0, 2, image.shape)


def as_grey(image):
    return np.clip(image, 0, 255).astype(np.uint8)


def saved(image, folder, name="photo.jpg", **options):
    Image.fromarray(as_grey(image)).save(folder / name, **options)
    return folder / name


def test_sharpness_falls_with_blur_and_not_with_noise():
    image = texture()
    values = [sharpness(as_grey(ndimage.gaussian_filter(image, s))) for s in (0, 2, 4)]
    assert values[0] > 0.6 > 0.5 > values[1] > values[2]
    noisy = ndimage.gaussian_filter(image, 3) + RNG.normal(0, 8, image.shape)
    assert sharpness(as_grey(noisy)) < 0.5
    dark = 0.2 * image + RNG.normal(0, 3, image.shape)
    assert sharpness(as_grey(dark)) > 0.6


@pytest.mark.parametrize("axis", [0, 1])
def test_blur_by_motion_along_one_axis_is_blur(axis):
    moved = ndimage.uniform_filter1d(texture(), 15, axis=axis)
    assert sharpness(as_grey(moved)) < 0.5


def test_sharpness_is_unknown_without_edges():
    assert np.isnan(sharpness(np.full((300, 300), 90, np.uint8)))
    assert np.isnan(sharpness(np.zeros((5, 400), np.uint8)))
    assert np.isnan(sharpness(np.zeros((1, 1), np.uint8)))


@pytest.mark.parametrize(
    ("sigma_px", "is_blurred"), [(0, False), (8, True), (20, True), (30, True)]
)
def test_blur_that_leaves_no_edge_is_blur(sigma_px, is_blurred, tmp_path):
    image = ndimage.gaussian_filter(0.3 * texture(), sigma_px)
    assert blurred_flags(saved(image, tmp_path)) == [is_blurred]


def test_picture_of_one_colour_is_not_blurred(tmp_path):
    assert blurred_flags(saved(np.full((300, 300), 90), tmp_path)) == [False]


def blurred_flags(file):
    row = np.array([tuple(measure_file(file))], MEASURES_DTYPE)
    rule = next(rule for rule in IMAGE_RULES if rule.flag == "blurred")
    # Of the photos themselves it looks at nothing but what was measured.
    return rule.find(MeasuredPhotos(None, row), QualityConfig()).flagged.tolist()


def test_sharpness_is_known_of_small_images():
    assert sharpness(as_grey(texture(128, 128))) > 0.6


@pytest.mark.parametrize("period", [1, 8, 16, 32])
def test_repeated_rows_and_grey_are_damage(period, tmp_path):
    image = texture()
    rows = np.arange(300, 512)
    image[300:] = image[300 - period + (rows - 300) % period]
    found = measure_file(saved(image, tmp_path, quality=90))
    assert found.damaged_share == pytest.approx(212 / 512, abs=0.1)
    image[300:] = 128
    found = measure_file(saved(image, tmp_path, quality=90))
    assert found.damaged_share == pytest.approx(212 / 512, abs=0.05)
    assert measure_file(saved(texture(), tmp_path)).damaged_share == 0


def test_lost_data_with_an_end_marker_is_damage(tmp_path):
    file = saved(texture(), tmp_path)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2] + b"\xff\xd9")
    assert 0.3 < measure_file(file).damaged_share < 0.7


def test_plain_thing_that_fills_most_is_an_occlusion(tmp_path):
    image = texture()
    assert measure_file(saved(image, tmp_path)).occluded_share < 0.2
    image[40:, 60:500] = 90 + RNG.normal(0, 2, (472, 440))
    image[40:, 250:253] = 30  # a seam
    assert measure_file(saved(image, tmp_path)).occluded_share > 0.7
    image[:200] = 240  # sky
    image[200:] = texture(312)
    assert measure_file(saved(image, tmp_path)).occluded_share < 0.2


def test_covered_lens_has_no_contrast_in_uneven_light(tmp_path):
    light = np.linspace(50, 90, 512)[:, np.newaxis] + np.zeros(512)
    cover = light + RNG.normal(0, 2, (512, 512))
    assert measure_file(saved(cover, tmp_path)).contrast < 1.5
    assert measure_file(saved(texture(), tmp_path)).contrast > 10


def test_light(tmp_path):
    dark = measure_file(saved(RNG.normal(4, 2, (256, 256)), tmp_path))
    assert dark.highlight < 12
    white = np.full((256, 256), 255.0)
    assert measure_file(saved(white, tmp_path)).white_share == 1
    white[100:] = texture(156, 256)
    assert measure_file(saved(white, tmp_path)).white_share < 0.1  # sky alone


def test_large_photos_are_measured_like_reduced_ones(tmp_path):
    image = Image.fromarray(as_grey(texture())).resize((2048, 2048))
    image.save(tmp_path / "large.jpg", quality=95)
    photo = read_photo(tmp_path / "large.jpg")
    assert photo.grey.shape == (512, 512)
    assert measure_file(tmp_path / "large.jpg").sharpness > 0.6


def test_photo_is_turned_upright(tmp_path):
    file = saved(texture(300, 200), tmp_path, "photo.png")
    stored, turned = read_photo(file), read_photo(file, 6)
    np.testing.assert_array_equal(turned.grey, np.rot90(stored.grey, -1))
    assert measure_file(file).pixel_hash != measure_file(file, 6).pixel_hash


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_kind_of_pixels(mode, tmp_path):
    grey = Image.fromarray(as_grey(texture(200, 200)))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(grey).astype(np.uint16) << 8)
    else:
        image = grey.convert(mode)
    file = tmp_path / ("photo.jpg" if mode == "CMYK" else "photo.png")
    image.save(file)
    row = np.zeros(1, MEASURES_DTYPE)
    row[0] = tuple(measure_file(file))
    expected = 128 if mode == "1" else np.asarray(grey).mean()
    assert abs(row["brightness"].mean() - expected) < (50 if mode == "1" else 8)


def test_extreme_shapes(tmp_path):
    for size in ((1, 1), (1, 700), (3000, 2), (17, 9)):
        file = saved(RNG.integers(0, 255, size), tmp_path, "photo.png")
        assert len(measure_file(file)) == len(MEASURES_DTYPE)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InvalidEntryError, match="No such file"):
        measure_file(tmp_path / "none.jpg")
    buffer = io.BytesIO()
    Image.fromarray(as_grey(texture(64, 64))).save(buffer, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(buffer.getvalue()[:400])
    with pytest.raises(InvalidEntryError, match="does not decode"):
        measure_file(tmp_path / "cut.jpg")


@pytest.mark.skipif(not NIGHT.is_dir(), reason="without shared data")
def test_good_photos_of_the_night_are_within_the_thresholds():
    limits = QualityConfig()

    for file in sorted(NIGHT.iterdir())[:20]:
        found = measure_file(file)
        assert found.sharpness > limits.min_sharpness
        assert found.highlight > limits.min_highlight
        assert found.contrast > limits.min_contrast
        assert found.occluded_share < limits.max_occluded_share
        assert found.damaged_share == found.white_share == 0
