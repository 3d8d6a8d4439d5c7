import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.shards import csv_lines
from vpr_tf.cli.output import report_rejected
from vpr_tf.csv_files import cell_name, name_cell
from vpr_tf.photos import PhotoFiles, RejectedPhoto
from vpr_tf.photos.schema import ROW_DTYPE
from vpr_tf.report.per_query import read_per_query, write_per_query

FORMULAS = [
    "=cmd|' /C calc'!A0.jpg",
    "+1+cmd|' /C calc'!A0",
    "-2+3.jpg",
    "@SUM(1+9)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "'=1.jpg",
]
PLAIN = ["@0543037.35@4178456.12@10@S@.jpg", "day/=1.jpg", "a.jpg", "5-1.jpg", ""]


def is_formula(cell):
    return cell.startswith(("=", "+", "-", "\t", "\r")) or (
        cell.startswith("@") and not cell[1:2].isdecimal()
    )


@pytest.mark.parametrize("name", FORMULAS)
def test_formula_is_marked(name):
    assert name_cell(name) == f"'{name}"


@pytest.mark.parametrize("name", PLAIN)
def test_other_names_are_written_as_they_are(name):
    assert name_cell(name) == name


@given(st.text())
def test_names_are_read_again(name):
    assert not is_formula(name_cell(name))
    assert cell_name(name_cell(name)) == name


def test_no_table_of_names_holds_a_formula(tmp_path):
    names = [*FORMULAS, *PLAIN]
    keys = np.array([name.encode() for name in names], "S")
    errors = np.full(len(names), -1.5)
    write_per_query({"key": keys, "error_m": errors}, tmp_path / "per_query.csv")
    assert read_per_query(tmp_path / "per_query.csv") == {
        "key": names,
        "error_m": ["-1.50"] * len(names),
    }
    rejected = [RejectedPhoto(name, "=1+1") for name in names]
    photos = PhotoFiles.from_rows(
        tmp_path, np.empty(0, ROW_DTYPE), np.array([], "S1"), rejected
    )
    report_rejected(photos, tmp_path / "rejected.csv")
    tables = {
        "key": (tmp_path / "per_query.csv").read_bytes().decode(),
        "file": (tmp_path / "rejected.csv").read_bytes().decode(),
        "built": csv_lines([["built", "reason"], *rejected]).decode(),
    }
    for column, text in tables.items():
        [header, *rows] = csv.reader(io.StringIO(text, newline=""))
        assert header[0] == column
        assert len(rows) == len(names)
        assert not [row for row in rows if is_formula(row[0])]
        if column != "key":
            assert {row[1] for row in rows} == {"'=1+1"}
