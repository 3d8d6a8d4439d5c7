import numpy as np
import pytest

from tests.vpr_tf.report.test_city_map import queries_at
from vpr_tf.report.city_map import city_maps
from vpr_tf.report.map_svg import round_length_m
from vpr_tf.report.page import render


def drawn(queries, num_photos=50):
    generator = np.random.default_rng(0)
    latitude = generator.uniform(-0.02, 0.02, num_photos)
    longitude = generator.uniform(-0.02, 0.02, num_photos)
    (city,) = city_maps(queries, latitude, longitude)
    return render("map.html.j2", map=city, queries_on_map=queries, threshold="25 m")


def three_queries():
    localized = ([0.0, 0.005, 0.01], [0.0, 0.0, 0.0])
    return queries_at([-0.02, 0.02, 0.01], [-0.02, 0.02, 0.0], localized)


def test_map_has_queries_errors_scale_and_legend():
    html = drawn(three_queries())
    assert html.count('<g class="q"><title>') == 3
    assert html.count('<path class="error" d="M') == 2  # one on the map, one in the key
    assert html.count('<path class="hole"') == 2
    for text in (
        "localized within 25 m (1)",
        "the line ends at the localization (1)",
        "not enough confidence (1)",
        "database photos (",
        '<div class="scale" style="width:',
        "<span>1 km</span>",
        'class="north"',
    ):
        assert text in html
    assert "nan" not in html


def test_names_are_escaped():
    queries = three_queries()
    queries.names[0] = "</title><script>alert(1)</script>"
    html = drawn(queries)
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_a_big_database_and_many_queries_stay_a_small_file():
    generator = np.random.default_rng(1)
    latitude, longitude = generator.uniform(-0.02, 0.02, (2, 20_000))
    queries = queries_at(latitude, longitude, states=["right", "wrong"] * 10_000)
    assert len(drawn(queries, num_photos=200_000)) < 1_500_000


@pytest.mark.parametrize(
    ("metres", "expected"), [(999, 500), (1000, 1000), (23, 20), (7.3, 5), (0.14, 0.1)]
)
def test_scale_bars_have_round_lengths(metres, expected):
    assert round_length_m(metres) == pytest.approx(expected)
