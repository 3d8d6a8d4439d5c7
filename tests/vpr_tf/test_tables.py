"""The same table in three languages."""

import math

import numpy as np

from vpr_tf.report.page import environment
from vpr_tf.tables import UNKNOWN, Column, Interval, Quantity, Table, counted, metres

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
        r"\textbackslash{}input\{/etc/passwd\} \$x\textasciicircum{}2\$ "
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
