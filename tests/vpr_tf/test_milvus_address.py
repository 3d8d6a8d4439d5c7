import os

import pytest

from tests.command_line import vpr
from tests.vpr_tf.evaluation.tiny_dataset import write_dataset
from vpr_tf.cli.options import config_of, config_of_model
from vpr_tf.milvus_address import (
    MilvusAddressError,
    addresses_given_within,
    check_address,
    give_address,
    given_address,
    without_token,
)

URI = "http://cluster:19530"


@pytest.fixture(autouse=True)
def no_address(monkeypatch):
    monkeypatch.delenv("MILVUS_URI", raising=False)


@pytest.mark.parametrize(
    "uri", [URI, "https://cluster/database", "tcp://10.0.0.1:1", "http://[::1]:19530"]
)
def test_addresses_of_clusters(uri):
    check_address(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "milvus.db",
        "file:///etc/passwd",
        "http://",
        "http://[::1",
        "http://cluster:0",
        "http://cluster:99999",
        "http://cluster:port",
        "http://cluster?token=secret",
        "http://cluster#secret",
        "http://cluster;reboot",
        "http://$(reboot)",
        "http://cluster\x1b[2J",
        "http://cluster\n",
        "unix:/run/milvus",
    ],
)
def test_what_is_no_address_of_a_cluster(uri):
    with pytest.raises(MilvusAddressError, match="must be the address") as error:
        check_address(uri)
    assert str(error.value).isprintable()


@pytest.mark.parametrize("uri", ["http://root:secret@cluster", "root:secret@cluster"])
def test_password_in_an_address_is_refused_and_not_repeated(uri):
    with pytest.raises(MilvusAddressError, match="not hold a user or pass") as error:
        check_address(uri)
    assert "secret" not in str(error.value)


def test_address_given_holds_within(monkeypatch):
    monkeypatch.setenv("MILVUS_URI", "http://before")
    with addresses_given_within():
        give_address(URI)
        assert given_address("http://stored") == URI
    assert os.environ["MILVUS_URI"] == "http://before"


def test_token_is_left_out_of_messages(monkeypatch):
    monkeypatch.setenv("MILVUS_TOKEN", "secret")
    assert without_token("the token secret is wrong") == "the token *** is wrong"


class Options:
    def __init__(self, config=None, model=None, overrides=(), milvus_uri=None):
        self.config, self.model = config, model
        self.overrides, self.milvus_uri = list(overrides), milvus_uri


@pytest.fixture
def written(tmp_path):
    """A config that the user wrote, and the same one in a run folder."""
    text = "name: a\ndataset: {path: d}\n"
    text += f"evaluation: {{index: milvus, milvus_uri: '{URI}'}}\n"
    (tmp_path / "own.yaml").write_text(text)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text(text)
    return tmp_path


def given_by(load, options):
    with addresses_given_within():
        load(options)
        return os.environ.get("MILVUS_URI")


def test_config_of_the_user_gives_its_address(written):
    assert given_by(config_of, Options(written / "own.yaml")) == URI
    override = f"evaluation.milvus_uri={URI}/moved"
    stored = Options(model=written / "run", overrides=[override])
    assert given_by(config_of_model, stored) == f"{URI}/moved"


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_command_refuses_at_once_what_would_not_connect(
    command, written, tmp_path, capsys
):
    dataset = write_dataset(tmp_path / "dataset", {})
    words = [command, "--config", written / "run" / "config.yaml"]
    assert vpr(*words, f"dataset.path={dataset.path}", "train.epochs=1") == 2
    assert f"pass --milvus-uri {URI}" in capsys.readouterr().err


def test_stored_config_does_not_give_its_address(written):
    assert given_by(config_of_model, Options(model=written / "run")) is None
    config = written / "run" / "config.yaml"
    assert given_by(config_of, Options(config)) is None
    assert given_by(config_of_model, Options(config, written / "run")) is None
