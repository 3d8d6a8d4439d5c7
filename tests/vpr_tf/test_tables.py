"""The same table in three languages."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vpr_tf.report.page import environment
from vpr_tf.tables import (
    UNKNOWN,
    Column,
    Interval,
    Quantity,
    Table,
    counted,
    metres,
    told_apart,
)

TABLE = Table(
    "Recall & error",
    [
        Column("photo", "name"),
        Column("recall (%)"),
        Column("queries"),
        Column("error", "metres"),
    ],
    [
        [b"a_1|<b>.jpg", Interval(89.14, 85, 92.72), 1234, 12.34],
        ["x", Quantity(Interval(0.5), 3, " m"), np.int64(7), math.nan],
        ["y", np.float32(math.nan), None, 12_345.0],
    ],
    "100% of them.",
    main_row=1,
)


def test_markdown():
    assert TABLE.to_markdown().split("\n") == [
        "## Recall & error",
        "",
        r"| photo        |        recall (%) | queries |  error |",
        "| ------------ | ----------------: | ------: | -----: |",
        r"| a_1\|<b>.jpg | 89.1 [85.0, 92.7] |   1,234 | 12.3 m |",
        f"| x            |           0.500 m |       7 | {UNKNOWN:>6} |",
        f"| y            | {UNKNOWN:>17} | {UNKNOWN:>7} |  12 km |",
        "",
        "100% of them.",
    ]


def test_text():
    assert TABLE.to_text().split("\n")[2:4] == [
        "photo               recall (%)  queries   error",
        "a_1|<b>.jpg  89.1 [85.0, 92.7]    1,234  12.3 m",
    ]
    long = [
        "trip/" + "a" * 40 + f"/{camera}/" + "b" * 40 for camera in ("front", "rear")
    ]
    rows = [(name, 1) for name in long]
    table = Table("", [Column("photo", "name"), Column("n")], rows).to_text()
    assert table.split("\n") == [
        "photo                                   n",
        "trip/aaaaaaa…front/bbbbbb…bbbbbbbbbbbb  1",
        "trip/aaaaaaa…rear/bbbbbbb…bbbbbbbbbbbb  1",
    ]


@given(
    st.lists(st.text(st.sampled_from("ab/…"), max_size=30), max_size=8),
    st.text(st.sampled_from("ab/"), max_size=30),
    st.text(st.sampled_from("ab/"), max_size=30),
    st.integers(8, 40),
)
def test_cut_names_are_told_apart(middles, start, end, longest):
    names = [start + middle + end for middle in middles]
    cut = told_apart(names, longest)
    assert list(cut) == list(dict.fromkeys(names))
    assert len(set(cut.values())) == len(cut)
    for name, short in cut.items():
        assert len(short) <= len(name)
        if len(name) <= longest:
            assert short == name
        elif short != name and "…" not in name:
            first, *_, last = short.split("…")
            assert name.startswith(first)
            assert name.endswith(last)


def test_one_long_name_keeps_its_ends():
    assert told_apart(["a" * 30 + "b" * 30]) == {
        "a" * 30 + "b" * 30: "a" * 19 + "…" + "b" * 20
    }


def test_latex_has_no_command_from_the_data():
    text = TABLE.to_latex()
    assert r"\caption{Recall \& error}" in text
    assert r"\begin{tabular}{lrrr}" in text
    assert r"a\_1|<b>.jpg & 89.1 {\scriptsize [85.0, 92.7]} & 1,234 & 12.3 m \\" in text
    assert r"y & -- & -- & 12 km \\" in text
    assert r"100\% of them." in text
    assert text.count("{") == text.count("}")
    hostile = Table("", [Column("a", "text")], [["\\input{/etc/passwd}\n$x^2$ ~#%"]])
    line = hostile.to_latex().split("\n")[7]
    assert line == (
        r"\textbackslash{}input\{/etc/passwd\}\textbackslash{}n"
        r"\$x\textasciicircum{}2\$ "
        r"\textasciitilde{}\#\% \\"
    )


def test_html_is_escaped_and_marks_the_main_row():
    source = '{% from "macros.html.j2" import table %}{{ table(content) }}'
    html = environment().from_string(source).render(content=TABLE)
    assert "<b>" not in html
    assert '<tr class="main"><td class="text"><span class="name">x' in html
    assert '89.1 <span class="interval">[85.0, 92.7]</span></td>' in html
    assert html.count('<th scope="col" class="number">') == 3


def test_table_without_rows_is_its_reason():
    empty = Table("Errors", [Column("a")], [], "Nothing was measured.")
    assert empty.to_markdown() == "## Errors\n\nNothing was measured."
    assert empty.to_latex() == "% Errors: Nothing was measured."


def test_metres_and_counts():
    values = (0.04, 99.94, 99.96, 9999, 10_000, math.nan)
    assert [metres(value) for value in values] == [
        "0.0 m",
        "99.9 m",
        "100 m",
        "9,999 m",
        "10 km",
        UNKNOWN,
    ]
    assert counted(1, "query", "queries") == "1 query"
    assert counted(2500, "query", "queries") == "2,500 queries"
