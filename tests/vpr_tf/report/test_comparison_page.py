import json

import numpy as np
import pytest

from tests.vpr_tf.evaluation.tiny_dataset import Shot, write_dataset
from tests.vpr_tf.report.page_checks import read_page
from vpr_tf.report.bootstrap import BootstrapSettings
from vpr_tf.report.comparison import compare
from vpr_tf.report.comparison_files import write_comparison_html
from vpr_tf.report.comparison_pictures import dataset_at_hand
from vpr_tf.report.report import Identity
from vpr_tf.report.stored_report import StoredReport


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared") / "tiny"
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]
    shots = [Shot(colour, 100.0 * i) for i, colour in enumerate(colours)]
    return write_dataset(
        folder, {"test-x-database": shots, "test-x-queries": [*shots, shots[0]]}
    )


def stored(folder, encoder, ranks, errors_m, predictions):
    count = len(ranks)
    return StoredReport(
        folder=folder,
        identity=Identity(
            "x", "0123456789abcdef", "f" * 64, encoder, "native", "exact", count, 3
        ),
        bootstrap=BootstrapSettings(num_resamples=50),
        threshold_m=25.0,
        thresholds_m=[25.0],
        recall_values=[1, 5],
        columns={
            "key": [f"test-x-queries_{i}.jpg" for i in range(count)],
            "hit_rank_25m": [str(rank) for rank in ranks],
            "error_m": [str(error) for error in errors_m],
            "prediction_1": [f"test-x-database_{i}.jpg" for i in predictions],
            "prediction_1_m": [str(error) for error in errors_m],
        },
    )


def reports_in(folder):
    return (
        stored(folder, "one <b>", [1, 2, 0, 1], [3.0, 80.0, 99.0, 2.0], [0, 0, 0, 0]),
        stored(folder, "other", [1, 1, 1, 3], [3.0, 4.0, 5.0, 150.0], [0, 1, 2, 2]),
    )


def test_page_tells_what_changed(tmp_path, dataset):
    reports = reports_in(tmp_path)
    path = write_comparison_html(compare(*reports), reports, tmp_path, dataset=dataset)
    page = read_page(path.read_text(encoding="utf-8"))
    assert "+2 queries gained" in page.text
    assert "\N{MINUS SIGN}1 queries lost" in page.text
    assert "one <b>" in page.text
    assert "the difference may well be chance" in page.text
    assert "R@5 at 25 m" in page.text
    assert page.tags.count("img") == 9  # the query and one prediction of each run
    assert "second run: 150 m" in page.text
    assert "first match 2.0 m, then 150 m; error 2.0 m, then 150 m" in page.text
    figures = {path.name for path in (tmp_path / "figures").iterdir()}
    assert figures == {"recall_differences.png", "error_differences.png"}


def test_page_without_changes_and_without_dataset(tmp_path):
    first, _ = reports_in(tmp_path)
    reports = first, first
    path = write_comparison_html(compare(*reports), reports, tmp_path)
    text = read_page(path.read_text(encoding="utf-8")).text
    assert "No query changed" in text
    assert "nan" not in text.lower()


def test_page_without_dataset_says_how_to_get_pictures(tmp_path):
    reports = reports_in(tmp_path)
    path = write_comparison_html(compare(*reports), reports, tmp_path)
    page = read_page(path.read_text(encoding="utf-8"))
    assert "config.yaml of the run folder" in page.text
    assert "img" not in page.tags


def test_dataset_is_found_by_the_config_of_the_run(tmp_path, dataset):
    reports = reports_in(tmp_path / "evaluation" / "report" / "x")
    assert dataset_at_hand(reports) is None
    config = {"name": "a", "dataset": {"path": str(dataset.path)}}
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    found = dataset_at_hand(reports)
    assert found is not None
    assert found.path == dataset.path
    config["dataset"]["path"] = str(tmp_path / "gone")
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    assert dataset_at_hand(reports) is None


def test_another_dataset_gives_no_pictures(tmp_path, dataset):
    import dataclasses

    config = {"name": "a", "dataset": {"path": str(dataset.path)}}
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    reports = [
        dataclasses.replace(
            report,
            identity=dataclasses.replace(report.identity, dataset_fingerprint="other"),
        )
        for report in reports_in(tmp_path / "report")
    ]
    assert dataset_at_hand(reports) is None


def test_runs_that_differ_are_told_apart_in_words(tmp_path):
    ranks = np.ones(30, int).tolist()
    near, far = [3.0] * 30, [300.0] * 30
    first = stored(tmp_path, "one", [0] * 30, far, [0] * 30)
    second = stored(tmp_path, "other", ranks, near, [0] * 30)
    reports = first, second
    path = write_comparison_html(compare(*reports), reports, tmp_path)
    text = read_page(path.read_text(encoding="utf-8")).text
    assert "the second run is better" in text
    assert "below 0.0001" in text
