import itertools

import pytest
from PIL import Image

from vpr_tf.report.figure_style import (
    COLOURS,
    Drawing,
    label_lines,
    page_colours,
    write_figures,
)


def drawing(name="a", title="Title <&>"):
    def draw(figure):
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], "o-", color=COLOURS["good"])
        axes.set_xlabel("metres")

    return Drawing(name, title, draw, (2.0, 1.5))


def test_svg_is_for_a_page():
    svg = drawing().svg()
    assert svg.startswith("<svg viewBox=")
    assert 'aria-label="Title &lt;&amp;&gt;"' in svg
    assert ">metres</text>" in svg
    assert f"var(--good,{COLOURS['good']})" in svg
    for outside in ("http", "<style", "<?xml", "metadata", "font-family"):
        assert outside not in svg


def test_ids_differ_between_figures_and_not_between_runs():
    assert drawing("a").svg() == drawing("a").svg()
    ids = [
        {part.split('"')[0] for part in drawing(name).svg().split(' id="')[1:]}
        for name in "ab"
    ]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_figures_of_a_former_call_are_removed(tmp_path):
    write_figures([drawing("a"), drawing("b")], tmp_path)
    write_figures([drawing("b")], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["b.png"]
    with Image.open(tmp_path / "b.png") as image:
        assert image.size == (400, 300)


@pytest.mark.parametrize("heights", [(50, 50, 50), (99, 100, 98), (0, 1, 100)])
def test_labels_keep_apart_and_inside(heights):
    from matplotlib.figure import Figure

    axes = Figure((4, 3)).add_subplot()
    axes.set_ylim(0, 100)
    label_lines(axes, [(1.0, y, f"line {y} {i}") for i, y in enumerate(heights)])
    places = sorted(text.xy[1] for text in axes.texts)
    assert min(b - a for a, b in itertools.pairwise(places)) > 4
    assert places[-1] <= 100


def test_page_defines_every_colour():
    from pathlib import Path

    import vpr_tf.report.figure_style as module

    css = (Path(module.__file__).parent / "templates" / "page.css").read_text()
    for name in page_colours():
        assert css.count(f"--{name}:") == 3, name  # light, dark, chosen dark
