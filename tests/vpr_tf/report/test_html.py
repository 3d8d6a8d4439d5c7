import dataclasses
import math

import numpy as np
import pytest
from markupsafe import Markup

from tests.vpr_tf.evaluation.tiny_dataset import Shot, write_dataset
from tests.vpr_tf.report.page_checks import read_page
from tests.vpr_tf.report.synthetic_report import synthetic_report
from vpr_tf.evaluation.results import EvaluationResult
from vpr_tf.report.bootstrap import BootstrapSettings
from vpr_tf.report.error_distribution import error_distribution
from vpr_tf.report.page import environment
from vpr_tf.report.report_files import report_markdown, write_html
from vpr_tf.tables import Interval

HOSTILE = b"<script>alert(1)</script>\"'&.jpg"


@pytest.fixture(scope="module")
def report():
    return synthetic_report()


@pytest.fixture(scope="module")
def page_folder(report, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    assert write_html(report, folder) == folder / "report.html"
    return folder


@pytest.fixture(scope="module")
def page(page_folder):
    return (page_folder / "report.html").read_text(encoding="utf-8")


def test_page_is_whole_and_refers_to_nothing_outside(page):
    reader = read_page(page)
    assert reader.tags.count("h1") == 1
    assert reader.tags.count("section") == 10


def test_control_characters_of_others_are_shown_escaped():
    shown = environment().from_string("{{ a }} {{ a | breakable }} {{ b }}")
    assert shown.render(a="x\x1b[2J<\u202e", b=Markup("<b>\n")) == (
        "x\\x1b[2J&lt;\\u202e x\\x1b[2J&lt;\\u202e <b>\n"
    )


def test_page_tells_the_numbers_and_what_was_measured(page, report):
    text = read_page(page).text
    for number in ("58.0", "[55.0, 61.0]", "0.041", "95%", "60.0%", "val, 86 queries"):
        assert number in text
    assert report.identity.encoder in text
    assert report.identity.preprocessing in text
    assert report.identity.dataset_fingerprint[:12] in text
    assert "query_7.jpg" in text


def test_same_report_gives_same_bytes(report, page_folder, tmp_path):
    write_html(report, tmp_path)
    names = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.*")}
    assert len(names) == 8
    for name in names:
        assert (tmp_path / name).read_bytes() == (page_folder / name).read_bytes()


def test_names_of_files_cannot_become_markup(tmp_path):
    report = without_positions(synthetic_report(8, keys=[HOSTILE] * 8))
    name = HOSTILE.decode()
    identity = dataclasses.replace(report.identity, encoder=name, set_name=name)
    report = dataclasses.replace(report, identity=identity)
    page = read_page(write_html(report, tmp_path).read_text(encoding="utf-8"))
    assert page.tags.count("script") == 1
    # Each query, the encoder, and the set in the title and the heading.
    assert page.text.count(name) == 11


def test_missing_parts_are_explained(report, tmp_path):
    without = dataclasses.replace(
        report,
        confidence=None,
        why_no_confidence="the dataset has no val",
        strata=[],
        left_out_strata={"year_gap": "no timestamps"},
        smoothness=None,
    )
    text = read_page(write_html(without, tmp_path).read_text(encoding="utf-8")).text
    for reason in (
        "the dataset has no val",
        "No timestamps.",
        "two or more database photos of known position",
        "The prepared dataset is not at hand",
    ):
        assert reason in text
    figures = {path.stem for path in (tmp_path / "figures").iterdir()}
    assert figures == {"recall", "recall_over_thresholds", "error_distribution"}


def without_positions(report):
    unknown = np.full(report.identity.num_queries, math.nan)
    nothing = [[Interval(math.nan)] * 4] * 6
    columns = dict.fromkeys(("latitude_deg", "longitude_deg", "error_m"), unknown)
    columns["hit_rank_25m"] = unknown
    nothing_measured = error_distribution(
        unknown, np.zeros(len(unknown), bool), 25.0, BootstrapSettings()
    )
    return dataclasses.replace(
        report,
        recalls=dataclasses.replace(
            report.recalls, recalls=nothing, num_evaluated=0, num_with_positives=[0] * 6
        ),
        errors={"cluster": nothing_measured},
        confidence=None,
        why_no_confidence="no query has a position",
        strata=[],
        per_query={**report.per_query, **columns},
        result=dataclasses.replace(
            report.result, num_positives=np.full(len(unknown), -1)
        ),
        queries_without_position=["a"] * len(unknown),
    )


def test_queries_of_unknown_position_are_listed_but_not_judged(report, tmp_path):
    html = write_html(without_positions(report), tmp_path).read_text(encoding="utf-8")
    text = read_page(html).text
    assert text.count("No query has a known position") >= 3
    assert "60 queries have no known position" in text
    assert "not judged" in text
    assert "nan" not in text.lower()


def test_warnings_are_on_the_page_in_the_table_and_in_the_numbers(report, tmp_path):
    warning = "3 of 60 queries are database images (<3> by content)."
    doubtful = dataclasses.replace(report.result, warnings=[warning])
    doubtful = dataclasses.replace(report, result=doubtful)
    html = write_html(doubtful, tmp_path).read_text(encoding="utf-8")
    assert f"Warning {warning}" in read_page(html).text
    assert f"Warning: {warning}" in report_markdown(doubtful)
    assert doubtful.to_dict()["warnings"] == [warning]
    assert "Warning" not in report_markdown(report)
    assert report.to_dict()["warnings"] == []


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]
    return write_dataset(
        tmp_path_factory.mktemp("prepared") / "tiny",
        {
            "test-x-database": [
                Shot(colour, 100.0 * i, size=(40, 60))
                for i, colour in enumerate(colours)
            ],
            "test-x-queries": [Shot(colours[1], 3.0), Shot(colours[0], 2.0)],
        },
    )


def tiny_report(dataset):
    report = without_positions(synthetic_report(2))
    result = EvaluationResult(
        name="x",
        recalls={1: 50.0},
        num_queries=2,
        num_database=3,
        num_queries_without_positives=0,
        num_queries_without_position=0,
        positive_dist_threshold_m=25.0,
        dataset_fingerprint=dataset.fingerprint,
        predictions=np.array([[1, 0], [0, -1]]),
        descriptor_distances=np.array([[0.1, 0.4], [0.1, np.inf]], np.float32),
        distances_m=np.array([[97.0, 3.0], [2.0, np.nan]]),
        hits=np.array([[False, True], [True, False]]),
        num_positives=np.array([1, 1]),
        query_keys=np.array(dataset.split("test-x-queries").keys),
        predicted_keys=np.array(dataset.split("test-x-database").keys)[
            [[1, 0], [0, 0]]
        ],
        is_exact=True,
    )
    columns = {**report.per_query, "key": result.query_keys}
    columns.update(
        error_m=np.array([97.0, 2.0]),
        confidence=np.array([0.9, 0.8]),
        answered=np.array([True, True]),
    )
    return dataclasses.replace(report, result=result, per_query=columns)


def test_failures_show_query_predictions_and_nearest_positive(dataset, tmp_path):
    path = write_html(
        tiny_report(dataset),
        tmp_path,
        dataset=dataset,
        evaluation_set=dataset.tests["x"],
    )
    page = read_page(path.read_text(encoding="utf-8"))
    assert page.tags.count("img") == 4  # query, two predictions, nearest positive
    assert "test-x-queries_0.jpg" in page.text
    assert "1. 97.0 m, 0.950" in page.text
    assert "nearest positive, rank 2: 3.0 m" in page.text
    assert "tiny: test" in page.text


def test_suspect_positions_are_shown_with_pictures(dataset, tmp_path):
    report = tiny_report(dataset)
    columns = {**report.per_query, "is_suspect": np.array([False, True])}
    report = dataclasses.replace(report, per_query=columns)
    places = {"dataset": dataset, "evaluation_set": dataset.tests["x"]}
    page = read_page(write_html(report, tmp_path, **places).read_text("utf-8"))
    assert "1 query: the first 3 predictions lie together" in page.text
    assert page.text.count("no positive; nearest photo") == 0
    # Four of the failure, and of the suspect a missing prediction has no picture.
    assert page.tags.count("img") == 7
    without = read_page(
        write_html(tiny_report(dataset), tmp_path, **places).read_text("utf-8")
    )
    assert "lie together" not in without.text
    links = [text.count("Suspects") for text in (page.text, without.text)]
    assert links == [1, 0]


def test_unreadable_pictures_are_named_not_fatal(dataset, tmp_path, monkeypatch):
    from vpr_tf.data.record_reading import DamagedRecordError
    from vpr_tf.report import pictures

    def damaged(split, row):
        raise DamagedRecordError("record 0 is damaged")

    monkeypatch.setattr(pictures, "picture_uri", damaged)
    path = write_html(
        tiny_report(dataset),
        tmp_path,
        dataset=dataset,
        evaluation_set=dataset.tests["x"],
    )
    page = read_page(path.read_text(encoding="utf-8"))
    assert page.text.count("unreadable") == 4
