import hashlib
import json
import socket
import threading

import numpy as np
import pytest

from tests.vpr_tf.models.file_server import file_server
from vpr_tf.models.download import default_cache_dir, discard_download, download

BODY = np.random.default_rng(0).bytes(3_000_000)
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def server():
    with file_server() as server:
        server.files["/a.pth"] = BODY
        yield server


@pytest.fixture
def fetch(server, tmp_path):
    def run(**options):
        path = tmp_path / "cache" / "a.pth"
        options = {"progress": False, **options}
        return download(f"{server.url}/a.pth", path, **options), path

    return run


def folder_of(path):
    return sorted(p.name for p in path.parent.iterdir())


def test_file_arrives_whole_and_is_fetched_once(server, fetch):
    for _ in range(2):
        sha256, path = fetch(size_bytes=len(BODY), sha256=SHA256)
        assert sha256 == SHA256
        assert path.read_bytes() == BODY
    assert server.requests == [("/a.pth", None)]
    assert folder_of(path) == ["a.pth", "a.pth.json", "a.pth.lock"]


def test_progress_bar_counts_bytes(fetch, capsys):
    fetch(progress=True)
    assert "3.00M/3.00M" in capsys.readouterr().err


def test_broken_connection_is_resumed_in_the_same_call(server, fetch):
    server.break_after = [1_000_000, 500_000]
    sha256, path = fetch()
    assert sha256 == SHA256
    assert path.read_bytes() == BODY
    ranges = [wanted for _, wanted in server.requests]
    assert ranges == [None, "bytes=1000000-", "bytes=1500000-"]


def test_next_call_continues_after_an_error(server, fetch, tmp_path):
    server.break_after = [1_000_000, 0]
    with pytest.raises(ConnectionError, match=r"after 1,000,000 of 3,000,000 bytes.*"):
        fetch()
    assert not (tmp_path / "cache" / "a.pth").exists()
    _, path = fetch()
    assert path.read_bytes() == BODY
    assert server.requests[-1] == ("/a.pth", "bytes=1000000-")


def test_server_that_ignores_ranges_sends_all_again(server, fetch):
    server.break_after = [1_000_000]
    server.ignore_range = True
    _, path = fetch()
    assert path.read_bytes() == BODY


def test_file_that_changed_between_two_calls_is_not_mixed(server, fetch):
    server.break_after = [1_000_000, 0]
    with pytest.raises(ConnectionError):
        fetch()
    other = server.files["/a.pth"] = BODY[::-1]
    _, path = fetch()
    assert path.read_bytes() == other


def test_partial_file_that_is_longer_than_the_file(server, fetch, tmp_path):
    server.break_after = [1_000_000, 0]
    with pytest.raises(ConnectionError):
        fetch()
    partial = tmp_path / "cache" / "a.pth.partial"
    partial.write_bytes(bytes(len(BODY)))
    _, path = fetch()
    assert path.read_bytes() == BODY


def test_connection_that_always_breaks_is_given_up(server, fetch):
    server.break_after = [100_000] * 50
    with pytest.raises(ConnectionError, match="could not be downloaded"):
        fetch()
    assert len(server.requests) == 5


def test_body_without_length_is_taken(server, fetch):
    server.without_length = True
    _, path = fetch()
    assert path.read_bytes() == BODY


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size_bytes": 7}, "must have 7 bytes. Received: 3000000"),
        ({"sha256": "0" * 64}, f"must have the sha256 0{{64}}. Received: {SHA256}"),
    ],
)
def test_wrong_file_is_refused_and_not_kept(fetch, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        fetch(**options)
    assert [p.name for p in (tmp_path / "cache").iterdir()] == ["a.pth.lock"]


def test_unknown_checksum_is_recorded_and_checked_later(fetch):
    _, path = fetch()
    assert json.loads(path.with_name("a.pth.json").read_text())["sha256"] == SHA256
    path.write_bytes(BODY[:-1] + bytes([BODY[-1] ^ 1]))
    with pytest.raises(ValueError, match="damaged or was changed: delete"):
        fetch()
    discard_download(path)
    assert fetch()[0] == SHA256


def test_damaged_record_is_one_clear_error(fetch):
    _, path = fetch()
    path.with_name("a.pth.json").write_text("{")
    with pytest.raises(ValueError, match=r"a\.pth\.json is damaged"):
        fetch()


def test_file_put_there_by_hand_is_used(server, fetch, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "a.pth").write_bytes(BODY)
    assert fetch()[0] == SHA256
    assert server.requests == []
    assert (tmp_path / "cache" / "a.pth.json").is_file()


def test_missing_file_names_the_way_without_network(server, fetch):
    server.files.clear()
    with pytest.raises(ConnectionError, match=r"404 Not Found.*vpr convert"):
        fetch()
    assert len(server.requests) == 1


def test_web_page_is_not_weights(server, fetch):
    server.headers["Content-Type"] = "text/html; charset=utf-8"
    with pytest.raises(ConnectionError, match="a web page"):
        fetch()


def test_no_server_is_one_clear_error(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/a.pth"
    with pytest.raises(ConnectionError, match=r"refused.*vpr convert"):
        download(url, tmp_path / "a.pth", progress=False)


def test_silent_server_is_one_clear_error(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a.pth"
        with pytest.raises(ConnectionError, match="timed out"):
            download(url, tmp_path / "a.pth", progress=False, timeout_s=0.2)


@pytest.mark.parametrize(
    "url", ["http://example.org/a.pth", "ftp://127.0.0.1/a.pth", "file:///etc/passwd"]
)
def test_only_https(tmp_path, url):
    with pytest.raises(ValueError, match="by https only"):
        download(url, tmp_path / "a.pth")


def test_redirects_are_followed_to_https_only(server, fetch):
    server.redirects["/a.pth"] = f"{server.url}/b.pth"
    server.files["/b.pth"] = BODY
    assert fetch()[0] == SHA256
    fetch()[1].unlink()
    server.redirects["/a.pth"] = "http://example.org/b.pth"
    with pytest.raises(ValueError, match="by https only"):
        fetch()


def test_two_callers_fetch_once(server, fetch):
    threads = [threading.Thread(target=fetch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 1


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("VPR_TF_CACHE", str(tmp_path))
    assert default_cache_dir() == tmp_path
    monkeypatch.delenv("VPR_TF_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / ".cache" / "vpr_tf"
