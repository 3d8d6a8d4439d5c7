import copy
import json

import pytest

from vpr_tf.report.errors import ReportError
from vpr_tf.report.stored_report import find_reports, read_report

METRICS = {
    "format_version": 1,
    "identity": {
        "set_name": "day",
        "dataset_fingerprint": "d",
        "encoder_fingerprint": "e",
        "encoder": "ResNet18",
        "preprocessing": "native",
        "search": "exact",
        "num_queries": 2,
        "num_database": 9,
    },
    "bootstrap": {"num_resamples": 10, "level": 0.95, "seed": 0},
    "positive_dist_threshold_m": 25,
    "recalls": {"thresholds_m": [5.0, 25.0], "recall_values": [1], "more": None},
    "warnings": [],
}
TABLE = (
    "key,error_m,prediction_1_m,hit_rank_5m,hit_rank_25m\na,3.5,3.0,1,1\nb,,90,0,0\n"
)


def read(folder, metrics=METRICS, table=TABLE):
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "per_query.csv").write_text(table)
    return read_report(folder)


def test_stored_report_is_read(tmp_path):
    report = read(tmp_path)
    assert report.keys == ["a", "b"]
    assert report.thresholds_m == [5.0, 25.0]
    assert report.hit_ranks(report.threshold_m).tolist() == [1, 0]


@pytest.mark.parametrize("name", ["metrics.json", "per_query.csv", "report", "run"])
def test_links_are_not_followed(tmp_path, name):
    report = tmp_path / "given" / "run" / "report"
    report.mkdir(parents=True)
    read(report)
    paths = [tmp_path / "given" / "run", report, report / name]
    path = next(path for path in paths if path.name == name)
    path.rename(tmp_path / "outside")
    path.symlink_to(tmp_path / "outside")
    with pytest.raises(ReportError, match="symbolic link"):
        find_reports(tmp_path / "given")


@pytest.mark.parametrize(
    ("part", "field", "value", "message"),
    [
        ("identity", "num_database", "9", r"identity\.num_database` must be a whole"),
        ("identity", "set_name", ["day"], r"identity\.set_name` must be text"),
        ("identity", "encoder", None, r"identity\.encoder` must be text"),
        ("bootstrap", "level", float("nan"), r"bootstrap\.level` must be a finite"),
        ("bootstrap", "num_resamples", 0, "must be above 0"),
        ("recalls", "recall_values", [], "must have 1 to 100 thresholds_m"),
        ("recalls", "recall_values", [0], "must be above 0"),
        ("recalls", "thresholds_m", [5.0, 7.0], "hit_rank_7m"),
        (None, "positive_dist_threshold_m", 1e30, "hit_rank_1e"),
        ("bootstrap", "num_resamples", 10**12, "at most 1,000,000 resamples"),
        ("bootstrap", "seed", -1, "a seed of 0 or more"),
        ("recalls", "recall_values", [1] * 101, "must have 1 to 100 thresholds_m"),
    ],
)
def test_wrong_values_are_one_error(tmp_path, part, field, value, message):
    metrics = copy.deepcopy(METRICS)
    (metrics[part] if part else metrics)[field] = value
    with pytest.raises(ReportError, match=f"Cannot read the report in .*{message}"):
        read(tmp_path, metrics)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("3.5", "-3.5"),
        ("3.5", "inf"),
        ("3.5", "x"),
        (",90", ',"9'),
        ("b,", "a,"),  # a query twice
        ("1,1\n", "1.5,1\n"),
        ("1,1\n", "1,0\n"),  # found within 5 m, and not within 25 m
        ("1,1\n", "1,\n"),  # its position is known, and is not
        ("1,1\n", "1,1,1\n"),
        ("key,error_m", "error_m,error_m"),
    ],
)
def test_wrong_cells_are_one_error(tmp_path, old, new):
    with pytest.raises(ReportError, match=r"report in|is damaged"):
        read(tmp_path, table=TABLE.replace(old, new, 1))
