import importlib.util
import json
import re
from pathlib import Path

import pytest

from benchmarks.figures import (
    FILE_VARIABLE,
    Measurement,
    figures_table,
    read_figures,
    record,
    round_figure,
)
from benchmarks.history import read_calls, values_table, write_history
from benchmarks.plan import PLAN, SIZES
from benchmarks.pytorch_peer import PeerOptions, why_no_peer

RATE = Measurement("engines", "Lite0", 120.4, "images/s", "TensorFlow", 1.5)
TIME = Measurement("service", "p50", 0.1234, "ms")


def write_call(folder, name, figures, size="small"):
    facts = {"time": f"{name} 10:00", "size": size, "machine": "2 cores"}
    facts |= {"versions": "keras 3", "commit": "abc", "failed": []}
    call = folder / f"{name}_10-00-00-{size}"
    call.mkdir(parents=True)
    rows = [vars(figure) for figure in figures]
    (call / "figures.json").write_text(json.dumps({**facts, "figures": rows}))


def test_figures_are_read_as_recorded(tmp_path, monkeypatch):
    file = tmp_path / "figures.jsonl"
    monkeypatch.setenv(FILE_VARIABLE, str(file))
    record("engines", "Lite0", 120.4, "images/s", peer="TensorFlow", ratio=1.5)
    record("service", "p50", 0.1234, "ms")
    assert read_figures(file) == [RATE, TIME]


def test_nothing_is_recorded_unless_a_file_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv(FILE_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    record("engines", "Lite0", 1, "images/s")
    assert not list(tmp_path.iterdir())


def test_damaged_figures_are_named(tmp_path):
    file = tmp_path / "figures.jsonl"
    file.write_text('{"benchmark": "engines"}\n')
    with pytest.raises(ValueError, match=r"figures\.jsonl, line 1: expected a figure"):
        read_figures(file)


@pytest.mark.parametrize(
    ("value", "text"), [(4571.2, "4,571"), (0.1234, "0.123"), (12.34, "12.3"), (0, "0")]
)
def test_round_figure_keeps_three_digits(value, text):
    assert round_figure(value) == text


def test_table_has_the_ratio_to_the_peer():
    rows = figures_table([RATE, TIME]).to_markdown().splitlines()[2:]
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    assert cells[0] == ["engines", "Lite0", "120", "images/s", "1.50", "TensorFlow"]
    assert cells[1][4] == "-"


def test_values_stand_in_the_column_of_their_call(tmp_path):
    write_call(tmp_path, "2026-01-01", [RATE])
    write_call(tmp_path, "2026-01-02", [TIME, RATE])
    table = values_table(read_calls(tmp_path))
    assert [column.name for column in table.columns][3:] == [
        "2026-01-01 10:00",
        "2026-01-02 10:00",
    ]
    assert table.rows == [
        ["engines", "Lite0", "images/s", "120 (1.50 x)", "120 (1.50 x)"],
        ["service", "p50", "ms", "-", "0.123"],
    ]


def test_history_has_a_part_for_each_size(tmp_path):
    write_call(tmp_path, "2026-01-01", [RATE])
    write_call(tmp_path, "2026-01-02", [RATE, TIME], "full")
    page = write_history(tmp_path).read_text()
    assert 'id="small"' in page
    assert 'id="full"' in page
    assert page.count("<svg") == 2
    assert "120 (1.50 x)" in page


def test_history_of_no_calls_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected folders of .*Received: none"):
        write_history(tmp_path)


def test_history_names_a_damaged_call(tmp_path):
    write_call(tmp_path, "2026-01-01", [RATE])
    next(tmp_path.glob("*/figures.json")).write_text("{}")
    with pytest.raises(ValueError, match=r"figures\.json: expected what"):
        write_history(tmp_path)


@pytest.mark.parametrize("planned", PLAN, ids=lambda planned: planned.name)
def test_planned_options_are_options_of_the_benchmark(planned):
    spec = importlib.util.find_spec(f"benchmarks.{planned.name}")
    source = Path(spec.origin).read_text()
    assert planned.by_size.keys() <= set(SIZES)
    for arguments in (planned.arguments, *planned.by_size.values()):
        for option in re.findall(r"--[\w-]+", arguments):
            assert f'"{option}"' in source, option


def test_peer_that_cannot_be_measured_says_why(monkeypatch):
    found = {"torch": object()}
    monkeypatch.setattr(importlib.util, "find_spec", found.get)
    options = PeerOptions("ResNet18", 512, 224, 8, "float32")
    assert why_no_peer(options) == ""
    assert "VGG16" in why_no_peer(options._replace(backbone="VGG16"))
    assert "int8" in why_no_peer(options._replace(precision="int8"))
    found.clear()
    assert why_no_peer(options) == "PyTorch is not installed"
