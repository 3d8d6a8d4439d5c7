import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from vpr_tf.photos.image_completeness import lost_text

END = b"\xff\xd9"
FORMS = [
    {"format": "JPEG", "quality": 90},
    {"format": "JPEG", "quality": 95, "subsampling": 0},
    {"format": "JPEG", "quality": 75, "optimize": True},
    {"format": "JPEG", "quality": 85, "restart_marker_rows": 2},
    {"format": "PNG"},
]


def picture(seed, size=(192, 144), grey=False, **form):
    """A smooth picture with a little noise, as a photo is."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8))
    pixels = np.asarray(small.resize(size, Image.Resampling.BICUBIC)).astype(int)
    pixels = np.clip(pixels + rng.integers(-6, 7, pixels.shape), 0, 255)
    image = Image.fromarray(pixels.astype(np.uint8)).convert("L" if grey else "RGB")
    out = io.BytesIO()
    image.save(out, **form)
    return out.getvalue()


def decoded(content):
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image)


def missing_share(text):
    return int(text.split("%")[0]) / 100


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 99),
    width=st.integers(9, 99),
    height=st.integers(9, 99),
    grey=st.booleans(),
)
def test_whole_images_miss_nothing(form, seed, width, height, grey):
    whole = picture(seed, (width, height), grey, **form)
    assert lost_text(whole) == ""
    assert lost_text(whole + bytes(50)) == ""
    assert lost_text(whole, decoded(whole)) == ""


@pytest.mark.parametrize("form", FORMS[:4])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 99), lost=st.floats(0.05, 0.9), zeros=st.booleans())
def test_lost_share_of_a_jpeg_is_named(form, seed, lost, zeros):
    whole = picture(seed, **form)
    start = whole.index(b"\xff\xda")
    cut = start + 14 + int((1 - lost) * (len(whole) - start - 16))
    filling = bytes(len(whole) - cut - 2) if zeros else b""
    content = whole[:cut] + filling + END
    text = lost_text(content, decoded(content))
    assert text.endswith("of its pixels are missing")
    assert missing_share(text) == pytest.approx(lost, abs=0.08)
    assert lost_text(whole[:cut]) == lost_text(whole[:cut] + END)


def test_lost_share_of_a_png_is_named():
    whole = picture(3, format="PNG")
    start, end = whole.index(b"IDAT"), whole.rindex(b"IEND") - 4
    length = int((end - start) * 0.5)
    chunk = whole[start : start + 4 + length]
    content = whole[: start - 4] + length.to_bytes(4, "big") + chunk
    content += bytes(4) + whole[end:]
    assert missing_share(lost_text(content)) == pytest.approx(0.5, abs=0.08)


def test_missing_scans_of_a_progressive_jpeg_are_noticed():
    whole = picture(3, format="JPEG", quality=90, progressive=True)
    assert lost_text(whole, decoded(whole)) == ""
    for share in (0.25, 0.5):
        content = whole[: int(share * len(whole))] + END
        assert "of its pixels are missing" in lost_text(content, decoded(content))


def test_flat_images_are_whole():
    for form in FORMS:
        out = io.BytesIO()
        Image.new("RGB", (64, 64), (120, 120, 120)).save(out, **form)
        assert lost_text(out.getvalue(), decoded(out.getvalue())) == ""


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 5000), st.integers(0, 255), st.sampled_from(FORMS))
def test_damaged_files_never_crash(place, value, form):
    whole = bytearray(picture(5, (40, 40), **form))
    whole[place % len(whole)] = value
    assert isinstance(lost_text(bytes(whole)), str)


def test_decoders_do_not_notice():
    whole = picture(3, **FORMS[0])
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    assert decoded(whole[: len(whole) // 2] + END).shape == (144, 192, 3)
