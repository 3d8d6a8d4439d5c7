import json

import numpy as np
import pytest
from matplotlib.figure import Figure

from benchmarks.smoothness import main
from benchmarks.smoothness_study import (
    Described,
    cosines,
    smoothness_drawing,
    straight_stretch,
    stretch_correlation,
    write_study,
)
from tests.small_training import write_config
from vpr_tf.config import load_config
from vpr_tf.geo import Positions
from vpr_tf.photos import PhotoTable


@pytest.fixture(scope="module")
def photos():
    """A street to the north, a photo each 2 m, and a wide field without order."""
    rng = np.random.default_rng(0)
    north_m = np.concatenate([np.arange(0, 60, 2), rng.uniform(500, 900, 40)])
    east_m = np.concatenate([rng.uniform(-1, 1, 30), rng.uniform(500, 900, 40)])
    positions = Positions.from_utm(
        500_000 + east_m, 4_000_000 + north_m, np.full(70, 10)
    )
    heading_deg = np.concatenate([np.full(30, 90.0), rng.uniform(0, 360, 40)])
    order = rng.permutation(70)
    keys = np.array([b"%d" % number for number in range(70)])
    nothing = np.full(70, b"")
    table = PhotoTable(keys, positions, heading_deg.astype("f"), nothing)
    return table.take(order)


def described(photos, smooth):
    """Descriptors that turn with the metres to the north, or any."""
    metres = (photos.positions.utm_north_cm - 400_000_000) / 100
    angle = np.radians(metres if smooth else 97 * metres**2)
    rows = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Described("smooth" if smooth else "rough", rows)


def test_a_stretch_is_the_shortest_line_of_photos_in_order(photos):
    stretch = straight_stretch(photos, 27)
    assert len(stretch.rows) == 27
    assert np.diff(stretch.metres) == pytest.approx(2, abs=0.01)
    assert stretch.heading_deg == 90
    north_cm = photos.positions.utm_north_cm[stretch.rows]
    assert (abs(np.diff(north_cm)) == 200).all()
    assert len({*np.sign(np.diff(north_cm))}) == 1


def test_too_many_photos_are_refused(photos):
    with pytest.raises(ValueError, match="No straight line of 200 m has 50 photos"):
        straight_stretch(photos, 50)


def test_smooth_descriptors_fall_with_the_metres(photos):
    stretch = straight_stretch(photos, 20)
    smooth, rough = (described(photos, kind).descriptors for kind in (True, False))
    assert stretch_correlation(smooth, stretch) < -0.99
    assert stretch_correlation(rough, stretch) > -0.5
    matrix = cosines(smooth, stretch)
    assert matrix[0, 5] == pytest.approx(np.cos(np.radians(10)), abs=1e-4)


def test_encoders_stand_side_by_side(photos, tmp_path):
    config = load_config("configs/dense/cosplace.yaml")
    both = [described(photos, kind) for kind in (True, False)]
    stretch = straight_stretch(photos, 10)
    text = write_study(tmp_path, both, photos, stretch, 500, config)
    assert [line.split("|")[1].strip() for line in text.split("\n")[2:]] == [
        "smooth",
        "rough",
    ]
    content = json.loads((tmp_path / "smoothness.json").read_text())
    correlations = [model["spearman_distance"] for model in content["models"]]
    assert correlations[0] < correlations[1]
    assert (tmp_path / "smoothness.png").stat().st_size > 1000


def test_figure_has_a_matrix_an_encoder_and_both_curves(photos):
    from vpr_tf.report import measure_smoothness

    both = [described(photos, kind) for kind in (True, False)]
    measured = [
        measure_smoothness(one.descriptors, photos, near_m=25, num_pairs=500, seed=0)
        for one in both
    ]
    figure = Figure(layout="constrained")
    smoothness_drawing(both, measured, straight_stretch(photos, 10)).draw(figure)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:2] == ["smooth", "rough"]
    assert figure.axes[0].get_xlabel() == "10 photos along 18 m"
    assert [line.get_label() for line in figure.axes[-2].lines] == ["smooth", "rough"]


def test_command_takes_the_database_of_a_set(small_training_dataset, tmp_path, capsys):
    config = write_config(tmp_path, small_training_dataset.path)
    words = ["--config", str(config), "--model", "none", "--photos", "3"]
    assert main([*words, "--output", str(tmp_path / "study")]) == 0
    assert "before training" in capsys.readouterr().out
    assert (tmp_path / "study" / "smoothness.png").exists()
    assert main([*words, "--set", "elsewhere"]) == 2
    assert "no evaluation set 'elsewhere'. It has: val, test" in capsys.readouterr().err
