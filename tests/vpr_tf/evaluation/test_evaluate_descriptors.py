import doctest
import importlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.vpr_tf.evaluation.tiny_dataset import MeanColourEncoder, Shot, write_dataset
from vpr_tf.config import ConfigError
from vpr_tf.data.prepared_dataset import DatasetError
from vpr_tf.evaluation import EvaluationError, evaluate
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.geo import Positions

RED, GREEN, BLUE = (220, 30, 30), (30, 220, 30), (30, 30, 220)
PLACES = np.array([(37.7, -122.5), (37.7, -122.4), (37.8, -122.4)])


def test_recall_of_arrays_equals_the_definition():
    rng = np.random.default_rng(0)
    database, queries = rng.normal(size=(3, 8)), rng.normal(size=(40, 8))
    truth = PLACES[rng.integers(0, 3, 40)]
    result = evaluate(database, PLACES, queries, truth, recall_values=[1, 2, 3])
    distances = np.linalg.norm(queries[:, None] - database, axis=2)
    order = np.argsort(distances, axis=1)
    hits = (PLACES[order] == truth[:, None]).all(axis=2)
    for n, value in result.recalls.items():
        assert value == pytest.approx(100 * hits[:, :n].any(axis=1).mean())
    np.testing.assert_array_equal(result.predictions, order)
    positions = Positions.from_lat_lon(*PLACES.T)
    again = evaluate(database.astype("f4"), positions, queries, truth)
    assert again.recalls[1] == result.recalls[1]
    assert list(again.recalls) == [1, 5, 10, 20]


def test_protocol_says_which_queries_count():
    # The last query has no database image near it.
    truth = np.array([PLACES[0], PLACES[1], (40.0, -100.0)])
    database, queries = np.eye(3), np.array([[1, 0, 0], [1, 0, 0], [0, 0, 1]])
    standard = evaluate(database, PLACES, queries, truth)
    dropped = evaluate(database, PLACES, queries, truth, protocol="msls_val_740")
    assert standard.recalls[1] == pytest.approx(100 / 3)
    assert dropped.recalls[1] == 50
    assert (standard.num_counted, dropped.num_counted) == (3, 2)
    assert dropped.summary()["protocol"] == "msls_val_740"
    assert any("740 queries that count, this set has 2" in w for w in dropped.warnings)


def test_protocol_that_there_is_not_or_with_another_threshold_is_refused():
    arguments = (np.eye(3), PLACES, np.eye(3), PLACES)
    with pytest.raises(ConfigError, match=r"`protocol` must be one .* sped\?"):
        evaluate(*arguments, protocol="spad")
    with pytest.raises(ConfigError, match="must be the name of a protocol"):
        evaluate(*arguments, protocol={"descriptors": "sped"})
    with pytest.raises(EvaluationError, match="must be 25, as the protocol sped has"):
        evaluate(*arguments, protocol="sped", threshold_m=10)
    assert evaluate(*arguments, threshold_m=10).recalls[1] == 100


def test_threshold_in_metres_and_one_query():
    near = [(37.7002, -122.5)]  # 22 m
    database = np.eye(3).tolist()
    for threshold_m, recall in ((25.0, 100), (20.0, 0)):
        result = evaluate(
            database,
            PLACES,
            [1, 0, 0],
            near,
            recall_values=[1],
            threshold_m=threshold_m,
        )
        assert result.recalls == {1: recall}


def test_unknown_positions_and_queries_without_positives():
    queries, truth = np.eye(3)[:3], PLACES.copy()
    truth[0], truth[2] = np.nan, (10.0, 10.0)
    result = evaluate(np.eye(3), PLACES, queries, truth, recall_values=[1, 4])
    assert result.recalls == {1: 50, 4: 50}
    assert result.num_queries_without_position == 1
    assert result.num_queries_without_positives == 1
    assert result.predictions.shape == (3, 4)
    assert (result.predictions[:, 3] == -1).all()


def test_positions_of_two_zones():
    database = Positions.from_lat_lon([50.0, 50.0], [5.9999, 6.5])
    query = Positions.from_lat_lon([50.0], [6.0001])
    result = evaluate(np.eye(2), database, np.eye(2)[0], query, recall_values=[1])
    assert result.recalls == {1: 100}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"database_positions": PLACES[:2]},
            "`database` must have .*3 .* 2 pos",
        ),
        ({"queries": np.eye(3)}, "`queries` must have .*3 descriptors, 1 positions"),
        ({"query_positions": [1, 2, 3]}, r"of shape \(n, 2\).*\(1, 3\)"),
        (
            {"query_positions": [(37.7, 400.0)]},
            "`query_positions`, row 0: longitude 400 is beyond 180",
        ),
        (
            {"database_positions": PLACES[:, ::-1]},
            "`database_positions`, row 0: latitude -122.5 .*swapped",
        ),
        ({"query_positions": [(37.7, np.nan)]}, r"row 0: longitude unknown \(NaN\)"),
        ({"query_positions": np.zeros((1, 2))}, "row 0: .* are 0, 0, which"),
        (
            {"query_positions": Positions.from_lat_lon([0.0], [0.0])},
            "row 0: .* are 0, 0, which",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_told(change, message):
    arrays = {"database": np.eye(3), "database_positions": PLACES}
    arrays |= {"queries": np.eye(3)[:1], "query_positions": PLACES[:1]}
    with pytest.raises(EvaluationError, match=message):
        evaluate(**arrays | change)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    splits = {
        "test-night-database": [Shot(RED, 0), Shot(GREEN, 100), Shot(BLUE, 200)],
        "test-night-queries": [Shot(RED, 10), Shot(GREEN, 109), Shot(GREEN, 209)],
    }
    return write_dataset(tmp_path_factory.mktemp("town") / "dataset", splits)


def mean_colour(images):
    colour = np.mean(images, axis=(1, 2))
    return colour / np.linalg.norm(colour, axis=1, keepdims=True)


def keras_model():
    images = keras.Input((None, None, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(images)
    return keras.Model(images, keras.layers.UnitNormalization()(pooled))


@pytest.mark.parametrize(
    "make",
    [
        lambda: mean_colour,
        lambda: lambda images: tf.reduce_mean(images, axis=(1, 2)),
        keras_model,
        MeanColourEncoder,
        lambda: FeatureExtractor(mean_colour),
    ],
)
def test_any_encoder_and_a_function_are_evaluated(dataset, make):
    by_name = evaluate(make(), dataset.path, "night", progress=False)
    assert by_name.recalls[1] == pytest.approx(200 / 3)
    the_only = evaluate(make(), dataset, "test", progress=False)
    assert the_only.name == "night"


def test_unknown_sets_are_told(dataset):
    with pytest.raises(DatasetError, match=r"no evaluation set 'day'\. It has: night"):
        evaluate(mean_colour, dataset, "day")


def test_example_of_the_docstring():
    module = importlib.import_module("vpr_tf.evaluation.evaluate")
    assert doctest.testmod(module).failed == 0
