import io

import numpy as np
import pytest
from PIL import Image

from data_prep.synthesize.faults import file_faults


@pytest.fixture(scope="module")
def content():
    noise = np.random.default_rng(0).uniform(0, 255, (64, 64, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), np.int64)


@pytest.mark.parametrize("seed", range(3))
def test_cut_data_leaves_a_grey_lower_part(content, seed):
    cut = file_faults.cut_data(content, np.random.default_rng(seed))
    assert len(cut) < len(content)
    image = pixels(cut)
    np.testing.assert_array_equal(image[:8], pixels(content)[:8])
    assert np.ptp(image[-4:].reshape(-1, 3), axis=0).max() == 0


def test_grey_part_is_grey_and_stored_whole(content):
    image = pixels(file_faults.grey_part(content, np.random.default_rng(0)))
    assert np.abs(image[-8:] - 128).max() <= 2
    assert image[:8].std() > 20


def test_repeated_part_repeats_a_band(content):
    rng = np.random.default_rng(1)
    image = pixels(file_faults.repeated_part(content, rng))
    last = image[-24:].astype(float)
    found = [
        np.corrcoef(last[: 24 - band].ravel(), last[band:].ravel())[0, 1]
        for band in (8, 16)
    ]
    assert max(found) > 0.8


def test_too_small_and_copies(content):
    rng = np.random.default_rng(2)
    assert max(pixels(file_faults.too_small(content, rng)).shape) <= 64
    assert file_faults.exact_copy(content, rng) == content
    for _ in range(4):
        copy = file_faults.near_copy(content, rng)
        assert copy != content
        assert min(pixels(copy).shape[:2]) > 32
