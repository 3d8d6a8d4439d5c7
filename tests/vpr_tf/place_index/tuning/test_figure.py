import numpy as np
import pytest
from PIL import Image

from tests.vpr_tf.place_index.tuning.measurements import measurement
from vpr_tf.place_index.tuning import figure
from vpr_tf.place_index.tuning.figure import draw_tuning

EXACT = measurement(10, 1.0, kind="exact", label="")
MANY = [measurement(30 * n, 1 - n / 30) for n in range(1, 30)]


def drawn(measurements, chosen, path, **options):
    values = {"recall_at": 1, "min_recall": 0.99, "title": "title", **options}
    draw_tuning(measurements, chosen, path, **values)
    return np.asarray(Image.open(path).convert("RGB"))


@pytest.mark.parametrize(
    "measurements",
    [[EXACT], [EXACT, measurement(10, 1.0, kind="other")], [EXACT, *MANY],
     [EXACT, measurement(1e6, 0.0)]],
)  # fmt: skip
def test_any_measurements_can_be_drawn(measurements, tmp_path):
    assert drawn(measurements, EXACT, tmp_path / "a.png").shape[1] > 800


def test_the_choice_is_marked(tmp_path):
    green = np.array([int(figure.CHOSEN_COLOUR[i : i + 2], 16) for i in (1, 3, 5)])
    places = []
    for chosen in (EXACT, MANY[-1]):
        picture = drawn([EXACT, *MANY], chosen, tmp_path / "a.png")
        rows, columns = np.nonzero((picture == green).all(axis=2))
        inside = rows < picture.shape[0] * 0.9  # above the legend
        places.append((rows[inside].mean(), columns[inside].mean()))
    assert places[0][0] < places[1][0]  # found more: higher
    assert places[0][1] < places[1][1]  # slower: to the left
