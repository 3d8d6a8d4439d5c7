"""Pitts30k and Tokyo 24/7 on drawn trees: MATLAB files, right and wrong ones."""

import numpy as np
import pytest
from scipy.io import savemat

from data_prep.datasets import (
    matlab,
)
from data_prep.errors import DataPrepError
from tests.data_prep.datasets import trees
from tests.data_prep.datasets.prepared_tables import listed, photos_of


def test_pittsburgh_takes_positions_of_the_matlab_files(tmp_path, prepare):
    trees.pittsburgh(tmp_path / "raw")
    prepared = prepare("pitts30k")
    assert listed(prepared) == {
        f"{part}-{role}": count
        for part in ("train", "val", "test")
        for role, count in (("database", 2), ("queries", 1))
    }
    database, queries = (
        photos_of(prepared, f"val-{r}") for r in ("database", "queries")
    )
    assert database.paths.tolist()[1] == b"001/001000_pitch1_yaw2.jpg"
    assert queries.paths.tolist() == [b"queries_real/001/001900_pitch2_yaw24.jpg"]
    positions = database.photos.positions
    assert positions.utm_east_cm.tolist() == [58510163, 58510163]
    assert positions.utm_north_cm.tolist() == [447680310, 447680310]
    assert set(positions.utm_zone) == {17}
    assert set(database.photos.heading_deg) == {-1}
    assert queries.photos.positions.utm_east_cm.tolist() == [58510663]


def test_pittsburgh_without_photos_of_a_part_names_the_missing(tmp_path, prepare):
    trees.pittsburgh(tmp_path / "raw")
    (tmp_path / "raw" / "001" / "001000_pitch1_yaw2.jpg").unlink()
    (tmp_path / "raw" / "000" / "000000_pitch1_yaw1.jpg").write_bytes(b"\xff\xd8\xff")
    prepared = prepare("pitts30k")
    checks = {check.split: check for check in prepared.checks}
    assert checks["val-database"].missing == ("001/001000_pitch1_yaw2.jpg",)
    ((path, _),) = checks["train-database"].unusable
    assert path == "000/000000_pitch1_yaw1.jpg"
    assert not prepared.is_as_published


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0 MAT-file", b"\0" * 200])
def test_a_damaged_matlab_file_is_refused_by_name(tmp_path, prepare, content):
    trees.pittsburgh(tmp_path / "raw")
    (tmp_path / "raw" / "datasets" / "pitts30k_val.mat").write_bytes(content)
    with pytest.raises(DataPrepError, match=r"pitts30k_val\.mat is no list of photos"):
        prepare("pitts30k")


def test_a_matlab_file_that_ends_its_reader_ends_nothing_else(
    tmp_path, prepare, monkeypatch
):
    trees.pittsburgh(tmp_path / "raw")
    reader = tmp_path / "reader.py"
    reader.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setattr(matlab, "_READER", reader)
    with pytest.raises(
        DataPrepError, match=r"pitts30k_train\.mat is no list .* damaged"
    ):
        prepare("pitts30k")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"other": 1}, "has no struct `dbStruct`"),
        ({"dbStruct": np.arange(5)}, "has no struct `dbStruct`"),
        ({"dbStruct": {"a": 1, "b": 2}}, "has no struct `dbStruct` of five fields"),
    ],
)
def test_other_matlab_files_are_refused(tmp_path, prepare, variables, message):
    (tmp_path / "raw").mkdir()
    savemat(tmp_path / "raw" / "pitts30k_val.mat", variables)
    with pytest.raises(DataPrepError, match=message):
        prepare("pitts30k")


def test_matlab_names_and_positions_must_be_as_many_and_of_their_kind(
    tmp_path, prepare
):
    file = tmp_path / "raw" / "pitts30k_val.mat"
    place = trees.PITTS_EAST_NORTH
    trees.write_db_struct(file, "val", [("a.jpg", *place)], [("q.jpg", np.nan, 1.0)])
    with pytest.raises(DataPrepError, match="positions of the queries are no 2 x n"):
        prepare("pitts30k")
    trees.write_db_struct(file, "val", [(7, *place)], [("q.jpg", *place)])
    with pytest.raises(DataPrepError, match="a name of the database is no text"):
        prepare("pitts30k")


def test_names_that_lead_out_of_the_source_are_refused(tmp_path, prepare):
    trees.pittsburgh(tmp_path / "raw")
    trees.write_photo(tmp_path / "secret.jpg")
    place = trees.PITTS_EAST_NORTH
    trees.write_db_struct(
        tmp_path / "raw" / "pitts30k_test.mat",
        "test",
        [("../secret.jpg", *place), (str(tmp_path / "secret.jpg"), *place)],
        [("000/000900_pitch2_yaw24.jpg", *place)],
    )
    prepared = prepare("pitts30k")
    (check,) = (c for c in prepared.checks if c.split == "test-database")
    assert check.num_usable == 0
    assert len(check.unusable) == 2
    assert "secret" not in (prepared.folder / "test-database.csv").read_text()


def test_tokyo_reads_png_tiles_and_the_tables_beside_queries(tmp_path, prepare):
    trees.tokyo_247(tmp_path / "raw")
    prepared = prepare("tokyo247")
    assert listed(prepared) == {"test-database": 2, "test-queries": 2}
    database, queries = (
        photos_of(prepared, f"test-{role}") for role in ("database", "queries")
    )
    assert database.paths.tolist()[1].endswith(b"_012_330.png")
    assert database.photos.positions.utm_zone.tolist() == [54, 54]
    assert queries.photos.positions.latitude_deg.tolist() == [35.6580, 35.6581]
    assert queries.photos.positions.longitude_deg.tolist() == [139.7014] * 2


@pytest.mark.parametrize("inside", ["", "tokyo247"])
def test_tokyo_without_its_first_tile_misses_no_other(tmp_path, prepare, inside):
    trees.tokyo_247(tmp_path / "raw")
    raw = tmp_path / "raw" / inside
    if inside:
        raw.mkdir()
        (tmp_path / "raw" / "03814").rename(raw / "03814")
    next(raw.rglob("*_012_0.png")).unlink()
    (missing,) = prepare("tokyo247").checks[0].missing
    assert missing.startswith(f"{inside}/03814" if inside else "03814")
    assert missing.endswith("_012_0.png")
