import math
import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from vpr_tf.config import (
    AUGMENTATIONS,
    KERAS_LAYERS,
    ConfigError,
    augmentation_of,
    entry_of,
)
from vpr_tf.data.extra_augmentations import (
    ExtraAugmentations,
    blurs,
    colours,
    covering,
    geometry,
    weather,
)

SIZE = 32
# What makes an augmentation change nothing; where there is nothing, it always does.
NO_STRENGTH = {
    "ColorJitter": {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0},
    "RandomPerspective": {"factor": 0.0},
    "Rotation": {"max_angle_deg": 0.0},
    "RandomErasing": {"min_area": 0.0, "max_area": 0.0},
    "Cutout": {"size": 0.0},
    "GaussianBlur": {"min_sigma": 0.0, "max_sigma": 0.0},
    "MotionBlur": {"length": 0.0},
    "Sharpness": {"factor": 0.0},
    "Solarize": {"min_level": 1.0},
    "Haze": {"min_length_m": 1e12, "max_length_m": 1e12},
    "RandAugment": {"magnitude": 0.0},
    "RandomChoice": {"choices": [{"name": "Cutout", "probability": 0.0}]},
}
CHOICES = {
    "choices": [
        {"name": "Night", "probability": 1.0},
        {"name": "Haze", "probability": 1.0},
    ]
}
STRONG = {"RandomChoice": CHOICES, "MotionBlur": {"length": 0.2}}
OF_KERAS = {
    "Solarization": {"addition_factor": 0.3},
    "RandomShear": {"x_factor": 0.3, "y_factor": 0.3},
    "RandomTranslation": {"height_factor": 0.3, "width_factor": 0.3},
    "RandomPosterization": {"factor": 4},
    "RandomZoom": {"height_factor": [0.2, 0.4]},
    "RandomColorJitter": {"brightness_factor": 0.5},
}


def entry(name, **fields):
    fields = fields or STRONG.get(name, {})
    return {"name": name, "probability": 1.0, **fields}


def picture():
    """A street-like picture: smooth, with edges and colours."""
    rows, columns = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    channels = [rows, columns, (rows * 8).astype(int) % 2]
    return tf.constant(np.stack(channels, -1), tf.float32)


def images(entries, seeds, image=None):
    """Augments one picture under several seeds, in a parallel tf.data pipeline."""
    configs = [augmentation_of(one) for one in entries]
    augment = ExtraAugmentations(configs, lambda seed: 1.0 - picture() ** 2)
    image = picture() if image is None else image
    dataset = tf.data.Dataset.from_tensor_slices(tf.constant(seeds, tf.int64))
    dataset = dataset.map(lambda seed: augment(image, seed), num_parallel_calls=2)
    return np.stack(list(dataset.as_numpy_iterator()))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentation_is_a_pure_function_of_the_seed(name):
    first, second, again = images([entry(name)], [[5, 1], [5, 2], [5, 1]])
    assert first.shape == (SIZE, SIZE, 3)
    assert first.dtype == np.float32
    assert min(first.min(), second.min()) >= 0
    assert max(first.max(), second.max()) <= 1
    np.testing.assert_array_equal(first, again)
    assert any(not np.array_equal(one, picture()) for one in (first, second))
    if name not in ("Grayscale", "Equalize"):
        assert not np.array_equal(first, second)
    (other,) = images([entry(name)], [[5, 2]])
    np.testing.assert_array_equal(second, other)


@pytest.mark.parametrize("name", NO_STRENGTH)
def test_augmentation_without_strength_changes_nothing(name):
    found = images([entry(name, **NO_STRENGTH[name])], [[k, k] for k in range(8)])
    np.testing.assert_allclose(found, np.stack([picture()] * 8), atol=2e-6)


@pytest.mark.parametrize("name", KERAS_LAYERS)
def test_keras_layer_is_a_pure_function_of_the_seed(name):
    arguments = OF_KERAS.get(name, {"factor": 0.5})
    layer = getattr(keras.layers, name)
    if name not in OF_KERAS and "factor" not in layer.__init__.__code__.co_varnames:
        arguments = {}
    seeds, found = [[1, k] for k in range(4)], []
    for state in (1, 2):
        # Nothing that a layer draws from elsewhere may show.
        random.seed(state)
        np.random.seed(state)
        found.append(images([{"name": f"keras.{name}", **arguments}], seeds))
    first, again = found
    assert first.shape == (4, SIZE, SIZE, 3)
    assert 0 <= first.min() <= first.max() <= 1
    np.testing.assert_array_equal(first, again)
    if name.startswith("Random"):
        assert len({one.tobytes() for one in first}) > 1


def test_order_and_probability_are_those_of_the_list():
    black = {"name": "Cutout", "probability": 1.0, "size": 1.0}
    gray = {"name": "Grayscale", "probability": 1.0}
    white = {"name": "Solarize", "probability": 1.0, "min_level": 0.0}
    dark = images([white, gray, black], [[0, 3]])
    light = images([black, gray, white], [[0, 3]])
    assert dark.min() == 0
    assert not np.array_equal(dark, light)
    assert np.ptp(dark, axis=-1).max() < 1e-6
    changed = images([{**black, "probability": 0.25}], [[9, k] for k in range(400)])
    share = np.mean([not np.array_equal(one, picture()) for one in changed])
    assert share == pytest.approx(0.25, abs=0.06)


def test_choice_takes_each_equally_often():
    choices = [{"name": "Grayscale"}]
    choices.append({"name": "Cutout", "probability": 0.0})
    found = images(
        [entry("RandomChoice", choices=choices)], [[9, k] for k in range(400)]
    )
    grey = np.mean([np.ptp(one, axis=-1).max() < 1e-6 for one in found])
    assert grey == pytest.approx(0.5, abs=0.07)


def test_jitter_or_blur_of_the_thesis():
    jitter = {"name": "ColorJitter", "contrast": 0.0, "saturation": 0.0, "hue": 0.0}
    choices = [jitter, {"name": "GaussianBlur", "min_sigma": 2.0}]
    dim, seeds = picture() / 2, [[9, k] for k in range(100)]
    found = images([entry("RandomChoice", choices=choices)], seeds, dim)
    factors = found.mean(axis=(1, 2, 3)) / np.mean(dim)
    scaled = np.clip(factors[:, None, None, None] * dim, 0, 1)
    is_jittered = np.abs(found - scaled).max(axis=(1, 2, 3)) < 1e-4
    assert np.mean(is_jittered) == pytest.approx(0.5, abs=0.15)
    assert factors[is_jittered].min() < 0.5 < 1.5 < factors[is_jittered].max() < 1.7
    np.testing.assert_allclose(factors[~is_jittered], 1, atol=0.05)


@pytest.mark.parametrize(
    ("name", "operation", "tolerance"),
    [
        # There rounded to whole grey levels.
        ("sharpness_1.8", lambda x: blurs.sharpen(x, tf.constant(1.8)), 0.501 / 255),
        ("equalize", colours.equalize, 0),
        (
            "gaussian_filter_3x3_sigma1",
            lambda x: blurs.gaussian_blur(x, tf.constant(1.0), radius=1),
            1e-6,
        ),
        ("rotate_20deg_bilinear", lambda x: geometry.rotate(x, math.radians(20)), 1e-6),
        (
            "translate_3_2_bilinear",
            lambda x: geometry.project(x, tf.constant([1.0, 0, -3, 0, 1, -2, 0, 0])),
            0,
        ),
        ("cutout_8x8_at_10_12", lambda x: covering.cut_out(x, 10, 12, 8), 0),
    ],
)
def test_operation_equals_golden_values(golden_dir, name, operation, tolerance):
    with np.load(golden_dir / "research" / "tensorflow_addons.npz") as file:
        levels, expected = file["image_uint8"], file[f"image/{name}"]
    scale = 255.0 if expected.max() > 1 else 1.0
    for image, wanted in zip(levels, expected, strict=True):
        found = operation(tf.constant(image.astype(np.float32) / 255))
        np.testing.assert_allclose(found, wanted / scale, atol=tolerance + 1e-7, rtol=0)


def test_perspective_brings_corners_to_where_it_says():
    corners = tf.constant([[2.0, 3.0], [28.0, 1.0], [30.0, 29.0], [4.0, 31.0]])
    whole = tf.constant([[0.0, 0.0], [31.0, 0.0], [31.0, 31.0], [0.0, 31.0]])
    t = geometry.homography(corners, whole).numpy().astype(float)
    matrix = np.append(t, 1).reshape(3, 3)
    found = np.column_stack([corners, np.ones(4)]) @ matrix.T
    np.testing.assert_allclose(found[:, :2] / found[:, 2:], whole, atol=1e-4)


@pytest.mark.parametrize(("angle", "spread"), [(0.0, (0, 11)), (math.pi / 2, (11, 0))])
def test_motion_blur_spreads_a_point_along_its_line(angle, spread):
    point = np.zeros((SIZE, SIZE, 3), np.float32)
    point[16, 16] = 1
    found = blurs.smear(tf.constant(point), 11.0, angle, radius=8).numpy()[..., 0]
    assert found.sum() == pytest.approx(1, abs=1e-5)
    rows, columns = np.nonzero(found > 0)
    np.testing.assert_allclose([np.ptp(rows), np.ptp(columns)], spread, atol=1)
    assert abs(rows.mean() - 16) <= 1
    assert abs(columns.mean() - 16) <= 1


def test_haze_hides_what_is_far_down_a_street():
    metres = weather.street_distances(64, 64, 0.0).numpy()
    assert metres[30, 32] > 3 * metres[30, 2]
    assert metres[63, 32] < 10


def test_night_is_dark_and_blue_with_warm_windows():
    grey = tf.fill((SIZE, SIZE, 3), 0.6)
    found = images(
        [{"name": "Night", "probability": 1.0, "noise": 0.0}], [[0, 1]], grey
    )
    red, _, blue = np.median(found[0], axis=(0, 1))
    assert red < blue < 0.6
    assert (found[0, ..., 0] > found[0, ..., 2]).any()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "RandomPerspectiv"}, "Did you mean RandomPerspective"),
        ({"name": "keras.RandomSheer"}, "Did you mean RandomShear"),
        ({"name": "keras.CutMix"}, "change one image and keep its size"),
        ({"name": "keras.AugMix"}, "cannot have keras.AugMix: .* Python's random"),
        ({"name": "keras.RandomShear", "seed": 4}, "no `seed`"),
        ({"name": ["Cutout"]}, r"no augmentation \['Cutout'\]"),
        ({"name": "Cutout", "sise": 0.2}, "Did you mean size"),
        ({"name": "Cutout", "size": "big"}, "a float. Received: 'big'"),
        ({"name": "Cutout", "size": True}, "a float"),
        ({"name": "Cutout", "probability": 1.5}, "between 0 and 1"),
        ({"name": "ColorJitter", "hue": 0.6}, r"extra\[3\]\.hue` must be between 0"),
        ({"name": "Rotation", "max_angle_deg": math.nan}, "finite"),
        (
            {"name": "GaussianBlur", "min_sigma": 3.0},
            r"extra\[3\]\.min_sigma` must be at most `max_sigma`, 2. Received: 3.0",
        ),
        ({"name": "RandomChoice"}, "a list of one or more"),
        (
            {"name": "RandomChoice", "choices": [{"name": "Night"}, {"name": "X"}]},
            r"extra\[3\]\.choices\[1\]` has no augmentation 'X'",
        ),
        ("Cutout", "must be a mapping"),
    ],
)
def test_wrong_entries_are_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        augmentation_of(wrong, "train.augmentation.extra[3]")


def test_arguments_of_keras_are_checked_when_it_is_made():
    wrong = augmentation_of({"name": "keras.RandomShear", "angle": 3})
    with pytest.raises(ConfigError, match=r"keras.RandomShear\).*angle"):
        ExtraAugmentations([wrong])


def test_entries_are_recorded_whole():
    found = entry_of(augmentation_of({"name": "RandomPerspective", "factor": 0.3}))
    assert found == {"name": "RandomPerspective", "factor": 0.3, "probability": 0.5}
    given = {"name": "keras.RandomShear", "probability": 0.2, "x_factor": 0.1}
    assert entry_of(augmentation_of(given)) == given
    choice = entry_of(augmentation_of({"name": "RandomChoice", **CHOICES}))
    assert choice["choices"][0]["min_exposure"] == 0.5
    assert entry_of(augmentation_of(choice)) == choice
