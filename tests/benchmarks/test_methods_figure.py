import pytest
from matplotlib.figure import Figure

from benchmarks.methods_figure import recall_over_answer_time, recall_over_time
from tests.benchmarks.method_cases import measured

METHODS = [
    measured("retrieval", "retrieval", [1, 1, 1, 0], search_ms=6.0),
    measured("PlaNet", "classification", [1, 1, 0, 0], classify_ms=0.5),
    *(
        measured(
            f"D&C + retrieval, K = {cells}",
            "narrowed",
            [1, 1, 1, cells > 1],
            classify_ms=0.5,
            search_ms=0.1 * cells,
        )
        for cells in (1, 10)
    ),
]


@pytest.mark.parametrize(
    ("drawing", "planet_ms"),
    [(recall_over_time(METHODS), 4.5), (recall_over_answer_time(METHODS), 0.5)],
)
def test_figure_has_each_method_at_its_time_and_recall(drawing, planet_ms):
    figure = Figure()
    drawing.draw(figure)
    [axes] = figure.axes
    assert axes.get_xscale() == "log"
    [planet] = [
        line for line in axes.lines if line.get_label() == "classification alone"
    ]
    assert planet.get_xydata().tolist() == [[planet_ms, 50.0]]
    names = {text.get_text() for text in axes.texts}
    assert names == {"retrieval", "PlaNet", "D&C + retrieval, K = 1", "K = 10"}


def test_each_retrieval_has_a_panel_with_the_classifiers():
    netvlad = {"search_ms": 5.0, "run": "other"}
    figure = Figure()
    recall_over_time(
        [
            *METHODS,
            measured("NetVLAD", "retrieval", [1, 0, 0, 0], **netvlad),
            measured("NetVLAD, HNSW", "approximate", [1, 0, 0, 0], **netvlad),
        ]
    ).draw(figure)
    [first, second] = figure.axes
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "retrieval",
        "NetVLAD",
    ]
    assert {text.get_text() for text in first.texts} == {
        *("retrieval", "PlaNet", "D&C, K = 1", "K = 10")
    }
    assert {text.get_text() for text in second.texts} == {"NetVLAD", "PlaNet", "HNSW"}
    assert first.get_xlim() == second.get_xlim()
