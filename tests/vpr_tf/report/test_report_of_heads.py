"""The report of heads that answer without a database, and its comparison."""

import dataclasses
import json

import numpy as np
import pytest

from tests.vpr_tf.classification.tiny_classifier import street_table
from tests.vpr_tf.evaluation.tiny_dataset import Shot
from tests.vpr_tf.report.page_checks import read_page
from tests.vpr_tf.report.tiny_photos import config_of, open_town
from vpr_tf.classification import GroupHead, PlaceClassifier
from vpr_tf.evaluation import EvaluatedModel
from vpr_tf.report import run
from vpr_tf.report.comparison_files import compare_runs, comparison_markdown
from vpr_tf.report.run import report_on

RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 220, 30), (30, 30, 220), (220, 220, 30)
COLOURS = (RED, GREEN, BLUE, YELLOW)
DATABASE = [Shot(colour, 10 + 100 * i) for i, colour in enumerate(COLOURS)]
QUERIES = [
    Shot(RED, 12),  # found at once
    Shot(GREEN, 212),  # looks green, is at blue
    Shot(YELLOW, 1000),  # nothing near
]
VAL = [Shot(colour, 100 * i + j) for i, colour in enumerate(COLOURS) for j in (3, 9)]
TOWN = {
    "val-database": DATABASE,
    "val-queries": [*VAL, Shot(RED, 310)],
    "test-a-database": DATABASE,
    "test-a-queries": QUERIES,
    "test-bare-database": [],
    "test-bare-queries": QUERIES,
}


def colour_heads():
    """Two groups, whose four places are each known by their colour."""
    table = street_table(4, 2, apart=5)
    place = np.argsort(np.argsort(table.positions.utm_east_cm))
    colours = np.array(COLOURS, np.float32)[place]
    colours /= np.linalg.norm(colours, axis=1, keepdims=True)
    heads = [
        GroupHead("cosine", colours[rows].T, scale=10.0)
        for rows in table.places_of_groups
    ]
    return PlaceClassifier(table, tuple(heads))


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """What heads and what retrieval were reported on, and both reports."""
    folder = tmp_path_factory.mktemp("town")
    config = config_of(thresholds_m=[5, 110])
    by_search = open_town(folder, TOWN, ["a"], config)
    model = EvaluatedModel(by_search.extractor, colour_heads())
    by_heads = dataclasses.replace(by_search, model=model, folder=folder / "heads")
    (report,) = report_on(by_heads, config).values()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "write_html", lambda *args, **kwargs: None)
        report_on(by_search, config)
    return by_heads, by_search, report, config


def test_numbers_of_heads(town):
    report = town[2]
    third = 100 / 3
    recalls = [[recall.value for recall in row] for row in report.recalls.recalls]
    assert recalls[1] == pytest.approx([third, third, 2 * third])
    assert list(report.result.recalls.values()) == recalls[1]
    assert list(report.errors) == ["first_place"]
    assert report.answer_method == "first_place"
    assert report.errors["first_place"].median_m.value == pytest.approx(
        102.49, abs=0.02
    )
    assert report.confidence.calibrated_on == "val, 9 queries"
    assert report.smoothness is None
    assert {stratum.name for stratum in report.strata} >= {"nearest_database_m"}
    columns = report.per_query
    np.testing.assert_allclose(
        columns["nearest_place_m"], [10.2, 10.2, 690.07], atol=0.02
    )
    # The other group's best place is 100 m or more away.
    assert (columns["spread_m"] > 49).all()
    assert columns["prediction_1"][0].startswith(b"37.70")
    assert (columns["prediction_1_score"] > 0.9).all()


def test_files_of_heads(town):
    folder = town[0].folder / "a" / "report"
    identity = json.loads((folder / "metrics.json").read_text())["identity"]
    assert (identity["method"], identity["search"]) == ("classification", "heads")
    table = (folder / "table.md").read_text()
    for text in ("LR@1", "4 places", "Heads predict places without a database"):
        assert text in table
    assert " R@1" not in table
    page = read_page((folder / "report.html").read_text(encoding="utf-8"))
    for text in (
        "none; the heads know 4 places",
        "LR@5 (%)",
        "first place",
        "Heads predict places without a database",
        "score of the first",
        "the database photo nearest to each is shown",
        "right place at rank",
        "no place of the heads within 25 m",
    ):
        assert text in page.text
    assert page.tags.count("img") >= 3


def test_heads_are_compared_with_retrieval(town, tmp_path):
    by_heads, by_search, *_ = town
    (found,) = compare_runs(
        by_search.folder, by_heads.folder, output_dir=tmp_path
    ).values()
    text = comparison_markdown(found)
    assert "R/LR@1 at 25 m" in text
    assert "| 4 " in text
    assert "none; the heads know 4 places" in text
    assert "exact McNemar test p = 1" in text
    assert found.num_queries == 3
    assert (tmp_path / "a" / "comparison.html").is_file()


def test_same_bytes_again_and_no_database_needed(town, monkeypatch):
    by_heads, _, _, config = town
    monkeypatch.setattr(run, "write_html", lambda *args, **kwargs: None)
    folder = by_heads.folder / "a" / "report"
    names = ("metrics.json", "per_query.csv", "table.md")
    before = [(folder / name).read_bytes() for name in names]
    report_on(by_heads, config)
    assert [(folder / name).read_bytes() for name in names] == before
    bare = dataclasses.replace(by_heads, sets=[by_heads.dataset.tests["bare"]])
    (report,) = report_on(bare, config).values()
    assert report.errors["first_place"].num_queries == 3
    assert "nearest_database_m" in report.left_out_strata
