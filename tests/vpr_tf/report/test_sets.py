"""Evaluation sets beside each other, from their photos to the files."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from tests.command_line import vpr
from tests.vpr_tf.evaluation.tiny_dataset import Shot, write_dataset
from vpr_tf.data.prepared_dataset import DatasetError
from vpr_tf.report import set_properties
from vpr_tf.report.set_files import set_tables, sets_content, write_sets
from vpr_tf.report.set_properties import SetSource, measure_sets, unlike

GREY, BLACK = (128, 128, 128), (8, 8, 8)
# Val: by day, 3 m from its database, seen in the same year. Test: by night, 40 m off.
DATABASE = [
    Shot(GREY, 100 * i, heading_deg=90.0 * (i % 4), timestamp="2015") for i in range(8)
]
VAL = [
    Shot(GREY, 100 * i + 3, heading_deg=90.0 * (i % 4), timestamp="2015")
    for i in range(8)
]
NIGHT = [
    Shot(BLACK, 100 * i + 40, heading_deg=45.0 * i, timestamp="2019") for i in range(8)
]
TOWN = {
    "train": [Shot(GREY, -500)],
    "val-database": DATABASE,
    "val-queries": VAL,
    "test-night-database": DATABASE,
    "test-night-queries": NIGHT,
}


def source_of(folder, splits, threshold_m=25.0):
    return SetSource(write_dataset(folder, splits), threshold_m, 0.2)


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    return source_of(tmp_path_factory.mktemp("sets") / "town", TOWN)


@pytest.fixture(scope="module")
def val_and_test(town):
    return measure_sets([town], progress=False)


def test_sets_are_measured_as_they_were_made(val_and_test):
    val, night = val_and_test
    assert [val.name, night.name] == ["val", "night"]
    np.testing.assert_allclose(val.nearest_m, 3)
    np.testing.assert_allclose(night.nearest_m, 40)
    assert (val.share_without_positives, night.share_without_positives) == (0, 1)
    assert val.num_positives.tolist() == [1] * 8
    assert val.year_gap.tolist() == [0] * 8
    assert np.isnan(night.year_gap).all()  # no positive to compare with
    assert val.heading_gap_deg.tolist() == [0] * 8
    np.testing.assert_allclose(val.nearest_train_m, 503 + 100 * np.arange(8))
    np.testing.assert_allclose(val.queries.luma, 128 / 255, atol=0.02)
    assert (val.queries.dark_share(0.2), night.queries.dark_share(0.2)) == (0, 1)
    shares = dict(zip(set_properties.SECTORS, val.queries.sector_shares, strict=True))
    assert {name: share for name, share in shares.items() if share} == dict.fromkeys(
        "NESW", 0.25
    )
    assert night.queries.sector_shares.tolist() == [0.125] * 8


def test_photos_of_one_cell_are_counted(tmp_path):
    shots = [Shot(GREY, east) for east in (0, 1, 2, 200)]
    splits = {"test-a-database": shots, "test-a-queries": shots[:1]}
    [found] = measure_sets([source_of(tmp_path / "town", splits)], progress=False)
    assert sorted(found.database.per_cell) == [1, 3]
    assert found.database.covered_km2 == pytest.approx(2 * 25 * 25 / 1e6)


def test_unlike_is_one_where_nothing_is_shared_and_zero_where_all_is(val_and_test):
    val, night = val_and_test
    gaps = unlike(val, night)
    for name in ("brightness of queries", "years of queries", "nearest database photo"):
        assert gaps[name] == 1
    assert gaps["years of the database"] == gaps["database photos in a cell"] == 0
    assert np.isnan(gaps["years to a positive"])
    assert not np.nansum(list(unlike(val, val).values()))


def test_what_differs_most_comes_first(val_and_test):
    table = set_tables(val_and_test)[-1]
    values = [row[1] for row in table.rows]
    assert values == sorted(values, reverse=True)
    assert values[0] == 100
    assert "years to a positive" not in {row[0] for row in table.rows}


def test_constant_headings_and_missing_positions_are_said(tmp_path):
    splits = {
        "test-a-database": [Shot(GREY, 0), Shot(GREY, 10)],
        "test-a-queries": [Shot(GREY, 0, zone=0), Shot(GREY, 10, heading_deg=-1.0)],
    }
    sets = measure_sets([source_of(tmp_path / "town", splits)], progress=False)
    note = set_tables(sets)[0].note
    assert "none was measured, in: a database." in note
    assert "a: 1 photos of the queries have no position." in note
    assert np.isnan(sets[0].nearest_m).tolist() == [True, False]
    content = sets_content(sets)["sets"][0]
    assert content["queries"]["without_position"] == 1
    assert content["heading_gap_deg"]["value"] is None
    assert write_sets(sets, tmp_path / "out")[-1].is_file()


def test_at_most_so_many_photos_are_decoded(town, monkeypatch):
    monkeypatch.setattr(set_properties, "MOST_DECODED", 3)
    val, _ = measure_sets([town], progress=False)
    assert len(val.queries.luma) == len(val.database.luma) == 3
    assert len(val.queries.years) == 8


def test_sets_of_several_datasets_bear_their_names(town, tmp_path):
    other = source_of(
        tmp_path / "village", {"val-database": DATABASE, "val-queries": VAL}
    )
    names = [each.name for each in measure_sets([town, other], ["val"], progress=False)]
    assert names == ["town/val", "village/val"]


def test_sets_of_datasets_of_one_name_are_told_apart(town, tmp_path):
    twin = source_of(tmp_path / "town", {"val-database": DATABASE, "val-queries": VAL})
    names = [each.name for each in measure_sets([town, twin], ["val"], progress=False)]
    assert names[0] != names[1]


def test_set_that_no_dataset_has_is_refused(town):
    with pytest.raises(DatasetError, match=r"Received: moon; there are: val, night"):
        measure_sets([town], ["val", "moon"], progress=False)


def test_dataset_without_any_of_the_sets_is_refused(town, tmp_path):
    other = source_of(tmp_path / "b", {"val-database": DATABASE, "val-queries": VAL})
    with pytest.raises(DatasetError, match=r"no evaluation set 'night'. It has: val"):
        measure_sets([town, other], ["night"], progress=False)


def test_command_shows_and_writes_the_sets(town, tmp_path, capsys):
    assert vpr("compare", "--sets", town.dataset.path, "--output", tmp_path) == 0
    shown = capsys.readouterr().out
    for text in ("Photos of the sets", "40.0 m [40.0, 40.0]", "How unlike val"):
        assert text in shown
    assert (tmp_path / "sets.md").read_text() in shown
    assert "\\toprule" in (tmp_path / "sets.tex").read_text()
    with (tmp_path / "sets.csv").open(newline="") as file:
        values = {
            (row["set"], row["quantity"]): row["value"] for row in csv.DictReader(file)
        }
    assert values["night", "nearest_database_m.value"] == "40"
    content = json.loads((tmp_path / "sets.json").read_text())
    assert content["unlike_first"]["night"]["brightness of queries"] == 1
    with Image.open(tmp_path / "sets.png") as picture:
        assert picture.width > picture.height


def test_command_takes_a_config_with_its_threshold(town, tmp_path, capsys):
    config = tmp_path / "town.yaml"
    config.write_text(
        f"name: town\ndataset: {{path: {town.dataset.path}}}\n"
        "evaluation: {positive_dist_threshold_m: 50}\n"
    )
    assert vpr("compare", "--sets", config, "--set", "night", "--json") == 0
    [night] = json.loads(capsys.readouterr().out)["sets"]
    assert night["positive_dist_threshold_m"] == 50
    assert night["share_without_positives"] == 0


@pytest.mark.parametrize("word", ["--baseline=a", "--group-seeds", "--anyway"])
def test_command_refuses_what_is_of_runs(town, word, capsys):
    assert vpr("compare", "--sets", town.dataset.path, word) == 2
    assert f"{word.partition('=')[0]} is of runs" in capsys.readouterr().err


def test_command_names_a_folder_that_is_no_dataset(tmp_path, capsys):
    assert vpr("compare", "--sets", tmp_path / "none") == 2
    assert "No prepared dataset at" in capsys.readouterr().err
