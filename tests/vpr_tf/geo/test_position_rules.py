import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpr_tf.geo import (
    Positions,
    contradictions,
    lat_lon_problem,
    lat_lon_problems,
    lat_lon_to_utm,
    utm_problems,
)

latitudes = st.integers(-799, 839).map(lambda tenths: tenths / 10)
longitudes = st.integers(-1799, 1799).map(lambda tenths: tenths / 10)
BANDS = "CDEFGHJKLMNPQRSTUVWX"


def utm_of(latitude, longitude):
    return Positions.from_utm(*lat_lon_to_utm([latitude], [longitude]))


def band_of(latitude):
    return BANDS[min(int((latitude + 80) // 8), 19)]


@given(latitudes, longitudes)
def test_every_place_is_possible_and_agrees_with_itself(latitude, longitude):
    utm = utm_of(latitude, longitude)
    if latitude == longitude == 0:
        assert "are 0, 0, which" in utm_problems(utm, [""])[0]
        return
    assert utm_problems(utm, [""]) == {}
    assert utm_problems(utm, [band_of(latitude)]) == {}
    assert contradictions(utm, np.array([latitude]), np.array([longitude]), 0.1) == {}
    assert lat_lon_problem(latitude, longitude) == ""


@given(latitudes, longitudes, st.integers(2, 17))
def test_another_band_is_refused(latitude, longitude, bands_off):
    index = (BANDS.index(band_of(latitude)) + bands_off) % 20
    band = BANDS[index]
    utm = utm_of(latitude, longitude)
    same_hemisphere = (band >= "N") == (utm.utm_zone[0] > 0)
    near = abs(index - BANDS.index(band_of(latitude))) < 2
    if not same_hemisphere or near or band == "N" or latitude == longitude == 0:
        return
    assert "does not fit band" in utm_problems(utm, [band])[0]


@given(latitudes, longitudes, st.integers(150, 10**7))
def test_degrees_elsewhere_are_named_with_their_distance(latitude, longitude, off_m):
    other = latitude - np.sign(latitude or 1) * off_m / 111_195
    if not -80 <= other <= 84:
        return
    utm = utm_of(latitude, longitude)
    text = contradictions(utm, np.array([other]), np.array([longitude]), 100.0)[0]
    named = text.split("they are ")[1].split(" apart")[0].replace(",", "")
    metres = float(named.split()[0]) * (1000 if named.endswith("km") else 1)
    assert metres == pytest.approx(off_m, rel=0.06)


def test_unknown_degrees_contradict_nothing():
    nan = np.array([np.nan])
    assert contradictions(utm_of(37.7, -122.5), nan, nan, 100.0) == {}


@pytest.mark.parametrize(
    ("east", "north", "zone", "band", "problem"),
    [
        (166021.44, 0.0, 31, "", "in zone 31: .* are 0, 0, which"),
        (166021.44, 0.0, 31, "N", "in zone 31: .* are 0, 0, which"),
        (334873.0, 6252266.0, 56, "S", "band letter or hemisphere.*-56 or 56H"),
        (334873.0, 6252266.0, -56, "H", ""),
        (4173201.04, 547400.04, 10, "S", "utm_east 4173201.04 is impossible.*swapped"),
        (547400.04, 4173201.04, 10, "S", ""),
        (547400.04, 4173201.04, 10, "N", ""),
        (547400.04, 4330000.0, 10, "T", ""),  # 39.1 degrees, near the border at 40
        (99_999.0, 4173201.04, 10, "", "utm_east 99999.00 is impossible"),
        (547400.04, 9_900_000.0, 10, "", "utm_north 9900000.00 is latitude .*north"),
        (547400.04, 500_000.0, -10, "", "utm_north 500000.00 is latitude .*south"),
    ],
)
def test_possible_utm(east, north, zone, band, problem):
    found = utm_problems(Positions.from_utm([east], [north], [zone]), [band])
    if not problem:
        assert found == {}
    else:
        assert re.search(problem, found[0])


@pytest.mark.parametrize(
    ("latitude", "longitude", "problem"),
    [
        (0.0, 0.0, "are 0, 0"),
        (0.0, 12.5, ""),
        (51.5, 0.0, ""),
        (-122.5, 37.7, "swapped"),
        (84.5, 0.0, "outside -80 to 84"),
        (1.0, 180.5, "beyond 180"),
        (np.nan, 1.0, "outside"),
        (1.0, np.inf, "beyond 180"),
    ],
)
def test_possible_degrees(latitude, longitude, problem):
    found = lat_lon_problem(latitude, longitude)
    assert problem in found if problem else not found


any_degrees = st.one_of(
    st.floats(-400, 400), st.sampled_from([0.0, np.nan, np.inf, -80.0, 84.0, 180.0])
)


@given(st.lists(st.tuples(any_degrees, any_degrees), min_size=1, max_size=9))
def test_problems_of_many_are_those_of_each(pairs):
    found = lat_lon_problems(*np.array(pairs, np.float64).T)
    for row, pair in enumerate(pairs):
        if np.isnan(pair).all():
            assert row not in found
        elif np.isnan(pair).any():
            assert "unknown (NaN)" in found[row]
        else:
            assert found.get(row, "") == lat_lon_problem(*pair)


@pytest.mark.parametrize(
    ("degrees", "mix_up"),
    [
        ((-122.5, 37.7), "if latitude and longitude are swapped"),
        ((37.7, 122.5), "if longitude has the other sign"),
        ((-37.7, -122.5), "if latitude has the other sign"),
        ((10.0, 10.0), "apart (more than 100 m)"),
    ],
)
def test_mix_ups_of_degrees_are_named(degrees, mix_up):
    latitude, longitude = (np.array([value]) for value in degrees)
    found = contradictions(utm_of(37.7, -122.5), latitude, longitude, 100.0)
    assert found[0].endswith(mix_up)


def test_mix_ups_of_zones_are_named():
    east, north, zone = lat_lon_to_utm([-33.85], [151.2])
    place = np.array([-33.85]), np.array([151.2])
    for other, mix_up in ((-zone, "zone is -56: band"), ([-55], "is -56 instead of")):
        utm = Positions.from_utm(east, north, other)
        assert mix_up in contradictions(utm, *place, 100.0)[0]
    utm = Positions.from_utm(north, east, zone)
    assert "utm_east and utm_north are sw" in contradictions(utm, *place, 100.0)[0]
