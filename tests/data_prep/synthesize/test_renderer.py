import numpy as np
import pytest

from data_prep.synthesize.atlas import build_atlas
from data_prep.synthesize.conditions import Conditions
from data_prep.synthesize.ground import GroundMap
from data_prep.synthesize.people_and_cars import Sprite
from data_prep.synthesize.renderer import draw_panorama
from data_prep.synthesize.scene import Scene, Walls
from data_prep.synthesize.street_props import StandingPicture
from data_prep.synthesize.strip import Strip

NOON = Conditions(
    sun_azimuth_deg=0.0,
    sun=(0.0, 0.0, 0.0),
    ambient=(1.0, 1.0, 1.0),
    zenith=(0.0, 0.0, 250.0),
    horizon=(0.0, 0.0, 250.0),
    clouds=0.0,
    haze_length_m=1e9,
    glow=0.0,
    leaf_tint=(1.0, 1.0, 1.0),
    has_leaves=True,
    month=6,
    cars_per_100m=0.0,
    people_per_100m=0.0,
    seed=0,
)
# One degree a column from 45 degrees left to 45 degrees right of north.
STRIP = Strip(-np.pi / 4, np.pi / 180, 90, 1.0, 0.01, 200)
CAMERA = np.array([50.0, 50.0, 2.0])


def with_conditions(**changes):
    return Conditions(**{**NOON.__dict__, **changes})


def make_scene(wall_north_m=10.0, height_m=7.0, glow=0):
    """A red wall 20 m wide to the north, on green ground."""
    texture = np.zeros((40, 20, 4), np.uint8)
    texture[..., 0], texture[..., 3] = 200, glow
    start = np.array([[40.0, 50.0 + wall_north_m]], np.float32)
    edge = np.array([[20.0, 0.0]], np.float32)
    ground = np.zeros((100, 100, 4), np.uint8)
    ground[..., 1] = 100
    return Scene(
        walls=Walls(
            start,
            edge,
            np.array([[0.0, -1.0]], np.float32),
            np.zeros(1, np.int32),
            np.full(1, np.inf, np.float32),
        ),
        atlas=build_atlas([texture]),
        texture_height_m=np.array([10.0], np.float32),
        profiles_m=np.full(40, height_m, np.float32),
        profile_offsets=np.zeros(1, np.int32),
        profile_counts=np.full(1, 40, np.int32),
        ground=GroundMap(ground.view(np.uint32)[..., 0], 1.0),
        trees=np.zeros((0, 4)),
        lamps=np.zeros((0, 2)),
    )


def draw(scene, conditions=NOON, pictures=()):
    panorama = draw_panorama(scene, CAMERA, STRIP, conditions, list(pictures))
    return panorama[..., None].view(np.uint8)[..., :3].transpose(1, 0, 2)


def column_north(image):
    return image[:, 45]


def test_wall_spans_the_rows_of_its_height():
    column = column_north(draw(make_scene()))
    red = np.flatnonzero(column[:, 0] > 150)
    # The top is 5 m above a camera 10 m away: tangent 0.5; the foot 2 m below: -0.2.
    assert red[0] == pytest.approx(50, abs=1)
    assert red[-1] == pytest.approx(119, abs=1)
    assert np.all(column[: red[0], 2] == 250)
    assert np.all(column[red[-1] + 1 :, 1] == 100)


def test_wall_ends_at_its_sides():
    image = draw(make_scene(wall_north_m=20.0))
    red = np.flatnonzero(image[95, :, 0] > 150)
    left = np.rad2deg(np.arctan2(-10, 20)) + 45
    assert red[0] == pytest.approx(left, abs=1)
    assert red[-1] == pytest.approx(90 - left, abs=1)


def test_haze_takes_the_colour_of_the_horizon():
    hazy = column_north(draw(make_scene(), with_conditions(haze_length_m=10.0)))
    np.testing.assert_allclose(
        hazy[90], (200 * np.exp(-1), 0, 250 * (1 - np.exp(-1))), atol=1.5
    )


def test_sun_lights_walls_that_face_it():
    for azimuth, expected in ((180.0, 120.0), (0.0, 60.0)):
        conditions = with_conditions(
            ambient=(0.3, 0.3, 0.3), sun=(0.3, 0.3, 0.3), sun_azimuth_deg=azimuth
        )
        wall = column_north(draw(make_scene(), conditions))[90]
        assert wall[0] == pytest.approx(expected, abs=1)


def test_signs_glow_at_night():
    night = with_conditions(ambient=(0.1, 0.1, 0.1), glow=1.0)
    assert column_north(draw(make_scene(glow=0), night))[90, 0] == 20
    assert column_north(draw(make_scene(glow=250), night))[90, 0] == 170


def make_picture(north_m, width_m=2.0, height_m=1.0):
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[...] = (0, 250, 250, 255)
    y = 50.0 + north_m
    left, right = np.array([50 - width_m / 2, y]), np.array([50 + width_m / 2, y])
    return StandingPicture(
        left, right, height_m, Sprite((pixels,), width_m, height_m), (1.0, 1.0, 1.0)
    )


def test_picture_covers_its_rectangle():
    image = draw(make_scene(), pictures=[make_picture(5.0)])
    seen = (image[..., 1] > 200) & (image[..., 0] < 50)
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    # From 2 m below to 1 m below the camera at 5 m: tangents -0.4 and -0.2.
    assert (rows[0], rows[-1]) == (pytest.approx(120, abs=1), pytest.approx(139, abs=1))
    assert len(columns) == pytest.approx(2 * np.rad2deg(np.arctan(0.2)), abs=1.5)


def test_picture_behind_a_wall_is_hidden():
    scene = make_scene()
    np.testing.assert_array_equal(
        draw(scene, pictures=[make_picture(15.0)]), draw(scene)
    )
