"""MSLS on a drawn tree: its tables, its subtasks, its challenge."""

import json
import math
from pathlib import Path

import pytest

from data_prep.errors import DataPrepError
from tests.command_line import vpr
from tests.data_prep.datasets import trees
from tests.data_prep.datasets.prepared_tables import listed, photos_of, rows_of
from tests.vpr_tf.evaluation.tiny_dataset import MeanColourEncoder
from vpr_tf.config import load_config
from vpr_tf.data import PreparedDataset
from vpr_tf.evaluation import EvaluatedModel, Evaluation
from vpr_tf.evaluation.command import evaluate_sets
from vpr_tf.extraction import FeatureExtractor


def test_msls_joins_its_tables_and_leaves_panoramas_out(tmp_path, prepare):
    trees.msls(tmp_path / "raw")
    trees.write_photo(tmp_path / "raw/train_val/sf/query/images/stray.jpg")
    prepared = prepare("msls")
    assert listed(prepared) == {
        "train-database": 2,
        "train-queries": 2,
        "val-database": 4,
        "val-queries": 4,
        "val-queries_subtask_all": 2,
    }
    left_out = {check.split: check.num_left_out for check in prepared.checks}
    assert left_out["val-database"] == 2
    assert left_out["val-queries_subtask_all"] == 4
    # Panoramas are in the lists of the dataset, the stray one is not.
    assert prepared.extra == ("train_val/sf/query/images/stray.jpg",)
    second = rows_of(prepared, "val-queries")[1]
    assert second == {
        "path": "train_val/cph/query/images/cphq11.jpg",
        "latitude": "55.6",
        "longitude": "12.5001",
        "heading_deg": "11.5",
        "timestamp": "2018-05-02",
        "city": "cph",
        "night": "True",
        "view_direction": "Forward",
        "sequence": "scph",
        "frame": "41",
    }
    photos = photos_of(prepared, "val-queries")
    assert photos.photos.heading_deg.tolist() == [10.5, 11.5, 10.5, 11.5]
    assert photos.photos.timestamps.tolist()[:2] == [b"20180501", b"20180502"]
    assert photos.rows["sequence"].tolist() == [b"scph", b"scph", b"ssf", b"ssf"]
    assert photos.rows["frame"].tolist() == [40, 41, 40, 41]


def test_msls_subtasks_without_keys_are_in_the_order_of_the_photos(tmp_path, prepare):
    trees.msls(tmp_path / "raw")
    for file in (tmp_path / "raw").glob("train_val/*/query/subtask_index.csv"):
        file.write_text("all\nFalse\nTrue\nFalse\n")
    paths = [row["path"] for row in rows_of(prepare("msls"), "val-queries_subtask_all")]
    assert [path.rpartition("/")[2] for path in paths] == ["cphq11.jpg", "sfq21.jpg"]
    file = tmp_path / "raw/train_val/sf/query/subtask_index.csv"
    file.write_text("all\nFalse\nTrue\n")
    with pytest.raises(DataPrepError, match="different photos: 2 and 3"):
        prepare("msls")
    file.write_text("s2w\nFalse\nTrue\nTrue\n")
    with pytest.raises(DataPrepError, match="must have the columns all"):
        prepare("msls")


def test_msls_tables_of_different_photos_are_refused(tmp_path, prepare):
    trees.msls(tmp_path / "raw")
    file = tmp_path / "raw/train_val/cph/database/postprocessed.csv"
    file.write_text("\n".join(file.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(DataPrepError, match="list different photos: 2 and 3"):
        prepare("msls")


def test_msls_challenge_has_the_photos_of_its_subtask(tmp_path, prepare):
    trees.msls_challenge(tmp_path / "raw")
    trees.write_photo(tmp_path / "raw/test/miami/query/images/stray.jpg")
    prepared = prepare("msls")
    assert listed(prepared) == {"test-database": 4, "test-queries": 4}
    # The first row of three is not of the subtask; none has a position.
    left_out = {check.split: check.num_left_out for check in prepared.checks}
    assert left_out == {"test-database": 2, "test-queries": 2}
    assert prepared.extra == ("test/miami/query/images/stray.jpg",)
    assert [check.num_usable for check in prepared.checks] == [4, 4]
    assert rows_of(prepared, "test-queries")[0] == {
        "path": "test/athens/query/images/athensq1.jpg",
        "city": "athens",
        "sequence": "sathens",
        "frame": "41",
    }


def test_msls_challenge_whose_tables_do_not_fit_is_refused(tmp_path, prepare):
    trees.msls_challenge(tmp_path / "raw")
    folder = tmp_path / "raw/test/miami/query"
    (folder / "subtask_index.csv").write_text("all\nTrue\n")
    with pytest.raises(DataPrepError, match=r"and seq_info\.csv beside it list diff"):
        prepare("msls")
    (folder / "subtask_index.csv").unlink()
    with pytest.raises(
        DataPrepError, match=r"index\.csv cannot be read: No such .* Unpack"
    ):
        prepare("msls")


def test_msls_challenge_ends_in_the_file_for_its_authors(tmp_path, capsys):
    raw, tables = tmp_path / "raw", tmp_path / "tables"
    trees.msls_challenge(raw)
    words = ["data", "datasets", "prepare", "msls", "--source", raw, "--output", tables]
    assert vpr(*words) == 1  # of val nothing is there
    path = Path(__file__).parents[3] / "configs" / "datasets" / "msls_challenge.yaml"
    overrides = [
        f"build.source={tables}",
        f"build.reading.folder={raw}",
        f"dataset.path={tmp_path / 'dataset'}",
        "build.workers=1",
    ]
    assert vpr("data", "build", "--config", path, *overrides) == 0
    dataset = PreparedDataset(tmp_path / "dataset")
    assert not dataset.split("test-challenge-database").positions().known.any()
    config = load_config(path, overrides)
    extractor = FeatureExtractor(MeanColourEncoder(), batch_size=4)
    model = EvaluatedModel(extractor)
    sets = [*dataset.tests.values()]
    opened = Evaluation(dataset, sets, model, config.evaluation, tmp_path / "out")
    [result] = evaluate_sets(opened)
    file = tmp_path / "out" / "challenge" / "submission.txt"
    assert f"Submission to the authors of challenge: {file}" in capsys.readouterr().out
    lines = [line.split(" ") for line in file.read_text().splitlines()]
    # Queries and database of a city show the same photos.
    assert [line[:2] for line in lines] == [
        [f"{city}q{number}", f"{city}d{number}"]
        for city, number in (("athens", 1), ("athens", 0), ("miami", 11), ("miami", 10))
    ]
    assert {len(line) for line in lines} == {1 + 4}  # the whole database
    assert math.isnan(result.recalls[1])
    summary = json.loads((tmp_path / "out" / "challenge" / "results.json").read_text())
    assert summary["protocol"] == "msls_challenge"
    assert summary["recalls"]["1"] is None
