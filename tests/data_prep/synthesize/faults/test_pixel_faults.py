import numpy as np
import pytest
from PIL import Image

from data_prep.synthesize.faults import pixel_faults
from data_prep.synthesize.faults.pixel_faults import dirt_of, flare_of


def street(seed=0):
    """Returns an image with edges at all scales."""
    small = np.random.default_rng(seed).uniform(20, 235, (16, 16, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(small).resize((96, 96), 0), np.float32)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def steepness(image):
    """Returns the mean square of the steps across, which blur spreads out."""
    return float((np.diff(image, axis=1) ** 2).mean())


def test_blur_spreads_the_edges_and_keeps_the_light(rng):
    for fault in (pixel_faults.motion_blur, pixel_faults.focus_blur):
        blurred = fault(street(), rng)
        assert steepness(blurred) < 0.5 * steepness(street())
        assert abs(blurred.mean() - street().mean()) < 5


def test_exposures_leave_little_but_black_or_white(rng):
    assert pixel_faults.under_exposed(street(), rng).mean() < 25
    for dark in (1.0, 0.15):  # of a night photo too
        bright = pixel_faults.over_exposed(street() * dark, rng)
        assert (bright >= 254).mean() > 0.6


def test_lens_cover_is_nearly_uniform(rng):
    assert pixel_faults.lens_cover(street(), rng).std(axis=(0, 1)).max() < 12


def test_occluder_covers_most_and_leaves_some(rng):
    covered = (pixel_faults.occluder(street(), rng) != street()).any(axis=2).mean()
    assert 0.5 < covered < 1


def test_indoor_has_nothing_of_the_street(rng):
    same = np.random.default_rng(3), np.random.default_rng(3)
    rooms = [pixel_faults.indoor(street(i), one) for i, one in enumerate(same)]
    np.testing.assert_array_equal(*rooms)


@pytest.mark.parametrize("make", [dirt_of, flare_of])
def test_faults_of_a_drive_are_at_the_same_place(make, rng):
    fault = make(np.random.default_rng(5))
    changed = [
        np.abs(fault(street(i), rng) - street(i)).mean(axis=2) > 10 for i in range(2)
    ]
    assert 0.01 < changed[0].mean() < 0.4
    assert (changed[0] & changed[1]).sum() > 0.5 * (changed[0] | changed[1]).sum()
