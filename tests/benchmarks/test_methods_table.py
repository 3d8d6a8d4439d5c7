import json
import math

import pytest

from benchmarks.methods_table import (
    differences,
    methods_table,
    narrowed_table,
    write_table,
)
from tests.benchmarks.method_cases import measured
from vpr_tf.tables import UNKNOWN

RETRIEVAL = measured("retrieval", "retrieval", [1] * 30 + [0] * 10, search_ms=6.0)
WORSE = measured("PlaNet", "classification", [1] * 20 + [0] * 20, classify_ms=0.5)


def test_differences_are_paired():
    same, worse = differences([RETRIEVAL, WORSE], RETRIEVAL)
    assert (same.low, same.value, same.high) == (0, 0, 0)
    assert worse.value == pytest.approx(-25)
    assert worse.low < -25 < worse.high < 0


def test_differences_without_retrieval_are_unknown():
    assert math.isnan(differences([WORSE], None)[0].value)


def test_table_holds_times_by_part_and_their_sum():
    header, _, retrieval, worse = methods_table([RETRIEVAL, WORSE], RETRIEVAL).split(
        "\n"
    )
    assert [cell.strip() for cell in header.split("|")[2:4]] == ["LR@1", "LR@5"]
    cells = [cell.strip() for cell in worse.split("|")[1:-1]]
    assert cells[:4] == ["PlaNet", "50.0", "60.0", "4.00"]
    assert cells[4:9] == ["0.50", UNKNOWN, "4.50", "1.00", "2.0"]
    assert cells[9].startswith("-25.0 [")
    assert retrieval.split("|")[-2].strip() == ""


def test_written_numbers_are_those_of_the_table(tmp_path):
    write_table(tmp_path, "text", [RETRIEVAL, WORSE], RETRIEVAL, {"set": "test"})
    content = json.loads((tmp_path / "results.json").read_text())
    assert (tmp_path / "table.md").read_text() == "text\n"
    assert content["set"] == "test"
    planet = content["methods"][1]
    assert planet["recalls"] == {"1": 50.0, "5": 60.0}
    assert planet["total_ms"] == 4.5
    assert planet["search_ms"] is None
    assert planet["lr_1_against_retrieval"]["value"] == pytest.approx(-25)


def test_narrowed_searches_stand_by_k_in_a_table_of_their_own():
    def line(pair, cells, right):
        return measured(f"{pair}, K = {cells}", "narrowed", [1] * right + [0] * 3)

    pairs = [line("D&C + CosPlace", k, r) for k, r in (("1", 1), ("10", 3), ("all", 2))]
    assert narrowed_table([RETRIEVAL, *pairs]) == []
    pairs += [line("HGE + NetVLAD", "all", 1), line("HGE + NetVLAD", "1", 0)]
    text = narrowed_table([RETRIEVAL, *pairs])[1].split("\n")
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in text]
    assert rows[0] == ["LR@1", "K = all", "K = 10", "K = 1"]
    assert rows[2] == ["D&C + CosPlace", "40.0", "50.0", "25.0"]
    assert rows[3] == ["HGE + NetVLAD", "25.0", UNKNOWN, "0.0"]
