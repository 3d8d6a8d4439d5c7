import io

import numpy as np
import pytest
from PIL import Image

from data_prep.synthesize.camera import Developer, crop, directions, strip_for
from data_prep.synthesize.conditions import Finish, Lens

PLAIN = Finish(
    gains=(1.0, 1.0, 1.0),
    gamma=1.0,
    contrast=1.0,
    saturation=1.0,
    noise=0.0,
    vignette=0.0,
    blur=False,
    jpeg_quality=95,
)


def altered(**changes):
    return Finish(**{**PLAIN.__dict__, **changes})


def sums(colour, size=16):
    """What `crop` returns for an image of one colour."""
    pixel = np.array([*colour, 255]) * 4
    return np.broadcast_to(pixel.astype(np.uint16), (size, size, 4)).copy()


def developed(finish, colour):
    data = Developer(finish, 16, 16).develop(sums(colour), np.random.default_rng(0))
    return np.asarray(Image.open(io.BytesIO(data))).astype(float)


def test_directions_field_of_view_and_sign():
    azimuth, tangent = directions(Lens(90.0, 0.0, 0.0), 64)
    assert azimuth[64, 0] == pytest.approx(-np.pi / 4, abs=0.01)
    assert azimuth[64, -1] == pytest.approx(np.pi / 4, abs=0.01)
    assert tangent[0, 64] == pytest.approx(1.0, abs=0.02)  # up is the first row


def test_directions_pitch_looks_up():
    _, tangent = directions(Lens(70.0, 20.0, 0.0), 32)
    assert tangent[31:33, 31:33].mean() == pytest.approx(np.tan(np.deg2rad(20)), 0.01)


def test_directions_roll_turns_the_picture():
    level_azimuth, level_tangent = directions(Lens(60.0, 0.0, 0.0), 32)
    azimuth, tangent = directions(Lens(60.0, 0.0, 90.0), 32)
    np.testing.assert_allclose(np.tan(azimuth), np.tan(level_azimuth).T)
    assert np.abs(tangent).max() == pytest.approx(np.abs(level_tangent).max())


@pytest.mark.parametrize("headings", [[40.0], [10.0, 100.0, 190.0, 280.0]])
def test_crop_shows_the_heading(headings):
    """A panorama that encodes its azimuth comes back with the crop's azimuths."""
    lens = Lens(70.0, 5.0, 3.0)
    strip, positions = strip_for(lens, 32, headings)
    degrees = np.rad2deg(strip.azimuths()) % 360
    pixels = np.zeros((strip.columns, strip.rows, 4), np.uint8)
    pixels[..., 0] = (degrees / 2)[:, None]
    panorama = pixels.view(np.uint32)[..., 0]
    panorama = np.concatenate([panorama, panorama]).ravel()
    step = strip.columns // len(headings) * strip.rows
    for index, heading in enumerate(headings):
        image = crop(panorama, positions + step * index, 32)
        middle = image[15:17, 15:17, 0].mean() / 4 * 2
        assert middle == pytest.approx(heading, abs=3.5)


def test_developer_plain_finish_keeps_the_colour():
    image = developed(PLAIN, (200, 120, 40))
    np.testing.assert_allclose(image.mean((0, 1)), (200, 120, 40), atol=2)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"gains": (0.5, 1.0, 1.5)}, (50, 100, 150)),
        ({"gamma": 2.0}, (39, 39, 39)),
        ({"contrast": 0.5}, (109, 109, 109)),
    ],
)
def test_developer_tone(changes, expected):
    image = developed(altered(**changes), (100, 100, 100))
    np.testing.assert_allclose(image.mean((0, 1)), expected, atol=2.5)


def test_developer_saturation_zero_is_grey():
    image = developed(altered(saturation=0.0), (200, 120, 40))
    grey = 0.299 * 200 + 0.587 * 120 + 0.114 * 40
    np.testing.assert_allclose(image.mean((0, 1)), [grey] * 3, atol=2)


def test_developer_noise_and_vignette():
    noisy = developed(altered(noise=12.0), (120, 120, 120))
    assert 6 < noisy.std() < 16
    dark = developed(altered(vignette=0.4), (200, 200, 200))
    assert dark[0, 0].mean() < dark[8, 8].mean() - 40
