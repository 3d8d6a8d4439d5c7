import socket
import sys

import pytest

from tests.command_line import vpr
from vpr_tf.cluster import (
    ClusterError,
    chosen_cluster,
    connection,
    open_workers,
    using_cluster,
)
from vpr_tf.worker_pool import WorkerPool


@pytest.fixture
def with_ray():
    pytest.importorskip("ray", reason="the extra ray is not installed")


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "ray://10.0.0.1:10001", ":6379", "host:port", ""]
)
def test_other_words_are_no_address(address):
    with (
        pytest.raises(ValueError, match=r"auto or HOST:PORT.*Received: '"),
        using_cluster(address),
    ):
        pass


def test_command_line_refuses_an_address_before_anything_else(capsys):
    assert vpr("data", "build", "--config", "none.yaml", "--ray", "10.0.0.1") == 2
    assert "must be given as auto or HOST:PORT" in capsys.readouterr().err


def test_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(ImportError, match=r"pip install 'vpr_tf\[ray\]'"),
        using_cluster("auto"),
    ):
        pass


@pytest.mark.usefixtures("with_ray")
def test_no_cluster_on_this_machine_says_how_to_start_one(monkeypatch):
    monkeypatch.setattr(connection, "_TRY", _tried(2, "ConnectionError: Could not"))
    with (
        pytest.raises(ClusterError, match=r"^No Ray cluster: Could not.*ray start"),
        using_cluster("auto"),
    ):
        pass


def _tried(status, message):
    return f"import sys; print({message!r}, file=sys.stderr); sys.exit({status})"


@pytest.mark.usefixtures("with_ray")
def test_head_that_does_not_answer_is_an_error_in_time(monkeypatch):
    monkeypatch.setattr(connection, "_ANSWER_WITHIN_S", 4.0)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        with (
            pytest.raises(ClusterError, match=rf"at {address}: no answer in 4 s\. "),
            using_cluster(address),
        ):
            pass


def test_without_a_cluster_workers_are_of_this_machine():
    with using_cluster(None):
        assert chosen_cluster() is None
        assert isinstance(open_workers(1, "--workers"), WorkerPool)
