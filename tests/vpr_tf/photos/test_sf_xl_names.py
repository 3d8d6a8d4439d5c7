import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpr_tf.photos import InvalidEntryError, format_image_name, parse_image_name

REAL = (
    "@0544388.51@4172758.25@10@S@037.70098@-122.49646"
    "@kPnABhWJ1kA61eMNPLs1vQ@@210@@@@201606@@.jpg"
)


def test_parse_real_name():
    row = parse_image_name(f"a@b/{REAL}")
    assert row.utm_east_cm == 54438851
    assert row.utm_north_cm == 417275825
    assert row.utm_zone == 10
    assert (row.latitude_e7, row.longitude_e7) == (377009800, -1224964600)
    assert row.heading_deg == 210
    assert row.timestamp == "201606"


@given(
    east_cm=st.integers(-(10**8), 10**9 - 1),
    north_cm=st.integers(0, 10**9 - 1),
    zone=st.integers(1, 60),
    letter=st.sampled_from("CDEFGHJKLMNPQRSTUVWX"),
    latitude=st.integers(-80, 84),
    longitude=st.integers(-180, 180),
    heading=st.one_of(st.none(), st.integers(0, 360)),
    timestamp=st.sampled_from(["", "2016", "20160203_1112"]),
    suffix=st.sampled_from([".jpg", ".JPEG", ".Png"]),
)
def test_format_and_parse_agree(
    east_cm, north_cm, zone, letter, latitude, longitude, heading, timestamp, suffix
):
    name = format_image_name(
        utm_east_m=east_cm / 100,
        utm_north_m=north_cm / 100,
        zone_number=zone,
        zone_letter=letter,
        latitude=latitude,
        longitude=longitude,
        heading_deg=heading,
        timestamp=timestamp,
        suffix=suffix,
    )
    assert name.count("@") == 15
    row = parse_image_name(name)
    assert (row.utm_east_cm, row.utm_north_cm) == (east_cm, north_cm)
    assert row.utm_zone == (zone if letter >= "N" else -zone)
    assert (row.latitude_e7, row.longitude_e7) == (latitude * 10**7, longitude * 10**7)
    assert row.heading_deg == (-1 if heading is None else heading)
    assert row.timestamp == timestamp


def replaced(index: int, value: str) -> str:
    fields = REAL.split("@")
    fields[index] = value
    return "@".join(fields)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("img_001.jpg", "no UTM fields"),
        ("x" + REAL, "no UTM fields"),
        (REAL.replace("@@.jpg", "@.jpg"), "no UTM fields"),
        (replaced(1, "east"), "utm_east is not a number"),
        (replaced(1, "nan"), "utm_east is not a usable number"),
        (replaced(2, "1e12"), "utm_north 1e12 is out of range"),
        (replaced(3, "61"), "zone number"),
        (replaced(4, "I"), "zone letter"),
        (replaced(5, "91"), "latitude 91 is beyond 90"),
        (replaced(9, "north"), "heading is not a number"),
        (replaced(13, "2016-06"), "timestamp"),
        (replaced(15, ".gif"), "does not end with"),
    ],
)
def test_wrong_name_is_rejected_with_the_reason(name, reason):
    with pytest.raises(InvalidEntryError, match=reason):
        parse_image_name(name)


@pytest.mark.parametrize(
    ("text", "centimetres"),
    [("544049.999", 54404999), ("-0.001", -1), ("4178906.01", 417890601), ("7", 700)],
)
def test_positions_are_floored_so_that_cells_are_exact(text, centimetres):
    assert parse_image_name(replaced(1, text)).utm_east_cm == centimetres


@pytest.mark.parametrize(
    ("text", "heading"),
    [("360", 360), ("0", 0), ("-10", 350), ("725", 5), ("", -1), ("030.5", 30.5)],
)
def test_headings(text, heading):
    assert parse_image_name(replaced(9, text)).heading_deg == heading


@pytest.mark.parametrize("text", ["29.99999999", "359.99999999", "-0.0000000001"])
def test_heading_below_a_whole_degree_stays_below(text):
    parsed = parse_image_name(replaced(9, text)).heading_deg
    assert parsed // 30 == float(text) % 360 // 30 or parsed // 30 == 11


def test_format_refuses_a_separator_in_a_text():
    with pytest.raises(ValueError, match="must not hold '@'"):
        format_image_name(
            utm_east_m=0,
            utm_north_m=0,
            zone_number=1,
            zone_letter="N",
            latitude=0,
            longitude=0,
            note="a@b",
        )
