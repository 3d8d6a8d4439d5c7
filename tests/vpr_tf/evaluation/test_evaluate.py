import dataclasses

import keras
import numpy as np
import pytest

from tests.vpr_tf.counting_server import CountingServer
from tests.vpr_tf.evaluation.tiny_dataset import MeanColourEncoder, Shot, write_dataset
from vpr_tf import evaluation
from vpr_tf.config import ConfigError, EncoderConfig, EvaluationConfig
from vpr_tf.evaluation import EvaluationError
from vpr_tf.extraction import FeatureExtractor, encoder_fingerprint
from vpr_tf.models import build_encoder, in_precision

CONFIG = EvaluationConfig(batch_size=4, recall_values=[1, 2, 5])
RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 220, 30), (30, 30, 220), (220, 220, 30)
DATABASE = [Shot(RED, 0), Shot(GREEN, 100), Shot(BLUE, 200), Shot(YELLOW, 300)]
QUERIES = [
    Shot(RED, 10),  # found at once
    Shot(GREEN, 209),  # looks green, is at blue
    Shot(YELLOW, 1000),  # nothing near
]


def evaluate(tmp_path, database=DATABASE, queries=QUERIES, config=CONFIG, **arguments):
    splits = {"test-a-database": database, "test-a-queries": queries}
    dataset = write_dataset(tmp_path / "dataset", splits)
    encoder = arguments.pop("encoder", None) or MeanColourEncoder()
    return evaluation.evaluate(
        FeatureExtractor(encoder, batch_size=4),
        dataset,
        dataset.tests["a"],
        config,
        progress=False,
        **arguments,
    )


def test_result_of_a_small_town(tmp_path):
    result = evaluate(tmp_path)
    assert result.name == "a"
    assert (result.num_queries, result.num_database) == (3, 4)
    assert result.num_queries_without_positives == 1
    assert result.num_queries_without_position == 0
    assert result.predictions.shape == result.distances_m.shape == (3, 5)
    assert result.predictions[:, 0].tolist() == [0, 1, 3]
    assert (result.predictions[:, 4] == -1).all()  # four images, five asked for
    np.testing.assert_allclose(result.distances_m[:, 0], [10, 109, 700])
    assert np.isnan(result.distances_m[:, 4]).all()
    assert result.recalls[1] == pytest.approx(100 / 3)
    assert result.recalls[5] == pytest.approx(200 / 3)
    assert result.num_positives.tolist() == [1, 1, 0]
    assert result.hits[0].tolist() == [True, False, False, False, False]
    assert result.predicted_keys[1, 0] == b"test-a-database_1.jpg"
    assert result.dataset_fingerprint == "0123456789abcdef"
    assert result.is_exact


def test_a_protocol_of_a_set_that_is_not_there_is_refused_before_all(tmp_path):
    config = dataclasses.replace(CONFIG, protocol={"a": "standard", "b": "sped"})
    nothing = tmp_path / "descriptors"
    with pytest.raises(ConfigError, match=r"has 'b', and .* It has: a\."):
        evaluate(tmp_path, config=config, work_dir=nothing)
    assert not nothing.exists()


def test_more_predictions_than_the_largest_n_change_no_recall(tmp_path):
    config = dataclasses.replace(CONFIG, recall_values=[1, 2])
    few = evaluate(tmp_path / "few", config=config, num_predictions=1)
    many = evaluate(tmp_path / "many", config=config, num_predictions=4)
    assert (few.predictions.shape, many.predictions.shape) == ((3, 2), (3, 4))
    assert few.recalls == many.recalls


def test_threshold_is_that_of_the_config(tmp_path):
    config = dataclasses.replace(CONFIG, positive_dist_threshold_m=110.0)
    assert evaluate(tmp_path, config=config).recalls[1] == pytest.approx(200 / 3)


def test_queries_without_position_are_predicted_but_not_counted(tmp_path):
    queries = [*QUERIES, Shot(BLUE, 0, zone=0)]
    result = evaluate(tmp_path, queries=queries)
    assert result.predictions[3, 0] == 2
    assert np.isnan(result.distances_m[3]).all()
    assert result.num_queries_without_position == 1
    assert result.num_queries_without_positives == 1
    assert result.num_positives[3] == -1
    assert result.recalls[1] == pytest.approx(100 / 3)


def test_recall_is_nan_when_no_query_has_a_position(tmp_path):
    result = evaluate(tmp_path, queries=[Shot(RED, 0, zone=0)])
    assert all(np.isnan(list(result.recalls.values())))


@pytest.mark.parametrize("empty", ["database", "queries"])
def test_empty_split_is_named(tmp_path, empty):
    with pytest.raises(EvaluationError, match=f"'test-a-{empty}' of .* has no images"):
        evaluate(tmp_path, **{empty: []})


def test_work_dir_keeps_descriptors_for_other_recall_values(tmp_path):
    encoder = MeanColourEncoder()
    work_dir = tmp_path / "work"
    first = evaluate(tmp_path / "1", encoder=encoder, work_dir=work_dir)
    config = dataclasses.replace(CONFIG, recall_values=[1], positive_dist_threshold_m=1)
    second = evaluate(tmp_path / "2", config=config, encoder=encoder, work_dir=work_dir)
    assert encoder.num_images.numpy() == len(DATABASE) + len(QUERIES)
    np.testing.assert_array_equal(first.predictions[:, :1], second.predictions)
    assert second.recalls[1] == 0


def test_approximate_index_is_kept_beside_the_descriptors(tmp_path, monkeypatch):
    monkeypatch.setattr("vpr_tf.search.index_choice.SCANN_BRUTE_FORCE_BELOW", 16)
    rng = np.random.default_rng(0)
    database = [Shot(tuple(rng.integers(30, 220, 3)), 10 * i) for i in range(20)]
    config = dataclasses.replace(CONFIG, index="scann")
    work_dir = tmp_path / "work"
    first = evaluate(tmp_path / "1", database, config=config, work_dir=work_dir)
    assert not first.is_exact
    kept = work_dir / "test-a-database" / "index" / "index.json"
    before = kept.stat().st_mtime_ns
    second = evaluate(tmp_path / "2", database, config=config, work_dir=work_dir)
    assert kept.stat().st_mtime_ns == before
    np.testing.assert_array_equal(first.predictions, second.predictions)


def test_milvus_gives_the_exact_predictions(tmp_path):
    config = dataclasses.replace(CONFIG, index="milvus")
    exact = evaluate(tmp_path / "exact")
    embedded = evaluate(tmp_path / "milvus", config=config)
    np.testing.assert_array_equal(embedded.predictions, exact.predictions)
    with pytest.raises(ValueError, match=r"`evaluation\.milvus_uri` must be the addr"):
        dataclasses.replace(config, milvus_uri="no address")


def test_milvus_of_a_stored_config_gets_no_connection(tmp_path, monkeypatch):
    monkeypatch.delenv("MILVUS_URI", raising=False)
    server = CountingServer()
    config = dataclasses.replace(CONFIG, index="milvus", milvus_uri=server.uri)
    with pytest.raises(ValueError, match=f"pass --milvus-uri {server.uri}"):
        evaluate(tmp_path / "cluster", config=config)
    server.close()
    assert server.connections == 0


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    fields = {"descriptor_dim": 8, "last_stage": 0, "weights": "none"}
    return build_encoder(EncoderConfig("EfficientNetLite0", **fields))


def test_fingerprint_follows_weights_but_not_precision(network):
    before = encoder_fingerprint(network)
    copy = in_precision(network, "mixed_bfloat16")
    assert copy is not network
    assert encoder_fingerprint(copy) == before
    weights = copy.get_weights()
    weights[-1] = weights[-1] + 1
    copy.set_weights(weights)
    assert encoder_fingerprint(copy) != before


def test_network_trained_in_mixed_precision_is_evaluated_in_float32(network, tmp_path):
    mixed = in_precision(network, "mixed_bfloat16")
    results = [
        evaluate(tmp_path / name, encoder=encoder, work_dir=tmp_path / name / "work")
        for name, encoder in (("float32", network), ("mixed", mixed))
    ]
    assert results[0].recalls == results[1].recalls
    first, second = (
        np.load(tmp_path / name / "work" / "test-a-database" / "descriptors.npy")
        for name in ("float32", "mixed")
    )
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, rtol=1e-5)
