import pytest

from data_prep.build import build_dataset
from tests.data_prep.conftest import encode_image
from vpr_tf.photos import PhotoSourceError

EAST_NORTH = (544388.51, 4172758.25)


def write_table(tmp_path, header, *rows):
    (tmp_path / "photos").mkdir()
    for i in range(4):
        (tmp_path / "photos" / f"{i}.jpg").write_bytes(encode_image(i))
    lines = [header, *rows]
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")


def build_table(make_config, **build):
    return build_dataset(make_config(train="table.csv", **build))


def test_degrees_and_utm_give_the_same_positions(tmp_path, make_config):
    write_table(
        tmp_path,
        "path,latitude,longitude,heading_deg,timestamp",
        "photos/2.jpg,37.70098,-122.49646,210,201606",
        "photos/0.jpg,-33.9,18.4,,",
        "photos/1.jpg,37.70098,-122.49646,15.5,2017",
    )
    degrees = build_table(make_config).split("train")
    # Rows keep their order.
    assert [key.decode()[-5:] for key in degrees.keys] == ["2.jpg", "0.jpg", "1.jpg"]
    assert degrees.column("utm_zone").tolist() == [10, -34, 10]
    assert degrees.column("heading_deg").tolist() == [210, -1, 15.5]
    assert degrees.column("timestamp").tolist() == [b"201606", b"", b"2017"]
    assert abs(degrees.utm_m[0] - EAST_NORTH).max() < 0.6

    east, north = degrees.utm_m[1].tolist()
    (tmp_path / "table.csv").write_text(
        f"path,utm_east,utm_north,zone\nphotos/0.jpg,{east},{north},34H\n"
    )
    config = make_config(
        dataset="utm", train="table.csv", partition={"missing_heading": "ignore"}
    )
    utm = build_dataset(config).split("train")
    assert utm.column("utm_zone").tolist() == [-34]
    assert abs(utm.column("latitude_e7")[0] / 1e7 + 33.9) < 1e-6
    assert abs(utm.column("longitude_e7")[0] / 1e7 - 18.4) < 1e-6


def test_bad_rows_are_rejected_with_their_line(tmp_path, make_config):
    write_table(
        tmp_path,
        "path,utm_east,utm_north,zone,heading_deg",
        "photos/0.jpg,544388.51,4172758.25,10S,0",
        "photos/1.jpg,544388.51,4172758.25,S,0",
        "photos/2.jpg,,4172758.25,10,0",
        "photos/9.jpg,544388.51,4172758.25,10,0",
        ",544388.51,4172758.25,10,0",
        "photos/3.jpg,544388.51",
    )
    dataset = build_table(make_config, max_rejected_fraction=0.9)
    assert len(dataset.split("train")) == 1
    text = (dataset.path / "rejected.csv").read_text()
    for reason in (
        'photos/1.jpg,"line 3: UTM zone must be',
        "photos/2.jpg,line 4: utm_east is not a number",
        "photos/9.jpg,line 5: file cannot be read: No such file",
        ",line 6: path is empty",
        'photos/3.jpg,"line 7: ',
    ):
        assert reason in text


@pytest.mark.parametrize("header", ["", "file,latitude,longitude", "path,latitude"])
def test_missing_columns_are_an_error(tmp_path, make_config, header):
    write_table(tmp_path, header, "photos/0.jpg,1,2")
    with pytest.raises(PhotoSourceError, match="must have the columns path and lat"):
        build_table(make_config)
