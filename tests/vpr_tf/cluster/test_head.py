import socket
from types import SimpleNamespace

import pytest

pytest.importorskip("ray", reason="the extra ray is not installed")

from vpr_tf.cluster import ClusterError, HeadWatch, head


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(s=100.0)
    monkeypatch.setattr(head.time, "monotonic", lambda: now.s)
    return now


@pytest.fixture
def listening(monkeypatch):
    server = socket.create_server(("127.0.0.1", 0))
    context = SimpleNamespace(gcs_address=f"127.0.0.1:{server.getsockname()[1]}")
    monkeypatch.setattr(head.ray, "get_runtime_context", lambda: context)
    yield server
    server.close()


def test_head_that_is_there_is_looked_for_now_and_then(clock, listening):
    watch = HeadWatch()
    for clock.s in (101, 120, 121, 600):
        assert watch.require()


def test_head_that_comes_back_in_time_is_no_error(clock, listening, monkeypatch):
    watch = HeadWatch()
    with monkeypatch.context() as gone:
        gone.setattr(head.socket, "create_connection", refuse)
        for clock.s in (106, 112):
            assert not watch.require()
    clock.s = 118
    assert watch.require()


def test_head_that_is_gone_for_long_is_an_error(clock, listening):
    watch = HeadWatch()
    listening.close()
    for clock.s in (106, 112):
        assert not watch.require()
    clock.s = 120
    with pytest.raises(ClusterError, match=r"head .*127\.0\.0\.1:\d+ is gone"):
        watch.require()


def refuse(*_arguments):
    raise ConnectionRefusedError
