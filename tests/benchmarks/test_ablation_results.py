import json

import numpy as np
from matplotlib.figure import Figure

from benchmarks.ablation_plan import Choice
from benchmarks.ablation_results import (
    Outcome,
    ablation_figure,
    ablation_table,
    write_ablation,
)


def outcome(
    name: str,
    size_m: int,
    stride: int,
    head: str,
    right: int,
    scale: float | None = 30.0,
    margin: float | None = 0.2,
) -> Outcome:
    found = np.arange(50) < right
    recalls = {1: 2.0 * right, 5: 100.0}
    choice = Choice(size_m, stride, head, scale, margin)
    return Outcome(name, choice, 90, recalls, found)


BASE = outcome("dc", 20, 2, "angular_margin", 40)
OUTCOMES = [
    BASE,
    outcome("dc_m100_n2", 100, 2, "angular_margin", 10),
    outcome("dc_m50_n2", 50, 2, "angular_margin", 20),
    outcome("dc_m20_n1", 20, 1, "angular_margin", 30),
    outcome("dc_cross_entropy", 20, 2, "cross_entropy", 25, None, None),
    outcome("dc_margin0.4", 20, 2, "angular_margin", 35, margin=0.4),
    outcome("dc_margin0", 20, 2, "angular_margin", 45, margin=0.0),
]


def test_table_has_intervals_and_paired_differences():
    _, _, base, m100, *_ = ablation_table(OUTCOMES, BASE).split("\n")
    cells = [cell.strip() for cell in m100.split("|")[1:-1]]
    assert cells[:4] == ["dc_m100_n2", "100", "2", "angular_margin"]
    assert cells[4:7] == ["30", "0.20", "90"]
    assert cells[7].startswith("20.0 [")
    assert cells[9].startswith("-60.0 [")
    assert base.split("|")[-2].strip() == ""


def test_figure_has_a_panel_for_each_thing_that_varies_in_order():
    figure = Figure()
    ablation_figure(OUTCOMES, BASE).draw(figure)
    ticks = [[t.get_text() for t in axes.get_xticklabels()] for axes in figure.axes]
    assert ticks == [
        ["20", "50", "100"],
        ["1", "2"],
        ["ArcFace", "cross-\nentropy"],
        ["0", "0.2", "0.4"],
    ]
    numbers = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert numbers[0] == ["80.0", "40.0", "20.0"]
    assert numbers[1] == ["60.0", "80.0"]


def test_figure_without_the_heads_has_two_panels():
    figure = Figure()
    ablation_figure(OUTCOMES[:4], BASE).draw(figure)
    assert len(figure.axes) == 2


def test_results_are_written(tmp_path):
    write_ablation(tmp_path, "text", OUTCOMES, BASE, {"set": "test"})
    content = json.loads((tmp_path / "ablation.json").read_text())
    assert [entry["cell_size_m"] for entry in content["variants"]] == [
        20,
        100,
        50,
        *([20] * 4),
    ]
    assert content["variants"][0]["lr_1"]["value"] == 80.0
    assert (tmp_path / "ablation.png").stat().st_size > 1000
