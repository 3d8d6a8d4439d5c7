"""Whole panoramas of the miniature city."""

import dataclasses
import io

import numpy as np
from PIL import Image

from data_prep.synthesize.camera import crop, panorama_strip, panorama_width, strip_for
from data_prep.synthesize.conditions import Lens
from data_prep.synthesize.dataset import plan_shots
from data_prep.synthesize.drawing import _district, draw_shot
from data_prep.synthesize.renderer import draw_panorama
from data_prep.synthesize.writer import write_city
from vpr_tf.photos import parse_image_name

from .small_city import SMALL_PRESET, small_config

CONFIG = dataclasses.replace(small_config(), panoramas=True)
HEIGHT = 48
WIDTH = panorama_width(HEIGHT)


def drawn(strip_and_positions, shot):
    strip, positions = strip_and_positions
    scene, _ = _district(CONFIG, shot.split)
    camera = np.array(shot.camera)
    panorama = draw_panorama(scene, camera, strip, shot.conditions, [])
    return crop(panorama.reshape(-1), positions, HEIGHT)[..., :3] / 4


def test_train_has_a_panorama_for_the_crops_of_each(tmp_path):
    crops, panoramas = (plan_shots(c, "train") for c in (small_config(), CONFIG))
    assert len(crops) == len(panoramas)
    for one, whole in zip(crops, panoramas, strict=True):
        (name,) = whole.names
        assert parse_image_name(name.split("/")[1]).heading_deg == one.headings_deg[0]
        assert (whole.camera, whole.conditions) == (one.camera, one.conditions)
    for split in ("val", "test"):
        assert plan_shots(small_config(), split) == plan_shots(CONFIG, split)
    (data,) = draw_shot(CONFIG, panoramas[0])
    size = SMALL_PRESET.image_size
    assert Image.open(io.BytesIO(data)).size == (panorama_width(size), size)
    counts = write_city(CONFIG, tmp_path / "city", 1)
    assert counts["train"] == len(panoramas)


def test_another_heading_turns_the_panorama():
    shot = plan_shots(CONFIG, "train")[0]
    north = drawn(panorama_strip(2.0, HEIGHT, 0.0), shot)
    east = drawn(panorama_strip(2.0, HEIGHT, 90.0), shot)
    turned = np.roll(north, -WIDTH // 4, axis=1)
    assert north.shape == (HEIGHT, WIDTH, 3)
    assert np.mean(np.abs(turned - east)) < 2
    assert np.mean(np.abs(north - east)) > 10


def test_the_middle_looks_where_a_crop_of_that_heading_does():
    shot = plan_shots(CONFIG, "train")[0]
    # As many pixels for a degree in the middle.
    lens = Lens(float(np.rad2deg(2 * np.arctan(np.pi / 6.5))), 0.0, 0.0)
    for heading in (20.0, 200.0):
        whole = drawn(panorama_strip(0.0, HEIGHT, heading), shot)
        photo = drawn(strip_for(lens, HEIGHT, [heading]), shot)
        middle = whole[:, WIDTH // 2 - HEIGHT // 2 :][:, :HEIGHT]
        inner = slice(HEIGHT // 4, -HEIGHT // 4)  # where both are alike
        a, b = (x[inner, inner].mean(-1).ravel() for x in (middle, photo))
        assert np.corrcoef(a, b)[0, 1] > 0.8
