import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from data_prep.inspection.class_maps import draw_class_map
from data_prep.inspection.figures import group_colours
from vpr_tf.config import (
    CosPlaceConfig,
    DivideAndClassifyConfig,
    EigenPlacesConfig,
)
from vpr_tf.data.partition import CLASS_DTYPE

CONFIG = CosPlaceConfig(name="city", cell_size_m=20, cell_stride=1, heading_stride=4)


def classes_of_one_cell(num_groups=4, bin_deg=30, zone=10):
    """Every group has classes of each cell, so that in one map they would hide."""
    classes = np.zeros(2 * num_groups, CLASS_DTYPE)
    classes["group_id"] = np.repeat(np.arange(num_groups), 2)
    classes["centre_east_m"] = np.tile([548_010, 548_110], num_groups)
    classes["centre_north_m"] = 4_173_010
    classes["heading_bin_deg"] = bin_deg * classes["group_id"]
    classes["utm_zone"] = zone
    return classes


def pixels_of(path, colour):
    picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
    wanted = np.rint(np.asarray(colour)[:3] * 255)
    return np.abs(picture - wanted).max(axis=2) < 3


@pytest.mark.parametrize("num_groups", [1, 2, 4, 10])
def test_every_group_can_be_seen(num_groups, tmp_path):
    path = tmp_path / "map.png"
    classes = classes_of_one_cell(num_groups)
    assert draw_class_map(path, classes, classes[:0], CONFIG, 10) == path
    places = []
    for colour in group_colours(num_groups):
        rows, columns = np.nonzero(pixels_of(path, colour))
        assert len(rows) > 20
        places.append((rows.min(), columns.min()))
    assert len(set(places)) == num_groups


def test_wedges_point_where_the_headings_do(tmp_path, monkeypatch):
    figures = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda f, *a, **o: (save(f, *a, **o), figures.append(f))
    )
    classes = classes_of_one_cell()
    draw_class_map(tmp_path / "map.png", classes, classes[:0], CONFIG, 10)
    for group, axes in enumerate(figures[0].axes):
        (wedges,) = axes.collections
        np.testing.assert_allclose(
            wedges.get_offsets(), [[548.01, 4173.01], [548.11, 4173.01]]
        )
        (outline,) = wedges.get_paths()
        east, north = outline.vertices.mean(axis=0)
        middle_deg = np.degrees(np.arctan2(east, north)) % 360
        assert middle_deg == pytest.approx(30 * group + 15, abs=2)


def test_classes_without_headings_dropped_ones_and_other_zones(tmp_path):
    path = tmp_path / "map.png"
    config = DivideAndClassifyConfig(cell_size_m=20, cell_stride=2)
    here, there = classes_of_one_cell(2, 0), classes_of_one_cell(2, 0, zone=-19)
    there["centre_east_m"] += 90_000
    both = np.concatenate([here, there])
    dropped = classes_of_one_cell(1, 0)
    dropped["centre_east_m"] += 40
    draw_class_map(path, both, dropped, config, 10)
    with_dropped = pixels_of(path, np.array([0xB8, 0xBE, 0xC4]) / 255).sum()
    draw_class_map(path, both, dropped[:0], config, 10)
    assert with_dropped > pixels_of(path, np.array([0xB8, 0xBE, 0xC4]) / 255).sum() + 20


def test_wedges_point_to_focal_points(tmp_path, monkeypatch):
    figures = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda f, *a, **o: (save(f, *a, **o), figures.append(f))
    )
    classes = classes_of_one_cell(num_groups=2, bin_deg=0)
    middles = np.stack([classes["centre_east_m"], classes["centre_north_m"]], axis=1)
    away = np.array([[10, 0], [10, 0], [0, -10], [0, -10]])
    points = (middles + away, np.zeros((0, 2)))
    config = EigenPlacesConfig(cell_size_m=20)
    draw_class_map(tmp_path / "map.png", classes, classes[:0], config, 10, points)
    for axes, name, heading in zip(
        figures[0].axes, ("lateral", "frontal"), (90, 180), strict=True
    ):
        assert name in axes.get_title("left")
        (wedges,) = axes.collections
        (outline,) = wedges.get_paths()
        east, north = outline.vertices.mean(axis=0)
        middle_deg = np.degrees(np.arctan2(east, north)) % 360
        assert middle_deg == pytest.approx(heading, abs=2)
