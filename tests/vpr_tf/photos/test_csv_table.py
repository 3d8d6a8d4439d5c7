import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vpr_tf.photos.photo_writer import write_photo
from vpr_tf.config import ConfigError, ReadingConfig
from vpr_tf.photos import PhotoSourceError, scan_photos

SAN_FRANCISCO = pytest.approx([37.70098, -122.49646], abs=1e-5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for name in ("a", "b"):
        write_photo(folder / f"{name}.jpg")
    return folder


def scan(folder, text, encoding="utf-8", **reading):
    table = folder / "t.csv"
    table.write_bytes(text.encode(encoding))
    return scan_photos(table, reading=ReadingConfig(**reading), progress=False)


def place(found, row=0):
    positions = found.photos.positions
    return [positions.latitude_deg[row], positions.longitude_deg[row]]


@pytest.mark.parametrize(
    ("latitude", "longitude", "heading", "time"),
    [
        ("lat", "lon", "heading", "time"),
        ("Lat", "lng", "yaw", "timestamp"),
        ("LATITUDE", "Longitude", "Heading (deg)".replace(" (", "_")[:-1], "DateTime"),
        (" latitude ", "long", "compass angle", "captured-at"),
        ("gps_latitude", "gps_longitude", "azimuth", "taken"),
    ],
)
def test_usual_names_of_columns(folder, latitude, longitude, heading, time):
    header = f"File,{latitude},{longitude},{heading},{time},note\n"
    row = "a.jpg,37.70098,-122.49646,-90,2019-06-30T12:34:56+02:00,x\n"
    found = scan(folder, header + row)
    assert place(found) == SAN_FRANCISCO
    assert found.photos.heading_deg.tolist() == [270]
    assert found.photos.timestamps.tolist() == [b"20190630_123456"]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_delimiter_and_decimal_comma(folder, delimiter):
    rows = [
        ["path", "lat", "lon", "heading", "time"],
        ["a.jpg", "37,70098", "-122,49646"],
    ]
    rows[1] += ["12,5", "2019"]
    text = "\r\n".join(delimiter.join(row) for row in rows)
    for reading in ({}, {"delimiter": delimiter}):
        found = scan(folder, text, **reading)
        assert place(found) == SAN_FRANCISCO
        assert found.photos.heading_deg.tolist() == [12.5]
    with pytest.raises(PhotoSourceError, match="must have the columns path"):
        scan(folder, text, delimiter=",")


@given(
    st.floats(-79.9, 83.9),
    st.floats(-179.9, 179.9),
    st.sampled_from([".", ","]),
    st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2099, 1, 1)),
)
def test_every_place_in_a_table_with_semicolons(folder, north, east, decimal, time):
    if abs(north) + abs(east) < 0.01:
        return
    numbers = f"{north:.7f};{east:.7f}".replace(".", decimal)
    found = scan(folder, f"path;lat;lon;time\na.jpg;{numbers};{time.isoformat()}\n")
    assert place(found) == pytest.approx([north, east], abs=1e-6)
    seconds = time.strftime("%Y%m%d_%H%M%S").encode()
    assert found.photos.timestamps.tolist() == [seconds]


def test_tab_by_name_and_columns_by_map(folder):
    text = "bild\tbreite\tlon\tlaenge\na.jpg\t37.70098\t1\t-122.49646\n"
    columns = {"path": "bild", "latitude": "breite", "longitude": "laenge"}
    found = scan(folder, text, delimiter="tab", columns=columns)
    assert place(found) == SAN_FRANCISCO
    with pytest.raises(PhotoSourceError, match="no column 'hoehe', which should be la"):
        scan(folder, text, columns={**columns, "latitude": "hoehe"})
    with pytest.raises(ConfigError, match="columns` must be one of path, latitude"):
        ReadingConfig(columns={"breite": "latitude"})


def test_zone_of_a_table_without_one(folder):
    text = "path,easting,northing\na.jpg,544388.51,4172758.25\n"
    assert place(scan(folder, text, zone="10S")) == SAN_FRANCISCO
    with pytest.raises(PhotoSourceError, match="utm_east, utm_north, zone"):
        scan(folder, text)
    with pytest.raises(ConfigError, match="a UTM zone as 10S"):
        ReadingConfig(zone="west")


@pytest.mark.parametrize(
    ("header", "reading"),
    [
        ("path,x_m,y_m", {}),
        ("path,east,north,zone", {"zone": "local"}),
        ("path,utm_east,utm_north", {"zone": "local"}),
        ("path,a,b", {"zone": "local", "columns": {"utm_east": "a", "utm_north": "b"}}),
    ],
)
def test_local_coordinates(folder, header, reading):
    zone = "," if "zone" in header else ""
    found = scan(folder, f"{header}\na.jpg,0,-12.5{zone}\nb.jpg,3,4{zone}\n", **reading)
    positions = found.photos.positions
    assert positions.is_local.all()
    assert positions.known.all()
    assert positions.utm_cm.tolist() == [[0, -1250], [300, 400]]
    assert positions.utm_zone.tolist() == [0, 0]
    assert np.isnan([positions.latitude_deg, positions.longitude_deg]).all()


def test_local_coordinates_beside_others_are_refused(folder):
    text = "path,east,north,zone\na.jpg,0,12.5,local\nb.jpg,544388,4172758,10S\n"
    with pytest.raises(PhotoSourceError, match=r"Local coordinates .* `--zone local`"):
        scan(folder, text)
    assert scan(folder, text, zone="local").photos.positions.is_local.all()


def test_byte_order_mark_of_utf_8(folder):
    assert len(scan(folder, "path,lat,lon\na.jpg,1,2\n", "utf-8-sig")) == 1


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_named_with_the_remedy(folder, encoding):
    with pytest.raises(PhotoSourceError, match=r"is in UTF-16.*iconv -f UTF-16 -t UTF"):
        scan(folder, "path,lat,lon\na.jpg,1,2\n", encoding)


@pytest.mark.parametrize("encoding", ["utf-32", "utf-32-le", "utf-32-be"])
def test_utf_32_is_named_with_the_remedy(folder, encoding):
    with pytest.raises(PhotoSourceError, match=r"is in UTF-32.*iconv -f UTF-32 -t UTF"):
        scan(folder, "path,lat,lon\na.jpg,1,2\n", encoding)


def test_latin_1_is_named_with_the_remedy(folder):
    with pytest.raises(PhotoSourceError, match=r"Latin-1.*iconv -f WINDOWS-1252 -t"):
        scan(folder, "path,lat,lon\nstra\xdfe.jpg,1,2\n", "latin-1")


def test_several_columns_for_one_field_are_refused(folder):
    text = "path,lat,gps_lat,lon\na.jpg,37.70098,1,-122.49646\n"
    with pytest.raises(PhotoSourceError, match="may be latitude: lat, gps_lat"):
        scan(folder, text)
    found = scan(folder, text, columns={"latitude": "lat"})
    assert place(found) == SAN_FRANCISCO


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("path,lat,latitude,lon", "latitude: lat, latitude"),
        ("path,lat,lon,heading_deg,heading", "heading_deg: heading_deg, heading"),
        ("path,image,lat,lon", "path: path, image"),
    ],
)
def test_the_name_of_a_field_and_another_for_it_are_refused(folder, header, names):
    text = f"{header}\na.jpg,37.7,37.7,-122.4,10\n"
    with pytest.raises(PhotoSourceError, match=f"several columns that may be {names}"):
        scan(folder, text)


def test_a_column_named_for_two_fields_is_refused():
    with pytest.raises(ConfigError, match=r"columns` must be of another.*breite"):
        ReadingConfig(columns={"latitude": "breite", "longitude": "breite"})


@pytest.mark.parametrize(
    ("header", "row", "reading", "reason"),
    [
        (
            "x_m,y_m,zone",
            "547400,4173201,10S",
            {},
            "zone is 10S and x_m, y_m are local",
        ),
        ("x_m,y_m,lat,lon", "1,2,37.7,-122.4", {}, "two positions: take the metres by"),
        ("east,north,zone,lat,lon", "1,2,Local,37.7,-122.4", {}, "two positions"),
        (
            "x_m,northing,zone",
            "547400,4173201,10S",
            {},
            "columns x_m and northing, one",
        ),
        ("easting,y_m", "547400,4173201", {"zone": "10S"}, "easting and y_m, one in"),
        (
            "x_m,y_m",
            "547400,4173201",
            {"zone": "10S"},
            "x_m and y_m, which have no zone",
        ),
    ],
)
def test_local_metres_with_another_position_are_refused(
    folder, header, row, reading, reason
):
    with pytest.raises(PhotoSourceError, match=reason):
        scan(folder, f"path,{header}\na.jpg,{row}\n", **reading)


def test_metres_of_a_whole_table_may_be_taken_as_local(folder):
    text = (
        "path,utm_east,utm_north,zone,lat,lon\na.jpg,547400,4173201,10S,37.7,-122.4\n"
    )
    positions = scan(folder, text, zone="local").photos.positions
    assert positions.is_local.all()
    assert positions.utm_cm.tolist() == [[54740000, 417320100]]


def test_utm_numbers_that_are_no_place_agree_with_nothing(folder):
    text = "path,east,north,zone,lat,lon\na.jpg,9e7,9e7,10S,37.7,-122.4\n"
    with pytest.raises(PhotoSourceError, match="contradict") as error:
        scan(folder, text)
    assert "agree to very far" not in str(error.value)
