"""Places, drives and frames of a table, from its columns to the record index."""

import csv
import json

import numpy as np
import pytest

from data_prep.build import build_dataset
from data_prep.build_state import BuildFolder
from data_prep.inspection.report import count_split, describe_splits
from tests.command_line import vpr
from tests.data_prep.conftest import encode_image
from vpr_tf.config import DatabaseAndQueries, QualityConfig, ReadingConfig
from vpr_tf.data import PreparedDataset
from vpr_tf.photos import scan_photos
from vpr_tf.photos.errors import InvalidEntryError
from vpr_tf.photos.metadata import parse_groups

PLACE = "37.70098,-122.49646,210"
GROUPS = ("place_id", "sequence", "frame")


def write_table(tmp_path, name="train.csv", header="place_id,sequence,frame", rows=()):
    for i in range(4):
        (tmp_path / f"{i}.jpg").write_bytes(encode_image(i))
    lines = [f"path,latitude,longitude,heading_deg{header and ',' + header}"]
    for i, row in enumerate(rows or [""] * 4):
        lines.append(f"{i}.jpg,{PLACE}{row and ',' + row}")
    (tmp_path / name).write_text("\n".join(lines) + "\n")


ROWS = ("7,north,40", "7,north,41", "123456789012,südwest,", ",,")


@pytest.fixture
def build(make_config):
    def run(dataset="dataset", **settings):
        return build_dataset(make_config(dataset, train="train.csv", **settings))

    return run


def test_a_build_keeps_what_a_table_says(tmp_path, build):
    write_table(tmp_path, rows=ROWS)
    split = build().split("train")
    assert split.column("place_id").tolist() == [7, 7, 123456789012, -1]
    drives = [name.decode() for name in split.column("sequence")]
    assert drives == ["north", "north", "südwest", ""]
    assert split.column("frame").tolist() == [40, 41, -1, -1]
    assert split.column("sequence").dtype == np.dtype(f"S{len('südwest'.encode())}")


def test_what_no_table_says_is_unknown_and_not_stored(tmp_path, build):
    write_table(tmp_path, header="")
    dataset = build()
    split = dataset.split("train")
    assert split.column("place_id").tolist() == [-1] * 4
    assert split.column("sequence").tolist() == [b""] * 4
    assert split.column("frame").tolist() == [-1] * 4
    assert not (dataset.path / "train.index" / "place_id.npy").exists()


def test_columns_without_a_value_give_the_same_dataset_as_none(tmp_path, build):
    write_table(tmp_path, header="")
    without = build("a").fingerprint
    write_table(tmp_path, rows=[",,"] * 4)
    assert build("b").fingerprint == without


def test_other_places_are_another_dataset(tmp_path, build):
    prints = []
    for number, rows in enumerate((ROWS, ("8,north,40", *ROWS[1:]))):
        write_table(tmp_path, rows=rows)
        prints.append(build(f"d{number}").fingerprint)
    assert prints[0] != prints[1]


def test_a_lost_or_altered_column_is_told(tmp_path, build):
    write_table(tmp_path, rows=ROWS)
    path = build().path / "train.index" / "place_id.npy"
    np.save(path, np.arange(4))
    with pytest.raises(ValueError, match=r"place_id\.npy"):
        PreparedDataset(path.parents[1]).split("train").column("place_id")
    path.unlink()
    with pytest.raises(ValueError, match=r"Cannot read the record index .*place_id"):
        PreparedDataset(path.parents[1]).split("train").column("place_id")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("seven,a,1", "place_id must be a whole number from 0"),
        ("-2,a,1", "place_id must be a whole number from 0"),
        ("9223372036854775808,a,1", "place_id must be a whole number"),
        ("1,a,2147483648", "frame must be a whole number from 0 to 2,147,483,647"),
        ("1,a,1.5", "frame must be a whole number"),
        (f"1,{'a' * 65},1", "sequence must have at most 64 bytes"),
    ],
)
def test_what_cannot_be_is_rejected_with_its_line(tmp_path, build, row, reason):
    write_table(tmp_path, rows=[row, *ROWS[1:]])
    dataset = build(max_rejected_fraction=0.5)
    [rejected] = csv.DictReader((dataset.path / "rejected.csv").open(newline=""))
    assert rejected["reason"].startswith(f"line 2: {reason}")
    assert len(dataset.split("train")) == 3


def test_what_cannot_be_of_a_photo_without_position_is_told(tmp_path, build, capsys):
    write_table(tmp_path, rows=ROWS)
    write_table(tmp_path, "queries.csv", rows=["seven,a,1", *ROWS[1:]])
    sets = DatabaseAndQueries("train.csv", "queries.csv", queries_have_positions=False)
    split = build(tests={"phone": sets}).split("test-phone-queries")
    printed = capsys.readouterr().out
    assert "test-phone-queries: 1 photos are taken without a position, head" in printed
    assert "0.jpg: line 2: place_id must be a whole number" in printed
    assert split.column("place_id").tolist() == [-1, 7, 123456789012, -1]
    assert split.column("heading_deg").tolist() == [210] * 4


def test_numbers_as_tables_write_them_are_read():
    assert parse_groups("12.0", " a ", "-1") == (12, " a ", -1)
    assert parse_groups("nan", "NaN", "") == (-1, "", -1)
    with pytest.raises(InvalidEntryError, match="place_id"):
        parse_groups("1e3", "", "")


def test_other_names_of_columns_are_given(tmp_path):
    write_table(tmp_path, header="cluster,drive", rows=["5,a"] * 4)
    columns = {"place_id": "cluster", "sequence": "drive"}
    files = scan_photos(
        tmp_path / "train.csv", reading=ReadingConfig(columns=columns), progress=False
    )
    assert files.rows["place_id"].tolist() == [5] * 4
    assert files.rows["sequence"].tolist() == [b"a"] * 4


def test_checked_photos_keep_what_they_belong_to(tmp_path):
    write_table(tmp_path, rows=ROWS)
    table = tmp_path / "flags.csv"
    vpr("photos", "check", tmp_path / "train.csv", "--output", table)
    with table.open(newline="", encoding="utf-8") as file:
        rows = [[row[name] for name in GROUPS] for row in csv.DictReader(file)]
    assert [",".join(row) for row in rows] == list(ROWS)


def test_photos_that_are_left_out_take_their_places_along(tmp_path, build):
    write_table(
        tmp_path,
        header="place_id,sequence,frame,flags",
        rows=[f"{row},{'blurred' if i == 2 else ''}" for i, row in enumerate(ROWS)],
    )
    split = build(quality=QualityConfig(exclude=["blurred"])).split("train")
    assert split.column("place_id").tolist() == [7, 7, -1]
    assert split.column("sequence").tolist() == [b"north", b"north", b""]


def test_inspection_counts_places_and_drives(tmp_path, build):
    write_table(tmp_path, rows=ROWS)
    dataset = build()
    counts = {"train": count_split(dataset.split("train"))}
    text = describe_splits(dataset, counts)
    assert "train: 2 places of 1-2 images" in text
    assert "train: 2 sequences" in text


# === Of older programs ===


def test_a_complete_dataset_of_an_older_program_is_complete(
    tmp_path, make_config, capsys
):
    write_table(tmp_path, header="")
    sets = {"tests": {"a": DatabaseAndQueries("train.csv", "train.csv")}}
    config = make_config(train="train.csv", **sets)
    path = build_dataset(config).path / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["build"]["tests"]["a"]["database_has_positions"]
    del manifest["tests"]["a"]["database_has_positions"]
    path.write_text(json.dumps(manifest))
    capsys.readouterr()
    build_dataset(config)
    assert "is complete; nothing to do" in capsys.readouterr().out


def test_an_unfinished_build_of_an_older_program_starts_over(
    tmp_path, make_config, monkeypatch
):
    write_table(tmp_path, rows=ROWS)
    config = make_config(train="train.csv")
    expected = build_dataset(make_config("whole", train="train.csv")).fingerprint
    with monkeypatch.context() as patch:
        patch.setattr(BuildFolder, "remove", _stop)
        patch.setattr("data_prep.build.finish_dataset", _stop)
        with pytest.raises(KeyboardInterrupt):
            build_dataset(config)
    work = tmp_path / "dataset" / ".build"
    state = json.loads((work / "build.json").read_text())
    assert state.pop("row_bytes") > 0
    (work / "build.json").write_text(json.dumps(state))
    rows = work / "train" / "rows.bin"
    rows.write_bytes(rows.read_bytes()[:-100])  # rows of another length
    assert build_dataset(config).fingerprint == expected


def _stop(*_arguments, **_options):
    raise KeyboardInterrupt
