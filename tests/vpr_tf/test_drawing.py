"""Text of figures is what it says, in every module that makes one."""

import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from data_prep.inspection import figures
from data_prep.inspection.class_maps import draw_class_map
from data_prep.inspection.report import SplitStatistics
from tests.vpr_tf.place_index.tuning.measurements import measurement
from tests.vpr_tf.report.tiny_photos import photos_at
from vpr_tf.cli.index.index_map import draw_map
from vpr_tf.config import CosPlaceConfig
from vpr_tf.data.partition import CLASS_DTYPE
from vpr_tf.drawing import plain_text
from vpr_tf.place_index.tuning.figure import draw_tuning
from vpr_tf.report.dot_plot import DotRow, dot_plot
from vpr_tf.tables import Interval

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = ["$x^$", r"$\frac{1$ and $2$", r"a\$b$c_$", "{} %s ~^_&#"]


@pytest.fixture
def drawn(monkeypatch):
    """Collects all texts of the figures that are saved."""
    texts = []
    save = Figure.savefig

    def watched(figure, *arguments, **options):
        save(figure, *arguments, **options)
        texts.extend(text.get_text() for text in figure.findobj(Text))

    monkeypatch.setattr(Figure, "savefig", watched)
    return texts


def test_the_style_holds_inside_alone():
    before = dict(mpl.rcParams)
    with plain_text({"font.size": 3.0}):
        assert not Text(0, 0, "$x^$").get_parse_math()
        assert mpl.rcParams["font.size"] == 3
    assert mpl.rcParams == before


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_names_are_drawn_as_they_are(name, tmp_path, drawn):
    statistics = {name: SplitStatistics(images_per_year={2019: 2, 2020: 1})}
    figures.draw(
        tmp_path / "years.png", lambda axes: figures.images_per_year(axes, statistics)
    )
    classes = np.zeros(2, CLASS_DTYPE)
    classes["utm_zone"], classes["num_images"] = 10, 3
    allowed = name.replace("\\", "")
    config = CosPlaceConfig(name=allowed)
    draw_class_map(tmp_path / "map.png", classes, classes[:0], config, 10)
    draw_map(photos_at([0, 50]), tmp_path / "index.png", title=name)
    row = DotRow(name, Interval(1, 0, 2), name, name)
    drawing = dot_plot("a", name, [row], xlabel=name)
    drawing.write_png(tmp_path)
    assert len([text for text in drawn if name in text]) >= 7
    assert any(text.startswith(f"{allowed}: 2 classes") for text in drawn)
    assert "<svg" in drawing.svg()


@pytest.mark.parametrize("speeds", [(30.0, 50.0), (3.0, 90_000.0)])
def test_ticks_of_logarithmic_axes_are_no_formulas(speeds, tmp_path, drawn):
    measurements = [measurement(speed, 1.0, label="$x^$") for speed in speeds]
    draw_tuning(
        measurements,
        measurements[0],
        tmp_path / "a.png",
        recall_at=1,
        min_recall=0.9,
        title="$x^$",
    )
    counts = np.array([1] * 400 + list(range(2, 60)))
    figures.draw(
        tmp_path / "b.png", lambda axes: figures.images_per_class(axes, counts, 3)
    )
    assert "$x^$" in drawn
    assert not [text for text in drawn if "mathdefault" in text]


def test_every_module_that_makes_a_figure_has_the_style():
    makers = [
        path
        for part in ("vpr_tf", "data_prep", "benchmarks")
        for path in (ROOT / part).rglob("*.py")
        if re.search(r"\bFigure\(|pyplot", path.read_text())
    ]
    assert len(makers) >= 4
    for path in makers:
        assert "plain_text(" in path.read_text(), path
