"""Reports of small datasets, from their images to the files."""

import csv
import dataclasses
import json
import shutil

import pytest

import evaluate
from tests.command_line import vpr
from tests.vpr_tf.evaluation.tiny_dataset import MeanColourEncoder, Shot
from tests.vpr_tf.report.tiny_photos import config_of, open_town
from vpr_tf.config import Preprocessing
from vpr_tf.evaluation import EvaluatedModel
from vpr_tf.evaluation.results import write_results
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.report import comparison_files, run
from vpr_tf.report.comparison_files import compare_runs
from vpr_tf.report.errors import ReportError
from vpr_tf.report.run import report_on
from vpr_tf.report.stored_report import find_reports, read_report
from vpr_tf.report.tables import headline_table

RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 220, 30), (30, 30, 220), (220, 220, 30)
COLOURS = (RED, GREEN, BLUE, YELLOW)
DATABASE = [Shot(colour, 100 * i) for i, colour in enumerate(COLOURS)]
QUERIES = [
    Shot(RED, 10),  # found at once
    Shot(GREEN, 209),  # looks green, is at blue
    Shot(YELLOW, 1000),  # nothing near
]
VAL = [Shot(colour, 100 * i + j) for i, colour in enumerate(COLOURS) for j in (3, 9)]
SETS = {
    "a": (DATABASE, QUERIES),
    "unplaced": (DATABASE, [Shot(RED, 0, zone=0), Shot(BLUE, 0, zone=0)]),
    "one": (DATABASE, [Shot(RED, 0)]),
    "far": (DATABASE, [Shot(RED, 5000), Shot(BLUE, 6000)]),
    "small": ([Shot(RED, 0)], QUERIES),
}
VAL = [Shot(colour, 100 * i + j) for i, colour in enumerate(COLOURS) for j in (3, 9)]
TOWN = {"val-database": DATABASE, "val-queries": [*VAL, Shot(RED, 310)]}
for name, (database, queries) in SETS.items():
    TOWN |= {f"test-{name}-database": database, f"test-{name}-queries": queries}
NUM_IMAGES = sum(map(len, TOWN.values()))


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """A town, the reports on its test sets, and the config."""
    config = config_of(thresholds_m=[5, 110])
    opened = open_town(tmp_path_factory.mktemp("town"), TOWN, list(SETS), config)
    with pytest.MonkeyPatch.context() as patch:
        without_page(patch)
        reports = report_on(opened, config).values()
    first = dataclasses.replace(opened, sets=opened.sets[:1])
    return first, dict(zip(SETS, reports, strict=True)), config


def without_page(patch):
    """Leaves report.html empty; its figures take seconds, see `test_html.py`."""

    def write_html(report, folder, **parts):
        (folder / "report.html").touch()

    patch.setattr(run, "write_html", write_html)


def test_numbers_of_a_town(town):
    report = town[1]["a"]
    assert report.recalls.thresholds_m == [5, 25, 110]  # 25 m is always among them
    recalls = [[recall.value for recall in row] for row in report.recalls.recalls]
    third = 100 / 3
    assert recalls[0] == [0, 0, 0]
    assert recalls[1] == pytest.approx([third, third, 2 * third])
    assert recalls[2] == pytest.approx([2 * third] * 3)
    assert list(report.result.recalls.values()) == recalls[1]
    assert report.recalls.num_with_positives == [0, 2, 2]
    assert report.queries_without_positives == ["test-a-queries_2.jpg"]
    assert report.errors["best_match"].median_m.value == pytest.approx(109, abs=0.02)
    assert report.confidence is not None
    assert report.confidence.calibrated_on == "val, 9 queries"
    assert report.confidence.num_queries == 3
    strata = {division.name: division for division in report.strata}
    assert [s.num_queries for s in strata["nearest_database_m"].strata] == [1, 1, 1]
    assert report.identity.search == "exact"
    assert report.identity.preprocessing == "native, float32"


def test_files_of_a_town(town):
    opened, _, _ = town
    folder = opened.folder / "a" / "report"
    assert (folder / "report.html").is_file()
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["recalls"]["recalls"][1][0]["value"] == pytest.approx(100 / 3)
    assert metrics["identity"]["encoder_fingerprint"] == "mean colour"
    with (folder / "per_query.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["hit_rank_25m"] for row in rows] == ["1", "4", "0"]
    assert [row["num_positives"] for row in rows] == ["1", "1", "0"]
    assert [row["prediction_1_m"] for row in rows] == ["10.00", "109.00", "700.00"]
    assert rows[0]["prediction_1"] == "test-a-database_0.jpg"
    assert {row["dataset_fingerprint"] for row in rows} == {"0123456789ab"}
    table = (folder / "table.md").read_text()
    for text in (
        "33.3 [6.1, 79.2]",
        "0123456789ab",
        "mean colour",
        "exact",
        "1 of them have no database photo within 25 m",
        "val, 9 queries (isotonic)",
    ):
        assert text in table


def test_tables_for_papers_are_those_of_the_page(town):
    text = (town[0].folder / "a" / "report" / "tables.tex").read_text()
    assert text.startswith("% In brackets: 95% intervals, Wilson's of percentages; of")
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 8
    assert text.count("{") == text.count("}")
    assert r"\caption{Error of the position}" in text
    assert r"33.3 {\scriptsize [6.1, 79.2]}" in text
    assert r"R@1 (\%)" in text


def test_same_seed_same_bytes_and_no_image_described_again(town, monkeypatch):
    opened, _, config = town
    without_page(monkeypatch)
    folder = opened.folder / "a" / "report"
    names = ("metrics.json", "per_query.csv", "table.md", "tables.tex")
    before = [(folder / name).read_bytes() for name in names]
    report_on(opened, config)
    assert [(folder / name).read_bytes() for name in names] == before
    assert opened.extractor.encoder.num_images.numpy() == NUM_IMAGES
    report_on(opened, dataclasses.replace(config, seed=1))
    assert (folder / "metrics.json").read_bytes() != before[0]
    report_on(opened, config)


def test_val_is_never_calibrated_on_itself(town, monkeypatch):
    opened, _, config = town
    without_page(monkeypatch)
    both = dataclasses.replace(opened, sets=[opened.dataset.val, *opened.sets])
    val, test = report_on(both, config).values()
    assert val.confidence is None
    assert val.why_no_confidence == "it is calibrated on these queries"
    assert test.confidence is not None
    assert "Confidence not measured: it is calibrated" in headline_table(val).note


@pytest.mark.parametrize(
    ("val", "reason"),
    [
        ({}, "the dataset has no val set to calibrate on"),
        (
            {"val-database": DATABASE, "val-queries": [Shot(RED, 0, zone=0)]},
            "val gives no calibration",
        ),
        (
            {"val-database": [], "val-queries": QUERIES},
            "the val set has no images to calibrate on",
        ),
    ],
)
def test_without_a_usable_val_there_is_no_confidence(
    tmp_path, monkeypatch, val, reason
):
    without_page(monkeypatch)
    splits = {name: TOWN[name] for name in ("test-a-database", "test-a-queries")}
    config = config_of()
    opened = open_town(tmp_path, splits | val, ["a"], config)
    (report,) = report_on(opened, config).values()
    assert report.confidence is None
    assert reason in report.why_no_confidence
    table = (tmp_path / "out" / "a" / "report" / "table.md").read_text()
    assert f"Not measured: {report.why_no_confidence}." in table
    assert report.errors["cluster"].num_queries == 3


def test_queries_without_positions_are_predicted_only(town):
    report = town[1]["unplaced"]
    assert report.recalls.num_evaluated == 0
    assert report.why_no_confidence == "no query has a known position"
    assert report.strata == []
    assert len(report.queries_without_position) == 2
    assert "No query has a known position" in headline_table(report).note
    folder = town[0].folder / "unplaced" / "report"
    stored = read_report(folder)
    assert stored.columns["prediction_1"][1] == "test-unplaced-database_2.jpg"
    assert not stored.known.any()
    assert "NaN" not in (folder / "metrics.json").read_text()  # no JSON


def test_one_query(town):
    report = town[1]["one"]
    recall = report.recalls.at(25)[1]
    assert (recall.value, recall.high) == (100, 100)
    assert recall.low == pytest.approx(20.65, abs=0.01)
    assert report.confidence.num_queries == 1


def test_no_query_has_a_positive(town):
    report = town[1]["far"]
    assert [recall.value for recall in report.recalls.at(25).values()] == [0, 0, 0]
    assert report.recalls.num_with_positives == [0] * 3
    assert len(report.queries_without_positives) == 2
    assert report.confidence.precision == 0


def test_one_database_image(town):
    report = town[1]["small"]
    assert report.smoothness is None
    assert report.recalls.at(25)[5].value == pytest.approx(100 / 3)


def test_two_runs_are_compared_from_their_files(town, tmp_path, monkeypatch, capsys):
    opened, _, config = town
    without_page(monkeypatch)
    other = dataclasses.replace(
        opened,
        model=EvaluatedModel(
            FeatureExtractor(MeanColourEncoder(), Preprocessing("square", 16))
        ),
        folder=tmp_path / "other",
    )
    report_on(other, config)
    first, second = str(opened.folder), str(tmp_path / "other")
    capsys.readouterr()
    assert evaluate.main(["--compare", first, second, "--output", f"{tmp_path}/c"]) == 0
    printed = capsys.readouterr().out
    assert "square 16, float32" in printed
    assert (tmp_path / "c" / "a" / "comparison.md").read_text() in printed + "\n"
    assert evaluate.main(["--compare", first, f"{tmp_path}/nowhere"]) == 2
    assert "No report in" in capsys.readouterr().err


def test_runs_without_a_common_set_are_refused(town, tmp_path):
    opened, _, _ = town
    with pytest.raises(ReportError, match=r"reports on the same sets.*wanted: b"):
        compare_runs(opened.folder, opened.folder, set_names=["b"])
    write_results([opened.evaluate(opened.sets[0])], tmp_path)
    with pytest.raises(ReportError, match="No report in"):
        find_reports(tmp_path)


def renamed_report(source, folder, **identity):
    """Copies a stored report that says it is of another dataset or set."""
    shutil.copytree(source, folder)
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["identity"] |= identity
    (folder / "metrics.json").write_text(json.dumps(metrics))


def test_runs_on_several_datasets_are_compared_on_the_one_that_both_have(
    town, tmp_path
):
    source = town[0].set_folder("a") / "report"
    for owner, datasets in (("one", "xy"), ("two", "yz")):
        for name in datasets:
            folder = tmp_path / owner / "report" / f"city-{name}" / "a" / "report"
            renamed_report(source, folder, dataset_fingerprint=name)
    found = compare_runs(tmp_path / "one", tmp_path / "two")
    (folder,) = found
    assert folder == tmp_path / "two/report/city-y/a/report/comparison"
    shutil.rmtree(tmp_path / "two/report/city-y")
    shutil.rmtree(tmp_path / "one/report/city-x")
    renamed_report(source, tmp_path / "two/report/city-w/a/report")
    with pytest.raises(ReportError, match="same sets of the same dataset"):
        compare_runs(tmp_path / "one", tmp_path / "two")


@pytest.mark.parametrize("name", ["../out", "/out", "", ".."])
def test_a_set_that_names_another_folder_is_refused(town, tmp_path, name):
    source = town[0].set_folder("a") / "report"
    renamed_report(source, tmp_path / "bad", set_name=name)
    with pytest.raises(ReportError, match="set_name"):
        compare_runs(source, tmp_path / "bad", output_dir=tmp_path / "compared")
    assert not (tmp_path / "compared").exists()


def test_reports_where_former_versions_wrote_them_are_found(town, tmp_path):
    source = town[0].set_folder("a") / "report"
    shutil.copytree(source, tmp_path / "evaluation" / "report" / "a")
    (found,) = find_reports(tmp_path)
    assert found.folder == tmp_path / "evaluation" / "report" / "a"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("metrics.json", lambda text: text[:100]),
        ("metrics.json", lambda text: text.replace('"num_queries": 3', '"num_q": 3')),
        ("metrics.json", lambda text: text.replace('_version": 1', '_version": 9')),
        ("metrics.json", lambda text: "[]"),
        ("per_query.csv", lambda text: ""),
        ("per_query.csv", lambda text: text.replace("error_m", "mistake")),
        ("per_query.csv", lambda text: "\n".join(text.splitlines()[:-1])),
        ("per_query.csv", lambda text: text[:-200]),
    ],
)
def test_damaged_reports_are_refused_with_the_folder(town, tmp_path, name, change):
    opened, _, _ = town
    for file in ("metrics.json", "per_query.csv"):
        text = (opened.folder / "a" / "report" / file).read_text()
        (tmp_path / file).write_text(change(text) if file == name else text)
    with pytest.raises(ReportError, match=f"{tmp_path}.*--report"):
        read_report(tmp_path)


def test_arguments_that_do_not_belong_to_a_comparison_are_named(capsys):
    assert evaluate.main(["--compare", "a", "b", "--report"]) == 2
    assert "unrecognized arguments: --report" in capsys.readouterr().err


def test_a_protocol_drops_queries_from_every_number(
    town, monkeypatch, tmp_path, capsys
):
    without_page(monkeypatch)
    opened, reports, config = town
    evaluation = dataclasses.replace(opened.config, protocol="msls_val_740")
    dropping = dataclasses.replace(opened, config=evaluation, folder=tmp_path)
    (report,) = report_on(dropping, config).values()
    recalls = [row[0].value for row in report.recalls.recalls]
    assert recalls == [0, 50, 100]
    assert report.result.recalls[1] == 50
    assert report.recalls.num_evaluated == report.confidence.num_queries == 2
    assert report.errors["best_match"].num_queries == 2
    assert report.queries_without_positives == ["test-a-queries_2.jpg"]
    assert report.queries_without_position == []
    (folder,) = [path.parent for path in tmp_path.rglob("per_query.csv")]
    with (folder / "per_query.csv").open() as file:
        *_, last = csv.DictReader(file)
    assert last["protocol"] == "msls_val_740"
    assert last["hit_rank_25m"] == last["error_m"] == ""
    assert last["utm_east_m"]  # it is known where it was taken
    assert read_report(folder).identity.protocol == "msls_val_740"
    text = (folder / "table.md").read_text()
    assert "1 other has no database photo within 25 m and is dropped" in text
    # Three queries are not the 740 of the protocol.
    assert "does not have the counts of the protocol msls_val_740" in text
    assert "| this report" not in text
    standard = opened.folder / "a" / "report"
    monkeypatch.setattr(comparison_files, "write_comparison_html", lambda *a, **k: None)
    words = ["compare", standard, folder, "--output", tmp_path / "compared"]
    assert vpr(*words) == 2
    assert "whose recalls are not comparable" in capsys.readouterr().err
    assert vpr(*words, "--anyway") == 0
    assert "The runs are of two protocols" in capsys.readouterr().out
    known = [report.known.tolist() for report in find_reports(folder)]
    assert known == [[True, True, False]]
    assert "Published on this protocol" not in str(headline_table(reports["a"]))
