import numpy as np
import pytest

from tests.vpr_tf.place_index.samples import (
    ENCODER,
    create,
    make_descriptors,
    make_photos,
    needs_scann,
    positions_at,
    remove,
)
from vpr_tf.photos import PhotoTable
from vpr_tf.place_index import (
    GeoCircle,
    PlaceIndex,
)

EARTH_RADIUS_M = 6_371_008.8


def great_circle_m(latitude_deg, longitude_deg, positions):
    """Along a sphere; the ellipsoid differs by less than 0.6%."""
    a, b = np.radians(latitude_deg), np.radians(positions.latitude_deg)
    across = np.radians(positions.longitude_deg - longitude_deg)
    cosine = np.sin(a) * np.sin(b) + np.cos(a) * np.cos(b) * np.cos(across)
    chord = np.sin((b - a) / 2) ** 2 + np.cos(a) * np.cos(b) * np.sin(across / 2) ** 2
    return np.where(
        cosine > 0.9,
        2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(chord)),
        EARTH_RADIUS_M * np.arccos(np.clip(cosine, -1, 1)),
    )


@pytest.mark.parametrize(
    ("latitude_deg", "longitude_deg"),
    [
        (37.76, -122.51),
        (-33.9, 151.2),  # south
        (0.0001, 9.0),  # both sides of the equator
        (10.0, 180.0),  # both sides of the antimeridian
        (-17.0, -179.9999),
        (45.0, 12.0),  # both sides of a border of zones
        (60.0, 3.0),  # Norway's wide zone
        (79.0, 21.0),  # Svalbard
        (-79.9, 0.0),
        (83.9, -60.0),
    ],
)
@pytest.mark.parametrize("radius_m", [5.0, 300.0, 20_000.0])
def test_rows_are_those_inside_the_circle(latitude_deg, longitude_deg, radius_m):
    rng = np.random.default_rng(0)
    spread_deg = 2.5 * radius_m / 111_000
    latitude = latitude_deg + spread_deg * rng.uniform(-1, 1, 3000)
    wide_deg = spread_deg / np.cos(np.radians(min(abs(latitude_deg), 83.0)))
    longitude = longitude_deg + wide_deg * rng.uniform(-1, 1, 3000)
    latitude = latitude.clip(-80, 84)
    longitude = (longitude + 180) % 360 - 180
    positions = positions_at(latitude, longitude)
    rows = GeoCircle(latitude_deg, longitude_deg, radius_m).rows(positions)
    metres = great_circle_m(latitude_deg, longitude_deg, positions)
    is_inside = np.isin(np.arange(3000), rows)
    assert is_inside[metres < 0.99 * radius_m - 0.05].all()
    assert not is_inside[metres > 1.01 * radius_m + 0.05].any()
    assert 0 < is_inside.sum() < 3000
    assert (np.diff(rows) > 0).all()


def test_unknown_positions_are_never_inside():
    positions = positions_at([0.0, 0.0], [0.0, 0.0])
    positions.utm_zone[0] = 0
    np.testing.assert_array_equal(GeoCircle(0.0, 1.0, 1e6).rows(positions), [1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((90.0, 0.0, 1.0), "outside -80 to 84"),
        ((np.nan, 0.0, 1.0), "outside -80 to 84"),
        ((-122.5, 37.7, 1.0), "swapped"),
        ((0.0, np.inf, 1.0), "beyond 180"),
        ((0.0, 0.0, 500.0), "are 0, 0, which"),
        ((0.0, 1.0, -1.0), "`radius_m` must be 0 or more"),
        ((0.0, 1.0, np.nan), "`radius_m` must be 0 or more"),
    ],
)
def test_circle_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        GeoCircle(*arguments)


@pytest.mark.parametrize("kind", ["exact", pytest.param("scann", marks=needs_scann)])
def test_search_inside_a_circle_is_exact(tmp_path, kind):
    descriptors, photos = make_descriptors(60), make_photos(60)
    settings = {"structure": "quantized"} if kind == "scann" else None
    create(
        tmp_path / "index", descriptors, photos, ENCODER, kind=kind, settings=settings
    )
    remove(tmp_path / "index", ["30.jpg"])
    # A metre apart from south to north: photos 27 to 33, without 30.
    centre = GeoCircle(37.7 + 30e-5, -122.5, 3.5)
    queries = make_descriptors(4, first=30)
    with PlaceIndex.open(tmp_path / "index") as index:
        matches = index.search(queries, 9, within=centre)
        assert (index.search(queries, 2, within=GeoCircle(10, 10, 5)).rows == -1).all()
    inside = np.array([27, 28, 29, 31, 32, 33])
    distances = ((queries[:, None] - descriptors[inside]) ** 2).sum(axis=2)
    expected = inside[np.argsort(distances, axis=1)]
    np.testing.assert_array_equal(matches.rows[:, :6], expected)
    assert (matches.rows[:, 6:] == -1).all()
    assert isinstance(matches.photos, PhotoTable)
