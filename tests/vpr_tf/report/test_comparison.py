import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from vpr_tf.report.bootstrap import BootstrapSettings
from vpr_tf.report.comparison import compare, mcnemar_p, wilcoxon_p
from vpr_tf.report.comparison_files import (
    comparison_markdown,
    p_value,
    write_comparison,
)
from vpr_tf.report.errors import ReportError
from vpr_tf.report.report import Identity
from vpr_tf.report.stored_report import StoredReport
from vpr_tf.tables import UNKNOWN

IDENTITY = Identity("test", "d" * 64, "e" * 64, "net", "native, float32", "exact", 6, 9)


def stored(ranks, errors, name="a", matches_m=None, **identity):
    """A report of six queries at 25 m; the ranks are those of the first positives."""
    matches_m = errors if matches_m is None else matches_m
    return StoredReport(
        Path(name),
        dataclasses.replace(IDENTITY, **identity),
        BootstrapSettings(num_resamples=300),
        25.0,
        [25.0],
        [1, 5],
        {
            "key": [f"q{i}" for i in range(len(ranks))],
            "hit_rank_25m": ["" if rank is None else str(rank) for rank in ranks],
            "error_m": ["" if error is None else str(error) for error in errors],
            "prediction_1_m": ["" if m is None else str(m) for m in matches_m],
        },
    )


FIRST = stored([1, 1, 0, 2, 6, None], [1, 2, 300, 40, 50, None])
SECOND = stored([1, 2, 1, 1, 1, None], [1, 80, 3, 4, 5, None], "b")


def test_handmade_comparison():
    comparison = compare(FIRST, SECOND)
    assert comparison.num_queries == 5  # the position of the sixth is unknown
    assert (comparison.num_gained, comparison.num_lost) == (3, 1)
    assert comparison.mcnemar_p == pytest.approx(2 * 5 / 16)  # P(X <= 1), 4 coins
    rows = {d.name: (d.first, d.second, d.difference) for d in comparison.differences}
    assert rows["R@1 at 25 m"][:2] == pytest.approx((40, 80))
    assert rows["R@5 at 25 m"][:2] == pytest.approx((60, 100))
    assert rows["R@1 at 25 m"][2].value == pytest.approx(40)
    assert rows["median error"][:2] == (40, 4)
    assert rows["median error"][2].value == -36
    for _, _, difference in rows.values():
        assert difference.low <= difference.value <= difference.high
    changed = [(c.key, c.change, c.first_error_m) for c in comparison.changed]
    assert changed == [
        ("q1", "lost", 2),
        ("q2", "gained", 300),
        ("q3", "gained", 40),
        ("q4", "gained", 50),
    ]
    assert compare(FIRST, SECOND) == comparison


def test_a_query_may_be_lost_though_its_error_is_the_same(tmp_path):
    # The estimate stands for several matches; the change is judged by the first.
    first = stored([1, 1], [4, 5], matches_m=[6, 7])
    second = stored([3, 1], [4, 5], matches_m=[90, 7])
    comparison = compare(first, second)
    (lost,) = comparison.changed
    assert (lost.change, lost.first_error_m, lost.second_error_m) == ("lost", 4, 4)
    assert (lost.first_match_m, lost.second_match_m) == (6, 90)
    text = comparison_markdown(comparison)
    (row,) = [line for line in text.splitlines() if "| lost" in line]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == ["q0", "lost", "6.0 m", "90.0 m", "4.0 m", "4.0 m"]
    assert "first match lies within 25 m for one run alone" in text
    write_comparison(comparison, tmp_path)
    lines = (tmp_path / "changed_queries.csv").read_text().splitlines()
    assert lines[1] == "q0,lost,6.00,90.00,4.00,4.00"


def test_a_run_equals_itself():
    comparison = compare(FIRST, FIRST)
    assert comparison.changed == []
    assert comparison.mcnemar_p == 1
    assert np.isnan(comparison.wilcoxon_p)
    assert all(
        (d.difference.low, d.difference.high) == (0, 0) for d in comparison.differences
    )
    assert "No query changed." in comparison_markdown(comparison)


def test_pairs_make_the_interval_narrower_than_two_samples_would():
    generator = np.random.default_rng(0)
    first = (generator.random(200) < 0.5).astype(int)
    second = first.copy()
    second[:4] = 1 - second[:4]
    reports = [stored(ranks, [1.0] * 200) for ranks in (first, second)]
    difference = compare(*reports).differences[0].difference
    assert difference.high - difference.low < 5  # two samples: about 20


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [(0, 0, 1), (5, 5, 1), (8, 2, 0.109375), (1, 0, 1), (10, 0, 2 / 1024)],
)
def test_mcnemar_against_coins(gained, lost, p):
    assert mcnemar_p(gained, lost) == pytest.approx(p)
    assert mcnemar_p(lost, gained) == pytest.approx(p)


def test_wilcoxon_leaves_out_what_is_equal_or_unknown():
    generator = np.random.default_rng(1)
    first, second = generator.normal(size=(2, 30))
    expected = stats.wilcoxon(first, second).pvalue
    first, second = (np.append(a, [3, np.nan]) for a in (first, second))
    assert wilcoxon_p(first, second) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (
            stored([1] * 6, [1] * 6, set_name="val"),
            "same set .* test in a and val",
        ),
        (stored([1] * 6, [1] * 6, dataset_fingerprint="f"), "same dataset"),
        (stored([1] * 5, [1] * 5), "same number of queries .* 6 in a and 5 in a"),
        (stored([1] * 6, [1] * 6), "queries of a and a are not the same"),
        (dataclasses.replace(FIRST, threshold_m=10), "same positive distance"),
    ],
)
def test_reports_on_other_queries_are_refused(other, reason):
    with pytest.raises(ReportError, match=reason):
        compare(FIRST, other)


def test_without_positions_there_is_nothing_to_compare():
    nobody = stored([None, None], [None, None])
    with pytest.raises(ReportError, match="No query of 'test' has a known position"):
        compare(nobody, nobody)


def test_files_of_a_comparison(tmp_path):
    comparison = compare(FIRST, SECOND)
    write_comparison(comparison, tmp_path / "new")
    lines = (tmp_path / "new" / "changed_queries.csv").read_text().splitlines()
    distances = "first_match_m,second_match_m,first_error_m,second_error_m"
    assert lines[0] == f"key,change,{distances}"
    assert lines[1] == "q1,lost,2.00,80.00,2.00,80.00"
    assert len(lines) == 5
    latex = (tmp_path / "new" / "comparison.tex").read_text()
    assert r"R@1 at 25 m, \% & 40.0 & 80.0 & 40.0" in latex
    text = (tmp_path / "new" / "comparison.md").read_text()
    assert "3 gained, 1 lost, exact McNemar test p = 0.625" in text
    assert "| R@1 at 25 m, %  |" in text
    assert "2 more changed." in comparison_markdown(comparison, max_changed=2)


def test_small_p_values_keep_their_digits():
    assert [p_value(p) for p in (0.5, 0.0421, 2.4e-5, np.nan)] == [
        "0.500",
        "0.042",
        "2.4e-05",
        UNKNOWN,
    ]


def test_two_protocols_are_refused_and_compared_anyway():
    dropping = stored([1, 2, 1, None, 1, None], [1] * 6, "c", protocol="msls_val_740")
    with pytest.raises(
        ReportError, match="a is of the protocol standard and c of msls"
    ):
        compare(FIRST, dropping)
    comparison = compare(FIRST, dropping, anyway=True)
    assert comparison.num_queries == 4  # those that count by both
    text = comparison_markdown(comparison)
    assert "The runs are of two protocols, standard and msls_val_740" in text
    assert "two protocols" not in comparison_markdown(compare(FIRST, SECOND))
