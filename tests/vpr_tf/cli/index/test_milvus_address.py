"""Nothing connects to a Milvus cluster that an index names, unless the user does."""

import shutil

import pytest

from tests.command_line import on_index, vpr
from tests.vpr_tf.cli.index.conftest import build, write_photos
from tests.vpr_tf.counting_server import CountingServer
from tests.vpr_tf.search.fake_milvus import FakeCluster
from vpr_tf.milvus_address import MilvusAddressError
from vpr_tf.place_index import PlaceIndex
from vpr_tf.place_index.manifest import read_manifest
from vpr_tf.search import milvus_client

TOKEN = "root:secret-of-the-user"


@pytest.fixture(scope="module")
def server():
    server = CountingServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def received(model, server, tmp_path_factory):
    """A stranger's `city.index` on the stranger's cluster, with its `photos`."""
    folder = tmp_path_factory.mktemp("received")
    cluster = FakeCluster()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(milvus_client, "connect", cluster.client)
        photos = write_photos(folder / "photos")
        options = ["--kind", "milvus", "--setting", f"uri={server.uri}"]
        assert build(model, photos, folder / "city.index", *options) == 0
        write_photos(folder / "more" / "photos")
    return folder, cluster


@pytest.fixture
def copied(received, tmp_path, monkeypatch):
    folder, cluster = received
    shutil.copytree(folder, tmp_path / "copy")
    monkeypatch.setenv("MILVUS_TOKEN", TOKEN)
    monkeypatch.delenv("MILVUS_URI", raising=False)
    return tmp_path / "copy", cluster


COMMANDS = {
    "query": ("query", ["photos/1.png"]),
    "add": ("add", ["--photos", "more"]),
    "remove": ("remove", ["--keys", "1.png"]),
    "compact": ("compact", []),
    "inspect": ("inspect", []),
}
WITHOUT_SEARCH = {
    "verify": ("verify", []),
    "tune": ("tune", ["--kinds", "exact", "--dry-run", "--sample", "5"]),
}


def run(folder, name, *options):
    paths = {"photos/1.png", "more"}
    if name == "localize":
        index = folder / "city.index"
        return vpr("localize", folder / "photos/1.png", "--index", index, *options)
    command, words = {**COMMANDS, **WITHOUT_SEARCH}[name]
    words = [folder / word if word in paths else word for word in words]
    return on_index(command, folder / "city.index", *words, *options)


@pytest.mark.parametrize("name", [*COMMANDS, "localize"])
def test_search_connects_to_what_the_user_gave_alone(
    name, copied, server, capsys, monkeypatch
):
    folder, cluster = copied
    assert run(folder, name) == 2
    error = capsys.readouterr().err
    assert f"pass --milvus-uri {server.uri}" in error
    assert TOKEN not in error
    assert server.connections == 0
    assert read_manifest(folder / "city.index").num_photos == 10

    monkeypatch.setattr("pymilvus.MilvusClient", cluster.client)
    cluster.calls.clear()
    given = "http://127.0.0.1:9"  # the cluster has moved
    assert run(folder, name, "--milvus-uri", given) in (0, 1)
    assert {(call["uri"], call["token"]) for call in cluster.named("connect")} == {
        (given, TOKEN)
    }
    # What was given holds for that command alone.
    cluster.calls.clear()
    assert run(folder, "query") == 2
    assert not cluster.named("connect")


@pytest.mark.parametrize("name", WITHOUT_SEARCH)
def test_what_needs_no_search_needs_no_address(name, copied, server):
    folder, _ = copied
    assert run(folder, name) == 0
    assert server.connections == 0


def test_python_connects_to_what_the_environment_names(copied, server, monkeypatch):
    folder, cluster = copied
    with pytest.raises(MilvusAddressError, match="was stored and not given by you"):
        PlaceIndex.open(folder / "city.index")
    assert server.connections == 0
    monkeypatch.setattr("pymilvus.MilvusClient", cluster.client)
    monkeypatch.setenv("MILVUS_URI", server.uri)
    cluster.calls.clear()
    with PlaceIndex.open(folder / "city.index") as index:
        assert index.search([1.0] + [0.0] * 7, 1).keys
    assert cluster.named("connect") == [{"uri": server.uri, "token": TOKEN}]


def test_server_counts_whom_the_user_sends(server, monkeypatch):
    monkeypatch.setenv("MILVUS_URI", server.uri)
    monkeypatch.setenv("MILVUS_TOKEN", TOKEN)
    monkeypatch.setattr(milvus_client, "_CONNECT_TIMEOUT_S", 0.5)
    before = server.connections
    with pytest.raises(milvus_client.RetrievalError, match="cannot be opened") as error:
        milvus_client.MilvusCluster(server.uri)
    assert TOKEN not in str(error.value)
    assert server.connections > before
