import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vpr_tf.report.tiny_photos import photos_at
from vpr_tf.evaluation import positives_per_query, recall_at
from vpr_tf.geo import Positions
from vpr_tf.report.bootstrap import BootstrapSettings
from vpr_tf.report.recalls import hit_ranks, recall_table

SETTINGS = BootstrapSettings(num_resamples=50)


def table_of(predictions, queries, database, thresholds_m, recall_values):
    hits = hit_ranks(predictions, queries.positions, database.positions, thresholds_m)
    return recall_table(hits, recall_values, SETTINGS)


def test_handmade_ranks_and_recalls():
    database = photos_at([0, 4, 30, 500])
    # The third is far from all; the position of the fourth is unknown.
    queries = photos_at([1, 26, 2000, 0], zone=[10, 10, 10, 0])
    predictions = np.array([[3, 1, 0], [2, 1, 3], [0, 1, 2], [0, 1, 2]])
    hits = hit_ranks(predictions, queries.positions, database.positions, [25, 1, 5])
    assert hits.thresholds_m == [1, 5, 25]
    assert hits.ranks.tolist() == [[3, 0, 0, -1], [2, 1, 0, -1], [2, 1, 0, -1]]
    assert hits.num_positives.tolist() == [[1, 0, 0, -1], [2, 1, 0, -1], [2, 2, 0, -1]]
    table = recall_table(hits, [1, 2, 3], SETTINGS)
    third = 100 / 3
    values = [[recall.value for recall in row] for row in table.recalls]
    expected = [[0, 0, third], [third, 2 * third, 2 * third]]
    np.testing.assert_allclose(values, [*expected, expected[1]])
    assert table.num_evaluated == 3
    assert table.num_with_positives == [1, 2, 2]
    assert table.at(1)[1].value == 0
    assert table.at(1)[1].high > 50  # of three queries
    assert table.at(25)[2].value == table.recalls[2][1].value


def test_official_protocol_on_real_positions(official_values):
    golden = official_values
    queries, database = (
        positions_in_zone_10(*golden[f"{side}_position_cm"].T.astype(np.int64))
        for side in ("query", "database")
    )
    hits = hit_ranks(golden["predictions"], queries, database, [1, 5, 25, 100])
    np.testing.assert_array_equal(hits.num_positives[2], golden["positives_count"])
    table = recall_table(hits, [1, 5, 10, 20], SETTINGS)
    recalls = [recall.value for recall in table.at(25).values()]
    np.testing.assert_allclose(recalls, golden["recalls_1_5_10_20"], rtol=1e-9)


def positions_in_zone_10(east_cm, north_cm):
    count = len(east_cm)
    zones = np.full(count, 10, np.int16)
    return Positions(east_cm, north_cm, zones, *np.zeros((2, count)))


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_recall_grows_with_n_and_threshold_and_equals_the_protocol(data):
    metres = st.integers(0, 120)
    database = photos_at(data.draw(st.lists(metres, min_size=5, max_size=5)))
    places = data.draw(st.lists(metres, min_size=1, max_size=6))
    queries = photos_at(places)
    rows = st.lists(st.integers(-1, 4), min_size=4, max_size=4)
    predictions = np.array([data.draw(rows) for _ in places])
    table = table_of(predictions, queries, database, [1, 10, 25, 50], [1, 2, 4])
    values = np.array([[recall.value for recall in row] for row in table.recalls])
    assert (np.diff(values, axis=0) >= 0).all()
    assert (np.diff(values, axis=1) >= 0).all()
    positives = positives_per_query(queries.positions, database.positions, 25)
    recalls = recall_at(predictions, positives, [1, 2, 4])
    assert values[2].tolist() == list(recalls.values())  # equal, not close
    for row in table.recalls:
        assert all(recall.low <= recall.value <= recall.high for recall in row)


def test_without_known_positions_nothing_is_counted():
    table = table_of(
        np.zeros((2, 1), int), photos_at([0, 1], zone=0), photos_at([0]), [25], [1]
    )
    assert table.num_evaluated == 0
    assert np.isnan(table.recalls[0][0].value)
