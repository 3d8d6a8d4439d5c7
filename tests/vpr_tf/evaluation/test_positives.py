import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpr_tf.evaluation import positives_per_query, recall_at
from vpr_tf.evaluation.recall import hits_matrix
from vpr_tf.geo import Positions, distances_m


def positions(east_m, north_m, zones=None):
    """Positions in metres, with rough degrees of zone 10 for what needs them."""
    east_m, north_m = np.array(east_m, float), np.array(north_m, float)
    zones = np.full(len(east_m), 10) if zones is None else np.array(zones)
    return Positions(
        np.rint(east_m * 100).astype(np.int64),
        np.rint(north_m * 100).astype(np.int64),
        zones.astype(np.int16),
        north_m / 111_000,
        -123 + (east_m - 500_000) / 88_000,
    )


def test_protocol_equals_the_official_one(official_values):
    queries, database = (
        positions(*official_values[f"{side}_position_cm"].T / 100)
        for side in ("query", "database")
    )
    positives = positives_per_query(queries, database, 25)
    counts = [len(rows) for rows in positives]
    np.testing.assert_array_equal(counts, official_values["positives_count"])
    recalls = recall_at(official_values["predictions"], positives, [1, 5, 10, 20])
    expected = official_values["recalls_1_5_10_20"]
    np.testing.assert_allclose(list(recalls.values()), expected)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_positives_equal_those_of_all_pairs(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    threshold_m = data.draw(st.sampled_from([0.01, 1.0, 25.0, 24.999, 1e4]))
    spread_m = data.draw(st.sampled_from([3, 40, 2000]))
    places = rng.integers(-spread_m, spread_m, (40, 2)) + np.array([548_000, 4_173_000])
    database, queries = positions(*places[:30].T), positions(*places[30:].T)
    offsets = places[30:, None] - places[None, :30]
    expected = (offsets**2).sum(axis=2) <= threshold_m**2
    found = positives_per_query(queries, database, threshold_m)
    for rows, near in zip(found, expected, strict=True):
        np.testing.assert_array_equal(rows, np.flatnonzero(near))


def test_threshold_is_inclusive():
    query = positions([548_000.03], [4_173_000.07])
    database = positions([548_025.03, 548_025.04], [4_173_000.07, 4_173_000.07])
    assert positives_per_query(query, database, 25)[0].tolist() == [0]


def test_equal_numbers_in_other_zones_are_no_positives():
    query = positions([548_000], [4_173_000])
    database = positions([548_000] * 3, [4_173_000] * 3, [11, 10, -10])
    database.longitude_deg[0] += 6
    database.latitude_deg[2] -= 90
    assert positives_per_query(query, database, 25)[0].tolist() == [1]


def test_zone_border_hides_no_positive():
    from tests.vpr_tf.geo.test_positions import positions_of

    rng = np.random.default_rng(0)
    longitude = -120 + rng.uniform(-4e-4, 4e-4, 60)
    latitude = 37 + rng.uniform(-4e-4, 4e-4, 60)
    zones = np.where(longitude < -120, 10, 11).tolist()
    images = positions_of(latitude, longitude, zones)
    everyone = np.tile(np.arange(60), (60, 1))
    distances = distances_m(images, images, everyone)
    found = positives_per_query(images, images, 25)
    np.testing.assert_array_equal(hits_matrix(everyone, found), distances <= 25)
    one_zone = positions_of(latitude, longitude, [10] * 60)
    np.testing.assert_allclose(
        distances, distances_m(one_zone, one_zone, everyone), rtol=2e-3, atol=0.02
    )
    across = distances[zones.index(10), np.array(zones) == 11]
    assert across.min() < 40


def test_query_of_unknown_position_has_no_positives():
    queries = positions([548_000] * 2, [4_173_000] * 2, [0, 10])
    database = positions([548_000] * 2, [4_173_000] * 2, [0, 10])
    found = positives_per_query(queries, database, 25)
    assert [rows.tolist() for rows in found] == [[], [1]]


@pytest.mark.parametrize("count", [0, 1])
def test_few_images_are_no_special_case(count):
    database = positions([548_000] * count, [4_173_000] * count)
    found = positives_per_query(positions([548_000], [4_173_001]), database, 25)
    assert [len(rows) for rows in found] == [count]
