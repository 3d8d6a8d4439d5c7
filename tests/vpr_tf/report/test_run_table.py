import csv
import json

import numpy as np
import pytest

from tests.command_line import vpr
from tests.vpr_tf.report.stored_runs import (
    FAIR,
    GOOD,
    NUM_QUERIES,
    write_run,
)
from vpr_tf.report.comparison import mcnemar_p
from vpr_tf.report.errors import ReportError
from vpr_tf.report.proportions import wilson_percentages
from vpr_tf.report.run_table import tabulate_runs
from vpr_tf.report.run_table_files import (
    recall_figures,
    run_table_markdown,
    write_run_table,
)


@pytest.fixture
def course(tmp_path):
    """Three runs on the sets of two datasets; the last was not evaluated on one."""
    sets = ("sf_xs", "val"), ("sf_xs", "test"), ("tokyo_xs", "test")
    return [
        write_run(tmp_path / "runs/a/1", dict.fromkeys(sets, FAIR)),
        write_run(tmp_path / "runs/b/1", dict.fromkeys(sets, GOOD)),
        write_run(tmp_path / "runs/c/1", dict.fromkeys(sets[:2], GOOD[::-1])),
    ]


def test_course_is_one_table(course):
    table = tabulate_runs(course, set_names=["val", "test"])
    names = [column.name for column in table.columns]
    assert names == ["sf_xs/val", "sf_xs/test", "tokyo_xs/test"]
    assert [row.name for row in table.rows] == ["a/1", "b/1", "c/1"]
    text = run_table_markdown(table)
    head, _, first, _, last = (line for line in text.splitlines()[2:7])
    cells = [cell.strip() for cell in head.strip("| ").split("|")]
    assert cells[:4] == ["run", "sf_xs/val R@1", "sf_xs/val R@5", "sf_xs/test R@1"]
    (wilson,) = wilson_percentages((FAIR == 1)[:, None], 0.95)
    assert f"{wilson.value:.1f} [{wilson.low:.1f}, {wilson.high:.1f}]" in first
    assert [cell.strip() for cell in last.split("|")][-3:] == ["-", "-", ""]
    assert "A dash: no report on tokyo_xs/test of c/1." in text


@pytest.mark.parametrize(
    ("folders", "names"),
    [
        (("a/2026-11-30_22-24-00", "b/2026-11-30_22-30-44"), ["a", "b"]),
        (
            ("a/2026-11-30_22-24-00", "a/2026-11-30_22-30-44"),
            ["a/2026-11-30_22-24-00", "a/2026-11-30_22-30-44"],
        ),
        (("a/2026-11-30_22-24-00", "b/1"), ["a/2026-11-30_22-24-00", "b/1"]),
    ],
)
def test_runs_of_different_names_are_called_by_these(tmp_path, folders, names):
    sets = {("sf_xs", "test"): FAIR}
    runs = [write_run(tmp_path / "runs" / folder, sets) for folder in folders]
    assert [row.name for row in tabulate_runs(runs).rows] == names


def test_each_run_is_paired_with_the_baseline(course):
    table = tabulate_runs(course)
    assert all(cell.num_paired == 0 for cell in table.rows[0].cells)
    cell = table.rows[1].cells[0]
    gained, lost = ((x == 1) & (y != 1) for x, y in ((GOOD, FAIR), (FAIR, GOOD)))
    assert (cell.num_gained, cell.num_lost) == (gained.sum(), lost.sum())
    assert cell.mcnemar_p == pytest.approx(mcnemar_p(gained.sum(), lost.sum()))
    difference = cell.recall(5).difference
    expected = 100 * ((GOOD > 0).mean() - (FAIR > 0).mean())
    assert difference.value == pytest.approx(expected)
    assert difference.low <= expected <= difference.high
    # One run is a table without tests.
    assert "Against" not in run_table_markdown(tabulate_runs(course[:1]))


def test_files_of_a_table_are_the_same_each_time(course, tmp_path):
    table = tabulate_runs(course)
    first, again = (write_run_table(table, tmp_path / name) for name in "xy")
    assert [path.name for path in first] == [
        *("runs.md", "runs.tex", "runs.csv", "runs.json"),
        *("recall_at_1.png", "recall_at_5.png"),
    ]
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in again]
    with first[2].open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 2 * 8  # without what the third run lacks
    (line,) = [
        line
        for line in lines
        if (line["run"], line["set"], line["n"]) == ("b/1", "tokyo_xs/test", "1")
    ]
    cell = table.rows[1].cells[[c.name for c in table.columns].index(line["set"])]
    assert float(line["recall"]) == pytest.approx(100 * (GOOD == 1).mean())
    assert float(line["difference_low"]) == pytest.approx(
        cell.recall(1).difference.low, rel=1e-5
    )
    assert float(line["mcnemar_p"]) == pytest.approx(cell.mcnemar_p, rel=1e-5)
    assert r"a/1 & " in first[1].read_text()
    cells = json.loads(first[3].read_text())["rows"][2]["cells"]
    assert [cell is None for cell in cells] == [False, True, False]


def test_seeds_are_grouped_by_their_configs(tmp_path):
    key = ("city", "test")
    ranks = [np.roll(GOOD, 1), np.where(np.arange(NUM_QUERIES) < 10, 0, 1), GOOD]
    runs = [
        write_run(tmp_path / "gem" / f"{seed}", {key: ranks[seed]}, seed)
        for seed in (2, 0)
    ]
    runs.append(write_run(tmp_path / "other/1", {key: FAIR}, 0))
    # Of the third seed only val is there.
    runs.append(write_run(tmp_path / "gem/1", {("city", "val"): ranks[1]}, 1))
    table = tabulate_runs(runs, group_seeds=True)
    assert [(row.name, row.seeds) for row in table.rows] == [
        ("gem", [0, 1, 2]),
        ("other", [0]),
    ]
    recalls = [100 * (ranks[seed] == 1).mean() for seed in (0, 2)]
    recall = table.rows[0].cells[0].recall(1)
    assert recall.value.value == pytest.approx(np.mean(recalls))
    assert recall.deviation == pytest.approx(np.std(recalls, ddof=1))
    other = table.rows[1].cells[0]
    assert other.recall(1).difference.value == pytest.approx(
        100 * (FAIR == 1).mean() - np.mean(recalls)
    )
    assert other.num_gained is None
    assert np.isnan(other.mcnemar_p)
    text = run_table_markdown(table)
    mean = f"{np.mean(recalls):.1f} ± {np.std(recalls, ddof=1):.1f} (2 of 3 seeds)"
    assert mean in text
    assert "0, 1, 2" in text
    assert len(recall_figures(table)) == 2


def test_what_cannot_be_grouped_is_refused(tmp_path):
    key = ("city", "test")
    runs = [write_run(tmp_path / f"gem/{n}", {key: GOOD}, 7) for n in (1, 2)]
    with pytest.raises(ReportError, match=r"different seeds .* seed 7 in .*gem/1 and"):
        tabulate_runs(runs, group_seeds=True)
    bare = write_run(tmp_path / "bare/1", {key: GOOD})
    with pytest.raises(ReportError, match=r"must have a config.yaml.*bare"):
        tabulate_runs([runs[0], bare], group_seeds=True)
    unlike = write_run(tmp_path / "gem/3", {key: GOOD}, 8, preprocessing="square 64")
    with pytest.raises(ReportError, match=r"same preprocessing .* native .* square 64"):
        tabulate_runs([runs[0], unlike], group_seeds=True)


def test_other_datasets_and_protocols_are_refused_or_said(tmp_path):
    runs = [
        write_run(tmp_path / f"{dataset}/1", {(dataset, "test"): GOOD})
        for dataset in ("one", "two")
    ]
    with pytest.raises(ReportError, match="same dataset to be compared"):
        tabulate_runs(runs)
    table = tabulate_runs(runs, anyway=True)
    assert not table.has_pairs
    text = run_table_markdown(table)
    assert "of several datasets, so these recalls are not comparable" in text
    assert "No run shares queries with one/1." in text
    dropping = [None, *GOOD[1:]]
    other = write_run(
        tmp_path / "three/1", {("one", "test"): dropping}, protocol="msls_val_740"
    )
    with pytest.raises(ReportError, match="whose recalls are not comparable"):
        tabulate_runs([runs[0], other])
    table = tabulate_runs([runs[0], other], anyway=True)
    assert table.rows[1].cells[0].num_paired == NUM_QUERIES - 1
    assert "of several protocols" in run_table_markdown(table)


def test_a_set_that_no_run_has_is_named(course):
    with pytest.raises(ReportError, match="Received: night; there are reports on"):
        tabulate_runs(course, set_names=["val", "night"])


def test_command_puts_the_baseline_first(course, tmp_path, capsys):
    a, b, c = course
    assert vpr("compare", a, b, c, "--baseline", c, "--output", tmp_path / "t") == 0
    printed = capsys.readouterr().out
    assert "## Against c/1" in printed
    assert (tmp_path / "t/runs.md").read_text() in printed
    assert "Changed queries" not in printed
    # Two runs: the queries that changed as well, of the sets that both have.
    words = ["compare", a, c, "--set", "val", "--set", "test", "--json"]
    assert vpr(*words) == 0
    content = json.loads(capsys.readouterr().out)
    assert [each["first"]["set_name"] for each in content["comparisons"]] == [
        *("val", "test")
    ]
    cells = content["table"]["rows"][1]["cells"]
    for cell, comparison in zip(cells, content["comparisons"], strict=False):
        assert cell["mcnemar_p"] == comparison["mcnemar_p"]
        assert (
            cell["recalls"][0]["difference"]
            == comparison["differences"][0]["difference"]
        )
    assert cells[2] is None
