import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import TiffImagePlugin

from tests.vpr_tf.photos.photo_writer import (
    DIRECTION,
    LATITUDE,
    STATUS,
    gps_of,
    write_photo,
)
from vpr_tf.photos import InvalidEntryError
from vpr_tf.photos.exif_position import read_exif_metadata


def read(tmp_path, gps, **options):
    return read_exif_metadata(str(write_photo(tmp_path / "p.jpg", gps=gps, **options)))


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_position_heading_and_time(tmp_path, suffix):
    gps = gps_of(37.76031, -122.50882, heading_deg=271.5)
    path = write_photo(tmp_path / f"p{suffix}", gps=gps, taken="2019:05:06 12:34:56")
    found = read_exif_metadata(str(path))
    assert found.degrees_e7[0] == pytest.approx(377603100, abs=10)
    assert found.degrees_e7[1] == pytest.approx(-1225088200, abs=10)
    assert found.heading_deg == 271.5
    assert found.timestamp == "20190506_123456"
    assert found.utm_cm is None


@settings(max_examples=25, deadline=None)
@given(latitude=st.floats(-80, 84), longitude=st.floats(-180, 180))
def test_every_hemisphere(tmp_path_factory, latitude, longitude):
    folder = tmp_path_factory.mktemp("exif")
    if abs(latitude) + abs(longitude) < 1e-2:
        return
    found = read(folder, gps_of(latitude, longitude))
    assert found.degrees_e7[0] == pytest.approx(latitude * 1e7, abs=20)
    assert found.degrees_e7[1] == pytest.approx(longitude * 1e7, abs=20)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({STATUS: "V"}, "void"),
        ({1: "X"}, "EXIF latitude must be N or S, not 'X'"),
        ({3: None}, "EXIF longitude must be E or W, not ''"),
        ({LATITUDE: None}, "no latitude"),
        ({LATITUDE: (84.0, 30.0, 0.0)}, "outside -80 to 84"),
        ({LATITUDE: (700.0, 0.0, 0.0)}, "not degrees, minutes and seconds"),
        ({4: (200.0, 0.0, 0.0)}, "EXIF longitude -200 is beyond 180"),
        ({LATITUDE: (37.0, 61.0, 0.0)}, "37, 61, 0 is not degrees, minutes and"),
        ({LATITUDE: (37.0, 6.0, 75.5)}, "37, 6, 75.5 is not degrees, minutes and"),
        ({LATITUDE: (37.7, 42.3, 17.2)}, "37.7, 42.3, 17.2 is impossible: only the"),
        ({LATITUDE: (37.7, 0.0, 17.2)}, "37.7, 0, 17.2 is impossible: only the last"),
        ({DIRECTION: 400.0}, "EXIF heading_deg 400.0* is impossible"),
    ],
)
def test_unusable_positions_are_told(tmp_path, change, reason):
    gps = gps_of(37.7, -122.5) | change
    gps = {tag: value for tag, value in gps.items() if value is not None}
    with pytest.raises(InvalidEntryError, match=reason):
        read(tmp_path, gps)


def test_zero_is_no_position(tmp_path):
    with pytest.raises(InvalidEntryError, match="0, 0, which is written"):
        read(tmp_path, gps_of(0.0, 0.0))


def test_without_gps(tmp_path):
    with pytest.raises(InvalidEntryError, match="no EXIF GPS data"):
        read(tmp_path, None)


def test_impossible_time(tmp_path):
    with pytest.raises(InvalidEntryError, match=r"EXIF timestamp 2019:02:30 1.*exist"):
        read(tmp_path, gps_of(37.7, -122.5), taken="2019:02:30 10:00:00")


@pytest.mark.parametrize("taken", [None, "0000:00:00 00:00:00", "    :  :  ", "2019"])
def test_unknown_time_and_heading(tmp_path, taken):
    gps = gps_of(37.7, -122.5) | {DIRECTION: TiffImagePlugin.IFDRational(0, 0)}
    found = read(tmp_path, gps, taken=taken)
    assert found.timestamp == ""
    assert found.heading_deg == -1


def test_damaged_exif_never_crashes(tmp_path):
    path = write_photo(tmp_path / "p.jpg", gps=gps_of(37.7, -122.5), taken="x")
    whole = path.read_bytes()
    start = whole.index(b"Exif")
    for place in range(start, start + 160):
        path.write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
        try:
            found = read_exif_metadata(str(path))
        except InvalidEntryError:
            continue
        assert abs(found.degrees_e7[0]) <= 90 * 10**7
