import csv
import gzip

import numpy as np
import pytest
import utm
from hypothesis import given, settings
from hypothesis import strategies as st

from vpr_tf.geo import lat_lon_to_utm, parse_zone, utm_to_lat_lon, utm_zones

# Whole 1e-7 degrees, as records hold them.
latitudes = st.integers(-80 * 10**7, 84 * 10**7).map(lambda e7: e7 / 1e7)
longitudes = st.integers(-180 * 10**7, 180 * 10**7 - 1).map(lambda e7: e7 / 1e7)


@settings(max_examples=100)
@given(st.lists(st.tuples(latitudes, longitudes), min_size=1, max_size=20))
def test_conversion_equals_utm_package_and_returns(positions):
    latitude, longitude = np.array(positions).T
    east, north, zones = lat_lon_to_utm(latitude, longitude)
    for i, (lat, lon) in enumerate(positions):
        expected = utm.from_latlon(lat, lon)
        assert abs(zones[i]) == expected[2]
        assert (zones[i] > 0) == (lat >= 0)
        assert east[i] == pytest.approx(expected[0], abs=1e-6)
        assert north[i] == pytest.approx(expected[1], abs=1e-6)
    back = utm_to_lat_lon(east, north, zones)
    assert np.allclose(back[0], latitude, atol=1e-6)
    turned = (back[1] - longitude + 180) % 360 - 180
    assert np.all(np.abs(turned) * np.cos(np.radians(latitude)) < 1e-5)


@pytest.mark.parametrize(
    ("latitude", "longitude", "zone"),
    [
        (60, 5, 32),
        (56, 2.9, 31),
        (73, 8.9, 31),
        (73, 9, 33),
        (73, 41, 37),
        (0, 179.9, 60),
    ],
)
def test_zones_of_norway_and_svalbard(latitude, longitude, zone):
    assert (
        utm_zones(latitude, longitude)
        == zone
        == utm.latlon_to_zone_number(latitude, longitude)
    )


def test_real_names_hold_the_position_twice(shared_dir):
    table = shared_dir / "data" / "coordinates" / "tokyo_xs_database.csv.gz"
    lines = gzip.decompress(table.read_bytes()).decode().split()
    fields = [line.split("@") for line in lines]
    columns = np.array([[float(row[i]) for i in (1, 2, 5, 6)] for row in fields])
    east, north, zones = lat_lon_to_utm(columns[:, 2], columns[:, 3])
    assert np.all(zones == 54)
    # Names give degrees to five decimals, about a metre.
    assert np.abs(east - columns[:, 0]).max() < 1.2
    assert np.abs(north - columns[:, 1]).max() < 1.2


def test_manhattan_is_in_zone_18(shared_dir):
    table = shared_dir / "data" / "coordinates" / "manhattan_panoramas.csv.gz"
    lines = gzip.decompress(table.read_bytes()).decode().splitlines()
    rows = list(csv.DictReader(lines))
    positions = np.array([(row["latitude"], row["longitude"]) for row in rows], float)
    east, north, zones = lat_lon_to_utm(*positions.T)
    assert np.all(zones == 18)
    assert np.ptp(east) < 10_000
    assert np.ptp(north) < 10_000


@pytest.mark.parametrize(
    ("text", "zone"), [("10S", 10), ("33H", -33), ("-33", -33), (" 7 ", 7), ("10", 10)]
)
def test_parse_zone(text, zone):
    assert parse_zone(text) == zone


@pytest.mark.parametrize("text", ["", "0", "61N", "10I", "S10", "-10S", "10.0"])
def test_parse_zone_rejects(text):
    with pytest.raises(ValueError, match="UTM zone must be"):
        parse_zone(text)


@pytest.mark.parametrize(
    ("latitude", "longitude"), [(85, 0), (-81, 0), (np.nan, 0), (0, np.inf)]
)
def test_positions_outside_utm_are_refused(latitude, longitude):
    with pytest.raises(ValueError, match="range of UTM"):
        lat_lon_to_utm([0, latitude], [0, longitude])
