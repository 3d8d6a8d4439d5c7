import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpr_tf.config import ReadingConfig
from vpr_tf.photos import InvalidEntryError, format_image_name, parse_image_name
from vpr_tf.photos.schema import UNKNOWN_DEGREES_E7
from vpr_tf.photos.sf_xl_names import read_image_name

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
    latitude=st.integers(-80, 84).filter(bool),
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
    row = read_image_name(name)
    assert row.utm_cm == (east_cm, north_cm)
    assert row.zone == (zone if letter >= "N" else -zone, letter)
    assert row.degrees_e7 == (latitude * 10**7, longitude * 10**7)
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
        ("@one@two@three.jpg", "no UTM fields"),
        (replaced(1, "east"), "utm_east is not a number"),
        (replaced(1, "nan"), "utm_east is not a usable number"),
        (replaced(2, "1e12"), "utm_north 1e12 is out of range"),
        (replaced(3, "61"), "zone number"),
        (replaced(4, "I"), "zone letter"),
        (replaced(5, "91"), "latitude 91 is outside -80 to 84 degrees"),
        (replaced(5, "-81"), "latitude -81 is outside -80 to 84 degrees"),
        (replaced(6, "181"), "longitude 181 is beyond 180"),
        (replaced(6, ""), "longitude is empty and the other"),
        (replaced(5, "0").replace("-122.49646", "0"), "are 0, 0, which is written"),
        (replaced(9, "north"), "heading_deg is not a number"),
        (replaced(9, "725"), "heading_deg 725 is impossible; it must be 0 to 360"),
        (replaced(9, "-181"), "heading_deg -181 is impossible"),
        (replaced(13, "June 2016"), "timestamp must have the form"),
        (replaced(13, "201613"), "timestamp 201613 does not exist"),
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
    assert read_image_name(replaced(1, text)).utm_cm[0] == centimetres


@pytest.mark.parametrize(
    ("text", "heading"),
    [
        ("360", 360),
        ("0", 0),
        ("-10", 350),
        ("-180", 180),
        ("030.5", 30.5),
        ("", -1),
        ("-1", -1),
        ("-1.0", -1),
        ("-999", -1),
        ("-9999.00", -1),
        ("NaN", -1),
    ],
)
def test_headings(text, heading):
    assert parse_image_name(replaced(9, text)).heading_deg == heading


@pytest.mark.parametrize("text", ["29.99999999", "359.99999999", "-0.0000000001"])
def test_heading_below_a_whole_degree_stays_below(text):
    parsed = parse_image_name(replaced(9, text)).heading_deg
    assert parsed // 30 == float(text) % 360 // 30 or parsed // 30 == 11


SWAPPED = "@0394543.00@4990360.00@32@T@007.66677@045.05882@id@@0@@@@@@.jpg"
BAND_S = "@0334873.00@6252266.00@56@S@-33.85700@0151.21500@id@@0@@@@@@.jpg"
WRONG_ZONE = "@0547400.04@4173201.04@11@S@037.70482@-122.46227@id@@0@@@@@@.jpg"
UTM_SWAPPED = "@4173201.04@0547400.04@10@S@037.70482@-122.46227@id@@0@@@@@@.jpg"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            SWAPPED,
            r"are [0-9,]+ km apart.*k?m if latitude and longitude are swapped",
        ),
        (BAND_S, r"does not fit band S.*hemisphere\? In.*-56 or 56H.* km apart"),
        (
            WRONG_ZONE,
            r"are [0-9]+ km apart.*agree to 0 m if the zone is 10 inst",
        ),
        (UTM_SWAPPED, r"utm_east 4173201.04 is imposs.*utm_east and utm_north are sw"),
    ],
)
def test_contradicting_positions_name_fields_distance_and_mix_up(name, reason):
    with pytest.raises(InvalidEntryError, match=reason) as error:
        parse_image_name(name)
    assert "utm_east, utm_north, zone and latitude, longitude contradict" in str(
        error.value
    )


def test_positions_may_be_apart_as_far_as_is_allowed():
    name = replaced(5, "037.70186")  # 98 m north
    assert parse_image_name(name).latitude_e7 == 377018600
    with pytest.raises(InvalidEntryError, match=r"98 m apart \(more than 50 m\)"):
        parse_image_name(name, ReadingConfig(max_disagreement_m=50.0))


@pytest.mark.parametrize(
    ("name", "cm"),
    [
        ("@0547400.04@4173201.04@photo.jpg", (54740004, 417320104)),
        ("@0000000.00@0000012.00@@@@@frame12@@@@@@@@.jpg", (0, 1200)),
        ("@-3.5@12@a@b.png", (-350, 1200)),
    ],
)
def test_names_without_a_zone_have_local_coordinates(name, cm):
    row = parse_image_name(name)
    assert (row.utm_east_cm, row.utm_north_cm) == cm
    assert row.utm_zone == 0
    assert row.latitude_e7 == row.longitude_e7 == UNKNOWN_DEGREES_E7


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9))
def test_every_local_name_keeps_its_metres(east_cm, north_cm):
    row = parse_image_name(f"@{east_cm / 100:.2f}@{north_cm / 100:.2f}@id@.jpg")
    assert row[:3] == (east_cm, north_cm, 0)
    assert row.latitude_e7 == UNKNOWN_DEGREES_E7


def test_short_names_may_have_a_zone_and_degrees():
    short = "@0547400.04@4173201.04@10@S@037.70482@-122.46227@pano@201311.jpg"
    row = parse_image_name(short)
    assert (row.utm_zone, row.latitude_e7) == (10, 377048200)
    with pytest.raises(InvalidEntryError, match="contradict each other"):
        parse_image_name(short.replace("@10@", "@11@"))


def test_degrees_at_the_end_of_a_short_name_are_read():
    name = "@0547400.04@4173201.04@10@S@037.70482@-122.46227.jpg"
    assert parse_image_name(name).longitude_e7 == -1224622700
    with pytest.raises(InvalidEntryError, match=r"528 km apart.*the zone is 10 inst"):
        parse_image_name(name.replace("@10@", "@11@"))
    by_degrees = parse_image_name(name.replace("@10@S@", "@@@"))
    assert (by_degrees.utm_zone, by_degrees.latitude_e7) == (10, 377048200)
    with pytest.raises(InvalidEntryError, match="longitude is not a number: 'photo'"):
        parse_image_name(name.replace("-122.46227", "photo"))


@pytest.mark.parametrize(
    "end",
    [
        *("10@Z@x", "11@s@x", "11@s@037.70482@-122.46227", "-10@S@x", "10@x", "10@"),
        *("10S@x", "32610@x", "EPSG:32610@x", "utm10@x", "@S@x", "id@37.7@-122.4@x"),
    ],
)
def test_what_may_be_a_zone_or_degrees_is_not_left_out(end):
    name = f"@0547400.04@4173201.04@{end}.jpg"
    with pytest.raises(InvalidEntryError, match=r"as in @10@S@, or .*`--zone local`"):
        parse_image_name(name)
    assert parse_image_name(name, ReadingConfig(zone="local")).utm_zone == 0


@pytest.mark.parametrize("end", ["photo.jpg", "@@@@frame@@@@@@@@.jpg"])
def test_degrees_in_place_of_metres_are_refused(end):
    name = f"@37.70482@-122.46227@{end}"
    with pytest.raises(InvalidEntryError, match="looks like latitude and longitude"):
        parse_image_name(name)
    found = parse_image_name(name, ReadingConfig(zone="local"))
    assert (found.utm_east_cm, found.utm_zone) == (3770, 0)


@pytest.mark.parametrize("change", ["@@@", "@"])
def test_a_whole_name_with_a_separator_too_many_or_few_is_refused(change):
    name = REAL.replace("@@.jpg", f"{change}.jpg")
    with pytest.raises(InvalidEntryError, match=r'1[46] "@" and the standard has 15'):
        parse_image_name(name)


def test_zone_of_names_without_one():
    name = "@0547400.04@4173201.04@photo.jpg"
    assert parse_image_name(name, ReadingConfig(zone="10S")).utm_zone == 10
    assert parse_image_name(REAL, ReadingConfig(zone="local")).utm_zone == 0
    by_degrees = replaced(3, "").replace("@S@", "@@")
    assert parse_image_name(by_degrees).utm_zone == 10


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
