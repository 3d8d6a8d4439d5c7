import numpy as np
import pytest

from data_prep.build import build_dataset
from data_prep.errors import DataPrepError
from data_prep.inspection import inspect_dataset
from data_prep.inspection.report import count_split, describe_splits
from tests.data_prep.conftest import encode_image, write_images
from vpr_tf.cli import main
from vpr_tf.config import DatabaseAndQueries, ReadingConfig, save_config
from vpr_tf.data import PreparedDataset
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
        "photos/3.jpg,line 7: the row has more or fewer fields than the header",
    ):
        assert reason in text


def test_rows_that_cannot_be_are_rejected_by_row_and_field(tmp_path, make_config):
    write_table(
        tmp_path,
        "path,utm_east,utm_north,zone,latitude,longitude,heading_deg,timestamp",
        "photos/0.jpg,544388.51,4172758.25,10S,37.70098,-122.49646,-1,2019-06-30",
        "photos/1.jpg,544388.51,4172758.25,11S,37.70098,-122.49646,,",
        "photos/1.jpg,,,,0,0,,",
        "photos/1.jpg,,,,37.7,-122.5,,201913",
        "photos/1.jpg,,,,37.7,-122.5,999,",
        "photos/1.jpg,334873.0,6252266.0,56S,,,,",
        "photos/1.jpg,4173201.04,547400.04,10S,,,,",
        "photos/1.jpg,,,,37,7,-122,5,,",
        "photos/2.jpg,,,,37.70098,-122.49646,-999,",
        "photos/3.jpg,544388.51,4172758.25,10S,,,nan,nan",
    )
    partition = {"missing_heading": "ignore"}
    config = make_config(
        train="table.csv", max_rejected_fraction=0.9, partition=partition
    )
    dataset = build_dataset(config)
    train = dataset.split("train")
    assert train.column("heading_deg").tolist() == [-1, -1, -1]
    assert train.column("timestamp").tolist() == [b"20190630", b"", b""]
    assert train.column("utm_zone").tolist() == [10, 10, 10]
    text = (dataset.path / "rejected.csv").read_text()
    for reason in (
        "line 3: utm_east, utm_north, zone and latitude, longitude contradict",
        "line 4: latitude and longitude are 0, 0",
        "line 5: timestamp 201913 does not exist",
        "line 6: heading_deg 999 is impossible",
        "line 7: utm_north 6252266.00 is latitude 56.4",
        "line 8: utm_east 4173201.04 is impossible",
        "line 9: the row has more or fewer fields",
    ):
        assert reason in text


def test_list_beside_a_folder_is_stated(tmp_path, make_config, capsys):
    names = write_images(tmp_path / "train", 4)
    listed = tmp_path / "train_images_paths.txt"
    listed.write_text("\n".join([names[2], names[0], "gone.jpg"]))
    dataset = build_dataset(make_config(max_rejected_fraction=0.5))
    expected = [names[2].encode(), names[0].encode()]
    assert dataset.split("train").keys.tolist() == expected
    assert f"1 rejected; those that {listed} names" in capsys.readouterr().out
    assert "train/gone.jpg,file cannot" in (dataset.path / "rejected.csv").read_text()


def test_reading_of_the_config_and_of_the_command_line(tmp_path, make_config):
    write_table(tmp_path, "bild;lat;lon", "photos/0.jpg;37,70098;-122,49646")
    config = make_config(
        train=None,
        tests={"a": DatabaseAndQueries("table.csv", "table.csv")},
        reading=ReadingConfig(columns={"path": "bild"}),
    )
    assert len(build_dataset(config).split("test-a-database")) == 1
    words = ["data", "build", "--config", "c.yaml", "--columns", "path=bild"]
    save_config(config, tmp_path / "c.yaml")
    path = tmp_path / "second"
    words[3] = str(tmp_path / "c.yaml")
    words += ["--delimiter", ";", f"dataset.path={path}", "build.reading.columns={}"]
    assert main(words) == 0
    assert PreparedDataset(path).manifest["build"]["reading"]["delimiter"] == ";"


def test_local_coordinates_have_classes(tmp_path, make_config, capsys):
    rows = [f"photos/{i}.jpg,{12 * (i // 2)},-5,{90 * i}" for i in range(4)]
    write_table(tmp_path, "path,x_m,y_m,yaw", *rows)
    dataset = build_table(make_config, partition={"cell_size_m": 10})
    remark = "4 positions are local coordinates, metres without a UTM zone; their lat"
    assert f"train: {remark}" in capsys.readouterr().out
    classes = dataset.partition("cosplace").classes
    assert classes["utm_zone"].tolist() == [0] * 4
    assert sorted(classes["cell_east_m"].tolist()) == [0, 0, 10, 10]
    positions = dataset.split("train").photo_table().positions
    assert positions.is_local.all()
    assert np.isnan(positions.latitude_deg).all()
    statistics = {"train": count_split(dataset.split("train"))}
    assert remark in describe_splits(dataset, statistics)
    inspect_dataset(dataset, tmp_path / "inspection")
    assert (tmp_path / "inspection" / "cosplace_map_local.png").exists()
    with pytest.raises(DataPrepError, match="S2 cells needs latitude and longitude"):
        build_table(make_config, dataset="s2", partition={"method": "planet"})


def test_local_coordinates_beside_others_stop_the_build(tmp_path, make_config):
    row = "photos/1.jpg,544388.51,4172758.25,10S,0"
    header = "path,utm_east,utm_north,zone,heading"
    write_table(tmp_path, header, "photos/0.jpg,0,0,local,0", row)
    with pytest.raises(
        DataPrepError, match=r"1 photos of local coordinates .* and 1 of"
    ):
        build_table(make_config)


def test_columns_named_twice_are_an_error(tmp_path, make_config):
    write_table(tmp_path, "path,latitude,longitude,latitude", "photos/0.jpg,1,2,3")
    with pytest.raises(PhotoSourceError, match="names columns twice: latitude"):
        build_table(make_config)


def test_one_heading_of_all_is_remarked(tmp_path, make_config, capsys):
    rows = [f"photos/{i}.jpg,37.7,-122.5,90" for i in range(4)]
    write_table(tmp_path, "path,latitude,longitude,heading_deg", *rows)
    dataset = build_table(make_config)
    remark = "train: all 4 headings are 90, so probably none was measured"
    assert remark in capsys.readouterr().out
    statistics = {"train": count_split(dataset.split("train"))}
    assert remark in describe_splits(dataset, statistics)


@pytest.mark.parametrize("header", ["", "picture,latitude,longitude", "path,latitude"])
def test_missing_columns_are_an_error(tmp_path, make_config, header):
    write_table(tmp_path, header, "photos/0.jpg,1,2")
    with pytest.raises(PhotoSourceError, match="must have the columns path and lat"):
        build_table(make_config)


def test_paths_may_be_relative_to_another_folder(tmp_path, make_config, capsys):
    write_table(tmp_path, "path,latitude,longitude", "3.jpg,37.7,-122.5")
    (tmp_path / "tables").mkdir()
    (tmp_path / "table.csv").rename(tmp_path / "tables" / "table.csv")
    reading = ReadingConfig(folder=str(tmp_path / "photos"))
    policy = {"missing_heading": "ignore"}
    config = make_config(train="tables/table.csv", reading=reading, partition=policy)
    dataset = build_dataset(config)
    assert dataset.split("train").keys.tolist() == [b"3.jpg"]
    assert build_dataset(config).split("train").keys.tolist() == [b"3.jpg"]
    assert "nothing to do" in capsys.readouterr().out
    save_config(make_config(train="tables/table.csv", partition=policy), tmp_path / "c")
    words = ["data", "build", "--config", str(tmp_path / "c"), "--photo-folder"]
    other = f"dataset.path={tmp_path / 'other'}"
    assert main([*words, str(tmp_path / "photos"), other]) == 0
    assert main([*words, str(tmp_path / "nowhere"), other]) == 2
