"""The processes of `vpr serve`: they start, are replaced, and end in order."""

import contextlib
import re
import signal
import socket
import subprocess
import sys
import time

import httpx
import psutil

from tests.command_line import vpr
from tests.vpr_tf.serving.samples import PHOTOS

SECONDS = 60  # for what takes few, on a busy machine


@contextlib.contextmanager
def running(town, *words):
    """Yields the process of `vpr serve` and its address when it is ready."""
    command = [sys.executable, "-m", "vpr_tf", "serve", "--index", town, "--port", "0"]
    process = subprocess.Popen(
        [*map(str, command), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    lines = []
    try:
        for line in process.stdout:
            lines.append(line.decode())
            if found := re.match(r"Ready: (http://\S+/)", lines[-1]):
                break
        else:
            raise AssertionError("".join(lines))
        yield process, found[1]
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
        process.kill()
        process.communicate()


def lives(process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def workers_of(process) -> list[int]:
    found = filter(lives, psutil.Process(process.pid).children())
    return sorted(one.pid for one in found if "spawn_main" in " ".join(one.cmdline()))


def wait_until(condition) -> None:
    limit = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.05)


def is_refused(url) -> bool:
    try:
        httpx.get(url)
    except httpx.TransportError:
        return True
    return False


def test_sigterm_answers_what_was_accepted(town):
    body = PHOTOS[3]
    head = "POST /v1/localize HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg"
    with running(town) as (process, url):
        port = httpx.URL(url).port
        with socket.create_connection(("127.0.0.1", port), SECONDS) as half:
            half.sendall(f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode())
            half.sendall(body[:9])
            wait_until(lambda: httpx.get(f"{url}readyz").status_code == 200)
            process.terminate()
            wait_until(lambda: is_refused(url))
            half.sendall(body[9:])
            answer = half.makefile("rb").read().decode()
        assert answer.startswith("HTTP/1.1 200 OK")
        assert '"status":"localized"' in answer
        assert process.wait(SECONDS) == 0


def test_worker_that_is_killed_is_replaced_and_all_end_together(town):
    with running(town, "--workers", "2") as (process, url):
        first, second = workers_of(process)
        psutil.Process(first).kill()
        wait_until(lambda: len(set(workers_of(process)) - {first}) == 2)
        assert second in workers_of(process)
        assert httpx.get(f"{url}readyz").status_code == 200
        everyone = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 130
        wait_until(lambda: not any(map(lives, everyone)))
        said = process.stdout.read().decode()
        assert re.search(r"(?m)^\d{4}-\d\d-\d\d [\d:,]+ A worker died", said)


def test_all_end_when_the_first_process_is_killed(town):
    with running(town, "--workers", "2") as (process, url):
        everyone = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        wait_until(lambda: not any(map(lives, everyone)))
        assert is_refused(url)


def test_taken_port_and_public_address_are_refused(town, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert vpr("serve", "--index", town, "--port", port) == 2
    assert f"port {port}: it is taken" in capsys.readouterr().err
    for host in ("0.0.0.0", "::"):
        assert vpr("serve", "--index", town, "--port", 0, "--host", host) == 2
        assert "without keys" in capsys.readouterr().err
