"""Indexes on a real Milvus server, which the package `milvus` carries."""

import multiprocessing
import os
import time

import numpy as np
import pymilvus
import pytest

from benchmarks.index_samples import CHANGES, answer, same
from benchmarks.milvus_kills import MilvusKillCampaign
from benchmarks.milvus_server import MAX_COLLECTIONS, MilvusProcess
from tests.command_line import on_index
from tests.vpr_tf.cli.index.conftest import NUM_PHOTOS, build, write_photos
from vpr_tf.models import GeoLocalizationNet
from vpr_tf.place_index.manifest import read_manifest
from vpr_tf.search import (
    ExactIndex,
    MilvusIndex,
    RetrievalError,
    milvus_client,
    milvus_index,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server whose address the user has given."""
    try:
        server = MilvusProcess(tmp_path_factory.mktemp("milvus"))
    except (ImportError, OSError) as error:
        pytest.skip(f"no Milvus server here: {error}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILVUS_URI", server.uri)
        yield server
    server.stop()


@pytest.fixture(scope="module")
def campaign(server, tmp_path_factory):
    return MilvusKillCampaign(tmp_path_factory.mktemp("kills"), server)


@pytest.fixture(scope="module")
def database():
    rows = np.random.default_rng(0).normal(size=(2000, 16)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("index_type", "search_params", "least_recall"),
    [
        ("FLAT", {}, 1.0),
        ("HNSW", {}, 0.99),
        ("IVF_FLAT", {"nprobe": 50}, 1.0),
        ("IVF_PQ", {"nprobe": 50}, 0.6),
    ],
)
def test_index_types_find_what_exact_search_finds(
    server, database, tmp_path, index_type, search_params, least_recall
):
    settings = {"uri": server.uri, "index_type": index_type}
    index = MilvusIndex.build(database, {**settings, "search_params": search_params})
    index.write(tmp_path)
    queries = database[:100] + 0.02
    distances, rows = index.search(queries, 5)
    exact_distances, exact_rows = ExactIndex.build(database).search(queries, 5)
    found = [np.isin(a, b).mean() for a, b in zip(exact_rows, rows, strict=True)]
    assert np.mean(found) >= least_recall
    assert index.is_exact == (index_type == "FLAT")
    if index.is_exact:
        np.testing.assert_array_equal(distances, exact_distances)
    read = MilvusIndex.read(tmp_path, database, index.settings)
    np.testing.assert_array_equal(read.search(queries, 5)[1], rows)
    client = read._database.client
    client.drop_collection(read._name)
    index.close()
    read.close()


def test_type_that_the_server_lacks_is_refused_with_the_reason(
    server, database, monkeypatch
):
    monkeypatch.setattr(milvus_client, "_LEAST_BUILD_S", 3)
    settings = {"uri": server.uri, "index_type": "DISKANN"}
    with pytest.raises(RetrievalError, match=r"DISKANN of 0 rows after 3 s.*lacks"):
        MilvusIndex.build(database, settings)


def test_server_that_hangs_is_an_error_in_time(server, database, monkeypatch, tmp_path):
    index = MilvusIndex.build(database[:50], {"uri": server.uri})
    index.write(tmp_path)
    monkeypatch.setattr(milvus_index, "_LEAST_SEARCH_S", 1)
    monkeypatch.setitem(milvus_client._CALL_TIMEOUTS_S, "has_collection", 1)
    server.pause()
    try:
        started = time.monotonic()
        with pytest.raises(RetrievalError, match="Milvus: no answer from the server"):
            index.search(database[:2], 3)
        with pytest.raises(RetrievalError, match=r"no answer|cannot be opened"):
            MilvusIndex.read(tmp_path, database[:50], index.settings)
        assert time.monotonic() - started < 20
    finally:
        server.restart()
    monkeypatch.undo()
    assert index.search(database[:2], 3)[1][:, 0].tolist() == [0, 1]
    index.close()


def test_full_server_says_so(server, database):
    client = pymilvus.MilvusClient(server.uri)
    filled = []
    try:
        while len(client.list_collections()) < MAX_COLLECTIONS:
            filled.append(f"filled_{len(filled)}")
            client.create_collection(filled[-1], schema=_tiny_schema(client))
        with pytest.raises(RetrievalError, match=r"number of collections.*limit"):
            MilvusIndex.build(database[:50] + 1, {"uri": server.uri})
    finally:
        for name in filled:
            client.drop_collection(name)
        client.close()


def _tiny_schema(client):
    schema = client.create_schema(auto_id=False)
    schema.add_field("row", pymilvus.DataType.INT64, is_primary=True)
    schema.add_field("descriptor", pymilvus.DataType.FLOAT_VECTOR, dim=2)
    return schema


def test_commands_change_an_index_on_a_server(
    server, model, tmp_path, capsys, monkeypatch
):
    monkeypatch.delenv("MILVUS_URI")
    index, given = tmp_path / "city.index", ["--milvus-uri", server.uri]
    options = ["--kind", "milvus", "--setting", f"uri={server.uri}"]
    photos = write_photos(tmp_path / "photos")
    assert build(model, photos, index, *options) == 0
    write_photos(tmp_path / "more" / "sub")
    add = ["--photos", tmp_path / "more", *given]
    other = tmp_path / "other.keras"
    GeoLocalizationNet("EfficientNetLite0", 8, last_stage=0).save(other)
    assert on_index("add", index, *add, "--model", other) == 2
    assert "was built with another encoder" in capsys.readouterr().err
    assert on_index("add", index, *add) == 0
    assert on_index("remove", index, "--keys", "1.png", "sub/2.png", *given) == 0
    assert on_index("compact", index, *given) == 0
    assert on_index("verify", index) == 0
    assert on_index("query", index, photos / "4.png", *given) == 0
    assert "4.png" in capsys.readouterr().out
    manifest = read_manifest(index)
    assert (manifest.num_photos, manifest.num_removed) == (2 * NUM_PHOTOS - 2, 0)
    assert [part.kind for part in manifest.segments] == ["milvus"]


def test_wrong_address_is_one_error(server, campaign, tmp_path, capfd):
    index = tmp_path / "index"
    campaign._changes["create"](index)
    started = time.monotonic()
    wrong = ["--milvus-uri", "http://127.0.0.1:9"]
    assert on_index("remove", index, "--keys", "0/00001.jpg", *wrong) == 2
    assert time.monotonic() - started < 20
    error = capfd.readouterr().err.strip()
    assert "Milvus cannot be opened at http://127.0.0.1:9" in error
    assert "Traceback" not in error
    assert read_manifest(index).num_photos == 40
    os.environ["MILVUS_URI"] = server.uri


@pytest.mark.parametrize(
    ("change", "call"), [("create", 6), ("add", 2), ("remove", 6), ("compact", 6)]
)
def test_server_killed_during_a_change_leaves_the_old_or_the_new_state(
    campaign, change, call
):
    assert campaign.kill_at_call(change, call)
    assert campaign.longest_failure_s < 30


def test_readers_in_two_processes_find_the_same(server, campaign, tmp_path):
    index = tmp_path / "index"
    campaign._changes["create"](index)
    CHANGES["add"](index)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        answers = pool.map(answer, [index, index])
    for found in answers:
        assert same(found, answer(index))
