"""Kills processes of a service under load at random moments.

    python -m benchmarks.service_kills --work DIR [--count 100] [--photos 20000]

Two clients send photos, one after the other. Every second trial kills the service's
first process: all others must end by themselves, and the next trial starts it again.
The other trials kill any of its processes: the service must answer again, or end with
a status that its supervisor sees. What was answered meanwhile must be what an
undisturbed service answers; at the end the index must be intact.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.figures import record
from benchmarks.service import Running, Setting, serving
from benchmarks.service_index import draw_photos, index_of
from benchmarks.soak import localized
from benchmarks.timing import describe_machine
from vpr_tf.place_index import PlaceIndex

_CLIENTS = 2
_LATEST_S = 4.0
_PATIENCE_S = 30.0
_SAME_DEG = 1e-6
# Refused, reset, cut, or a status of 400 and more.
_NO_ANSWER = (OSError, http.client.HTTPException)


class Clients:
    """Send photos until they are stopped, and compare the answers.

    Args:
        url: Of the service.
        expected: Answers that each photo may have.
        key: Of a user; empty for none.

    Attributes:
        answered: Answers.
        failed: Requests without an answer of 200.
        wrong: Answers that are not those of an undisturbed service, a line each.
    """

    def __init__(
        self, url: str, expected: dict[Path, list[dict[str, Any]]], key: str = ""
    ) -> None:
        self.answered = self.failed = 0
        self.wrong: list[str] = []
        self._url, self._expected, self._key = url, expected, key
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(_CLIENTS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends after the request at hand."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        while not self._stop.is_set():
            for photo, expected in self._expected.items():
                try:
                    found = localized(self._url, photo, self._key)
                except _NO_ANSWER:
                    self.failed += 1
                    time.sleep(0.02)
                    continue
                self.answered += 1
                differences = [difference(found, one) for one in expected]
                if all(differences):
                    self.wrong.append(f"{photo.name}: {differences[0]}")


def difference(found: dict[str, Any], expected: dict[str, Any]) -> str:
    """Returns what differs in two answers; empty if nothing."""
    one, other = found["localizations"][0], expected["localizations"][0]
    if one["status"] != other["status"]:
        return f"{one['status']} instead of {other['status']}"
    keys = [[match["key"] for match in each["matches"]] for each in (one, other)]
    if keys[0] != keys[1]:
        return f"{keys[0]} instead of {keys[1]}"
    places = [(each["latitude"], each["longitude"]) for each in (one, other)]
    here, there = places
    near = np.allclose(here, there, rtol=0, atol=_SAME_DEG)
    return "" if near else f"{here} instead of {there}"


def main(arguments: list[str] | None = None) -> int:
    """Makes the trials, prints what they came to; 1 if something was wrong."""
    options = _parse(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    _, small = draw_photos(options.work)
    index = index_of(options.work, options.photos, "scann")
    command = [sys.executable, "-m", "vpr_tf", "serve", "--index", str(index)]
    setting = Setting([*command, "--port", "0"], options.work, small[0], small, 0, 0)
    with serving(setting) as service:
        expected = {photo: localized(service.url, photo) for photo in small[:8]}
    rng = np.random.default_rng(options.seed)
    findings: list[str] = []
    answered = failed = 0
    for number in range(options.count):
        with serving(setting) as service:
            clients = Clients(service.url, {p: [e] for p, e in expected.items()})
            time.sleep(float(rng.uniform(0, _LATEST_S)))
            finding = _killed(service, bool(number % 2), rng, next(iter(expected)))
            clients.stop()
        answered, failed = answered + clients.answered, failed + clients.failed
        for line in [*([finding] if finding else []), *clients.wrong[:3]]:
            findings.append(f"{number}: {line}")
            print(findings[-1], flush=True)
    problems = PlaceIndex(index).verify().problems
    findings += [f"verify: {problem}" for problem in problems]
    print(
        f"{describe_machine()}\n{options.count} kills, {answered:,} answers as "
        f"expected or listed above, {failed:,} requests without an answer while "
        f"processes were gone, {len(findings)} findings"
    )
    record("service_kills", "findings", len(findings), "")
    return int(bool(findings))


def _killed(
    service: Running, is_any: bool, rng: np.random.Generator, photo: Path
) -> str:
    """Kills a process; returns what is wrong afterwards, empty if nothing."""
    first = psutil.Process(service.process.pid)
    children = first.children(recursive=True)
    if not is_any:
        first.kill()
        _, alive = psutil.wait_procs(children, _PATIENCE_S)
        return f"{len(alive)} processes outlive the first" if alive else ""
    child = children[int(rng.integers(len(children)))]
    name = " ".join(child.cmdline())[-60:]
    with contextlib.suppress(psutil.NoSuchProcess):
        child.kill()
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        if service.process.poll() is not None:  # a supervisor starts it again
            return "" if service.process.returncode else f"status 0 without {name}"
        with contextlib.suppress(*_NO_ANSWER):
            localized(service.url, photo)
            return ""
        time.sleep(0.1)
    return f"no answer after the end of {name}"


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.service_kills",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--work", type=Path, required=True, metavar="DIR")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
