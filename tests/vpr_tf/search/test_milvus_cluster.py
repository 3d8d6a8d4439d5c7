"""The calls that a cluster receives; a dict takes its place."""

import json

import numpy as np
import pymilvus
import pytest

from tests.vpr_tf.search.fake_milvus import FakeCluster
from vpr_tf.search import (
    ExactIndex,
    IndexMismatchError,
    MilvusIndex,
    RetrievalError,
    milvus_client,
    milvus_index,
)

SETTINGS = {"uri": "http://cluster:19530", "index_type": "HNSW", "batch": 30}


@pytest.fixture
def cluster(monkeypatch):
    cluster = FakeCluster()
    monkeypatch.setattr(milvus_client, "connect", cluster.client)
    monkeypatch.setenv("MILVUS_URI", SETTINGS["uri"])
    return cluster


@pytest.fixture
def database():
    return np.random.default_rng(0).normal(size=(100, 8)).astype(np.float32)


def test_build_creates_one_collection_in_batches(cluster, database):
    index = MilvusIndex.build(database, SETTINGS)
    assert [call for call, _ in cluster.calls] == [
        "connect",
        "create",
        *["insert"] * 4,
        "flush",
        "create_index",
        "load",
    ]
    assert [call["count"] for call in cluster.named("insert")] == [30, 30, 30, 10]
    [created] = cluster.named("create_index")
    assert (created["index_type"], created["metric_type"]) == ("HNSW", "L2")
    assert (created["M"], created["efConstruction"]) == (16, 200)
    assert cluster.named("create")[0]["name"].startswith("vpr_tf_")
    assert index.settings["uri"] == SETTINGS["uri"]
    assert not index.is_exact


def test_search_asks_for_rows_alone_within_the_limits(cluster, database, monkeypatch):
    index = MilvusIndex.build(database, SETTINGS)
    monkeypatch.setattr(milvus_index, "_MAX_REQUEST_HITS", 40)
    monkeypatch.setattr(milvus_index, "_MAX_PER_REQUEST", 50)
    queries = np.random.default_rng(1).normal(size=(7, 8)).astype(np.float32)
    for k in (10, 60):
        distances, ids = index.search(queries, k)
        expected = ExactIndex.build(database).search(queries, k)
        np.testing.assert_array_equal(distances, expected[0])
        np.testing.assert_array_equal(ids, expected[1])
    searches = cluster.named("search")
    assert [call["queries"] for call in searches] == [4, 3]
    for call in searches:
        assert call["output_fields"] == ["row"]
        assert call["timeout"] == 30
        assert call["params"] == {"metric_type": "L2", "params": {"ef": 128}}
    monkeypatch.undo()
    monkeypatch.setattr(milvus_index, "_MAX_PER_REQUEST", 1000)
    index.with_search_settings(ef=16).search(queries, 30)
    assert cluster.named("search")[-1]["params"]["params"] == {"ef": 30}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda hits: [{**hits[0], "row": 100}, *hits[1:]], "gave the rows .*100"),
        (lambda hits: [{**hits[0], "row": -3}, *hits[1:]], "gave the rows .*-3"),
        (lambda hits: hits[:-1], "gave 17 rows where 18 were due"),
    ],
)
def test_rows_that_cannot_be_are_errors(cluster, database, spoil, message):
    index = MilvusIndex.build(database, {**SETTINGS, "index_type": "FLAT"})
    cluster.spoil = spoil
    with pytest.raises(IndexMismatchError, match=message):
        index.search(database[:1], 10)


def test_neighbours_that_milvus_does_not_find_are_missing(cluster, database):
    index = MilvusIndex.build(database, SETTINGS)
    cluster.spoil = lambda hits: hits[:3][::-1]
    distances, ids = index.search(database[:2], 5)
    assert ids[:, 0].tolist() == [0, 1]
    assert (ids[:, 3:] == -1).all()
    assert np.isinf(distances[:, 3:]).all()
    assert (np.diff(distances[:, :3]) >= 0).all()


def test_saved_index_names_its_collection(cluster, database, tmp_path, monkeypatch):
    index = MilvusIndex.build(database, SETTINGS)
    monkeypatch.setenv("MILVUS_TOKEN", "root:secret")
    index.write(tmp_path)
    [file] = tmp_path.iterdir()
    assert "secret" not in file.read_text()
    written = json.loads(file.read_text())
    assert written["uri"] == SETTINGS["uri"]
    assert written["num_rows"] == 100
    assert written["collection"] in cluster.collections
    again = MilvusIndex.read(tmp_path, database, index.settings)
    assert again.search(database[7:8], 1)[1].tolist() == [[7]]
    other = {**index.settings, "uri": "http://other:19530"}
    with pytest.raises(IndexMismatchError, match="uri must be 'http://other:19530'"):
        MilvusIndex.read(tmp_path, database, other)


def test_cluster_that_moved_takes_the_place_of_the_stored_one(
    cluster, database, tmp_path, monkeypatch
):
    index = MilvusIndex.build(database, SETTINGS)
    index.write(tmp_path)
    monkeypatch.setenv("MILVUS_URI", "http://other:19530")
    moved = MilvusIndex.read(tmp_path, database, index.settings)
    assert moved.settings == {**index.settings, "uri": "http://other:19530"}
    assert [call["uri"] for call in cluster.named("connect")] == [
        SETTINGS["uri"],
        "http://other:19530",
    ]


def test_collection_of_another_database_is_refused(cluster, database, tmp_path):
    index = MilvusIndex.build(database, SETTINGS)
    index.write(tmp_path)
    [name] = cluster.collections
    stored = cluster.collections[name]

    def read():
        return MilvusIndex.read(tmp_path, database, index.settings)

    removed = stored["rows"].pop(50)
    with pytest.raises(IndexMismatchError, match="has 99 rows, not 100"):
        read()
    stored["rows"][50] = removed
    stored["rows"][99] = stored["rows"][99] + 1
    with pytest.raises(IndexMismatchError, match="holds another row 99"):
        read()
    stored["description"] = "another database"
    with pytest.raises(IndexMismatchError, match="descriptors 'another database'"):
        read()
    del cluster.collections[name]
    with pytest.raises(IndexMismatchError, match=f"has no collection {name}"):
        read()


def test_same_build_again_uses_the_collection(cluster, database):
    MilvusIndex.build(database, SETTINGS)
    MilvusIndex.build(database, SETTINGS)
    assert len(cluster.named("insert")) == 4
    # An interrupted build is made anew, other descriptors go beside.
    [name] = cluster.collections
    del cluster.collections[name]["rows"][3]
    MilvusIndex.build(database, SETTINGS)
    assert len(cluster.named("drop")) == 1
    assert len(cluster.collections[name]["rows"]) == 100
    MilvusIndex.build(database[:50], SETTINGS)
    assert len(cluster.collections) == 2


def test_errors_of_milvus_are_errors_of_the_index(cluster, database):
    index = MilvusIndex.build(database, SETTINGS)

    def fail(hits):
        raise pymilvus.MilvusException(message="collection not loaded")

    cluster.spoil = fail
    with pytest.raises(RetrievalError, match="Milvus: collection not loaded"):
        index.search(database[:1], 1)


def test_token_comes_from_the_environment(monkeypatch):
    clients = []
    monkeypatch.setattr(
        pymilvus, "MilvusClient", lambda uri, **options: clients.append((uri, options))
    )
    monkeypatch.setenv("MILVUS_TOKEN", "root:secret")
    milvus_client.connect("https://cluster:19530")
    milvus_client.connect("folder/milvus.db")
    [(uri, cluster), (_, embedded)] = clients
    assert uri == "https://cluster:19530"
    assert cluster["token"] == "root:secret"
    assert "token" not in embedded
