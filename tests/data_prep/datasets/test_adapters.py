"""Each adapter on a drawn tree: names, positions, headings, times, what is left out."""

import os
import shutil

import pytest

from data_prep.datasets import (
    dataset_names,
    drive_sets,
    find_adapter,
    prepare_dataset,
)
from data_prep.errors import DataPrepError
from tests.data_prep.conftest import encode_image
from tests.data_prep.datasets import trees
from tests.data_prep.datasets.prepared_tables import listed, photos_of, rows_of
from vpr_tf.config import ReadingConfig
from vpr_tf.photos import scan_photos


def test_gsv_cities_names_files_and_places(tmp_path, prepare):
    trees.gsv_cities(tmp_path / "raw")
    prepared = prepare("gsv_cities")
    assert prepared.is_as_published
    rows = rows_of(prepared, "train")
    assert tuple(row["path"] for row in rows) == trees.GSV_NAMES
    assert [row["place_id"] for row in rows] == ["7", "7", "100003"]
    files = photos_of(prepared, "train")
    assert files.rows["place_id"].tolist() == [7, 7, 100003]
    photos = files.photos
    assert photos.heading_deg.tolist() == [90, 0, 359]
    assert photos.timestamps.tolist() == [b"201905", b"202111", b"201501"]
    assert photos.positions.latitude_deg.tolist() == [42.350001, 42.35, 34.6937]


def test_a_split_that_is_not_there_is_not_as_published(tmp_path, prepare):
    trees.san_francisco(tmp_path / "raw")
    shutil.rmtree(tmp_path / "raw" / "reference_poses_598")
    prepared = prepare("san_francisco")
    assert prepared.checks[0].state == "no count stated"
    assert prepared.absent == {"test-queries": 598}
    assert not prepared.is_as_published
    assert "Of test-queries nothing is there, and the authors state 598" in " ".join(
        prepared.remedies()
    )


def test_folders_without_a_photo_are_empty(tmp_path, prepare):
    for role in ("database", "queries"):
        (tmp_path / "raw" / "val" / role).mkdir(parents=True)
    prepared = prepare("folder")
    assert [check.state for check in prepared.checks] == ["empty", "empty"]
    assert not prepared.is_as_published
    assert "val-queries holds no photo" in " ".join(prepared.remedies())


def test_gsv_place_ids_with_an_offset_are_refused(tmp_path, prepare):
    trees.gsv_cities(tmp_path / "raw")
    file = tmp_path / "raw" / "Dataframes" / "Osaka.csv"
    file.write_text(file.read_text().replace("2,3,2015", "2,100003,2015"))
    with pytest.raises(DataPrepError, match=r"Osaka\.csv, row 2: place_id"):
        prepare("gsv_cities")


@pytest.mark.parametrize("root", ["processed", "small", ""])
def test_sf_xl_takes_positions_of_the_names_as_they_are(tmp_path, prepare, root):
    trees.sf_xl(tmp_path / "raw", root)
    prepared = prepare("sf_xl")
    assert listed(prepared)["train"] == 12
    assert "test-queries_night" in prepared.absent
    by_table, folder = photos_of(prepared, "train"), tmp_path / "raw" / root / "train"
    by_name = scan_photos(folder, progress=False)
    for name, values in by_name.photos.columns().items():
        if name != "key":
            assert by_table.photos.columns()[name].tolist() == values.tolist(), name
    # 2 queries instead of the 1,000 that are stated.
    assert not prepared.is_as_published
    assert "2 photos and the authors state 1,000" in " ".join(prepared.remedies())


def test_sf_xs_takes_older_copies_as_well(tmp_path, prepare):
    trees.sf_xl(tmp_path / "raw", "", queries="queries_v1")
    assert listed(prepare("sf_xs"))["test-queries"] == 2


def test_the_folder_convention_takes_local_names_and_names_others(tmp_path, prepare):
    names = ["@10.5@20.25@.jpg", "@-3@0@.jpg"]
    trees.frames(tmp_path / "raw" / "images", {"test/database": names})
    trees.write_photo(tmp_path / "raw/images/test/queries/holiday.jpg")
    trees.write_photo(tmp_path / "raw/images/test/queries/@1@2@.jpg")
    prepared = prepare("folder")
    positions = photos_of(prepared, "test-database").photos.positions
    assert sorted(positions.utm_east_cm.tolist()) == [-300, 1050]
    assert positions.is_local.all()
    (check,) = (c for c in prepared.checks if c.split == "test-queries")
    ((path, why),) = check.unusable
    assert path == "images/test/queries/holiday.jpg"
    assert "no UTM fields" in why


# === Drives ===


def test_san_francisco_takes_positions_of_crops_and_poses(tmp_path, prepare):
    trees.san_francisco(tmp_path / "raw")
    (tmp_path / "raw" / "00011000_00012000_3" / "x.jpg").write_bytes(b"x")
    prepared = prepare("san_francisco")
    database, queries = (
        photos_of(prepared, f"test-{role}").photos for role in ("database", "queries")
    )
    assert database.positions.latitude_deg.tolist() == [37.79]
    assert database.positions.longitude_deg.tolist() == [-122.39]
    assert database.heading_deg.tolist() == [120.5]
    assert queries.positions.utm_east_cm.tolist() == [55350025]
    assert queries.positions.utm_zone.tolist() == [10]
    assert prepared.checks[0].unusable[0][0].endswith("x.jpg")


def test_eynsham_gives_five_photos_to_each_place_of_the_route(
    tmp_path, prepare, monkeypatch
):
    monkeypatch.setattr(drive_sets, "_EYNSHAM_DATABASE", 2)
    trees.eynsham(tmp_path / "raw")
    prepared = prepare("eynsham")
    assert listed(prepared) == {"test-database": 10, "test-queries": 5}
    rows = rows_of(prepared, "test-database")
    assert rows[5] == {
        "path": "Images/grab_1200000010.png",
        "latitude": "51.781",
        "longitude": "-1.31",
        "timestamp": "20080110_212010",
    }
    # Others are in the way of no place; what is beyond the route is told as well.
    more = ["aaa_contact_sheet.png", "grab_1200000020.png"]
    trees.frames(tmp_path / "raw", {"Images": more})
    prepared = prepare("eynsham")
    assert rows_of(prepared, "test-database")[5] == rows[5]
    assert prepared.extra == tuple(f"Images/{name}" for name in more)
    (tmp_path / "raw" / "Images" / "grab_1200000020.png").unlink()
    (tmp_path / "raw" / "Images" / "grab_1200000019.png").unlink()
    with pytest.raises(DataPrepError, match=r"14 photos grab_\* after the first 5"):
        prepare("eynsham")


def test_tables_map_photos_of_any_names(tmp_path):
    raw = tmp_path / "raw"
    trees.frames(raw, {"image_02/data": ["0.png", "1.png"]})
    header = "file;breite;laenge;yaw"
    lines = ["image_02/data/0.png;49,01;8,43;90", "image_02/data/1.png;49,02;8,43;91"]
    (raw / "drive-database.csv").write_text("\n".join([header, *lines]))
    trees.write_csv(raw / "notes.csv", "a,b", [])
    reading = ReadingConfig(columns={"latitude": "breite", "longitude": "laenge"})
    prepared = prepare_dataset(
        "tables", raw, tmp_path / "tables", reading=reading, progress=False
    )
    assert prepared.is_as_published
    photos = photos_of(prepared, "drive-database").photos
    assert photos.positions.latitude_deg.tolist() == [49.01, 49.02]
    assert photos.heading_deg.tolist() == [90, 91]


@pytest.mark.parametrize(
    ("columns", "values"),
    [("latitude,longitude", (49.0, 8.0)), ("zone", ("32U",)), ("flags", ("",))],
)
def test_tables_take_local_metres_where_they_are_asked_for(tmp_path, columns, values):
    trees.write_photo(tmp_path / "raw" / "a.png")
    table = tmp_path / "raw" / "test-database.csv"
    trees.write_csv(
        table, f"path,utm_east,utm_north,{columns}", [("a.png", 500010, 20, *values)]
    )
    prepared = prepare_dataset(
        "tables",
        tmp_path / "raw",
        tmp_path / "tables",
        reading=ReadingConfig(zone="local"),
        progress=False,
    )
    assert prepared.is_as_published
    (row,) = rows_of(prepared, "test-database")
    assert (row["zone"], row["latitude"], row["longitude"]) == ("local", "", "")
    assert photos_of(prepared, "test-database").photos.positions.is_local.all()


def test_names_that_cannot_be_written_or_are_repeated_are_refused(tmp_path, prepare):
    trees.gsv_cities(tmp_path / "raw")
    file = tmp_path / "raw" / "Dataframes" / "Osaka.csv"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines, lines[-1]]))
    (check,) = prepare("gsv_cities").checks
    assert check.unusable == ((trees.GSV_NAMES[2], "is listed more than once"),)
    assert (check.num_listed, check.num_usable) == (4, 3)


def test_a_name_of_other_bytes_is_told(tmp_path, prepare):
    folder = tmp_path / "raw" / "test" / "database"
    folder.mkdir(parents=True)
    (folder / os.fsdecode(b"@1@2@\xff@.jpg")).write_bytes(encode_image(0))
    prepared = prepare("folder")
    ((_, why),) = prepared.checks[0].unusable
    assert why == "name is not UTF-8"
    assert "\\xff" in (prepared.folder / "problems.csv").read_text()


# === All ===


def test_unknown_datasets_are_told_apart(tmp_path):
    with pytest.raises(DataPrepError, match=r"Did you mean pitts30k\?"):
        find_adapter("pitts30")
    with pytest.raises(DataPrepError, match="baidu is not supported: its layout"):
        find_adapter("baidu")


@pytest.mark.parametrize("name", dataset_names())
def test_an_empty_folder_is_told_with_the_layout(tmp_path, name):
    with pytest.raises(DataPrepError, match=f"holds nothing of {name}. Expected"):
        prepare_dataset(name, tmp_path, tmp_path.with_name("tables"))


def test_tables_are_not_written_into_the_source(tmp_path):
    with pytest.raises(DataPrepError, match="lies in the source"):
        prepare_dataset("folder", tmp_path, tmp_path / "tables")
