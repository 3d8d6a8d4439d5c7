"""Clients of a service: wrk for throughput, and requests at a fixed rate."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

_PATIENCE_S = 60
_WRK = """\
local bodies, threads, next_body = {{}}, {{}}, 0
for _, path in ipairs({{{paths}}}) do
  local file = io.open(path, "rb")
  bodies[#bodies + 1] = file:read("*a")
  file:close()
end
wrk.method, wrk.path = "POST", "{path}"
wrk.headers["Content-Type"] = "image/jpeg"
function setup(thread) table.insert(threads, thread) end
function init(_) accepted, refused, failed = 0, 0, 0 end
function request()
  next_body = next_body % #bodies + 1
  return wrk.format(nil, nil, nil, bodies[next_body])
end
function response(status)
  if status == 200 then accepted = accepted + 1
  elseif status == 503 or status == 429 then refused = refused + 1
  else failed = failed + 1 end
end
function done(summary, latency)
  local a, r, f = 0, 0, 0
  for _, thread in ipairs(threads) do
    a = a + thread:get("accepted")
    r = r + thread:get("refused")
    f = f + thread:get("failed")
  end
  local e = summary.errors
  print(string.format(
    '{{"accepted": %d, "refused": %d, "failed": %d, "seconds": %f, "p50_ms": %f, '
    .. '"p99_ms": %f}}', a, r, f + e.connect + e.read + e.write + e.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


@dataclass
class Load:
    """What clients saw.

    Attributes:
        accepted: Answers of 200.
        refused: Answers of 503 and 429.
        failed: All else.
        seconds: How long they asked.
        p50_ms: Median time of an answer.
        p99_ms: 99 of 100 took at most so long.
        refusal_p99_ms: The same of refusals; NaN if they were not timed apart.
    """

    accepted: int
    refused: int
    failed: int
    seconds: float
    p50_ms: float
    p99_ms: float
    refusal_p99_ms: float = field(default=float("nan"))

    @property
    def per_second(self) -> float:
        """Accepted requests."""
        return self.accepted / self.seconds


def has_wrk() -> bool:
    """Whether the load generator wrk is installed."""
    return shutil.which("wrk") is not None


def by_wrk(
    url: str, photos: Sequence[Path], clients: int, seconds: int, work: Path
) -> Load:
    """Lets clients ask, each as soon as it has its answer.

    Args:
        url: Of the service.
        photos: Files that are sent, in turn.
        clients: Connections.
        seconds: How long.
        work: Folder for the script.
    """
    script = work / "post.lua"
    paths = ", ".join(json.dumps(str(path)) for path in photos)
    script.write_text(_WRK.format(paths=paths, path="/v1/localize"))
    words = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s"]
    done = subprocess.run(
        [*words, "-s", str(script), url], capture_output=True, text=True, check=True
    )
    return Load(**json.loads(done.stdout.strip().splitlines()[-1]))


def in_turn(url: str, photos: Sequence[Path], times: int, clients: int = 1) -> Load:
    """Sends photos, each client one after the other.

    Args:
        url: Of the service.
        photos: Files that are sent, in turn.
        times: Requests of all clients.
        clients: Connections.
    """

    async def run() -> Load:
        asking, numbers = _Asking(url, photos), iter(range(times))

        async def client() -> None:
            for number in numbers:
                await asking.ask(number, time.perf_counter())

        await asyncio.gather(*(client() for _ in range(clients)))
        return asking.load()

    return asyncio.run(run())


def at_rate(
    url: str, photos: Sequence[Path], per_second: float, seconds: float
) -> Load:
    """Sends photos at a rate, whatever the answers; times count from when one was due.

    Args:
        url: Of the service.
        photos: Files that are sent, in turn.
        per_second: The rate.
        seconds: How long.
    """

    async def run() -> Load:
        asking, tasks = _Asking(url, photos), []
        for number in range(int(per_second * seconds)):
            due = asking.start + number / per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(asking.ask(number, due)))
        await asyncio.gather(*tasks)
        return asking.load()

    return asyncio.run(run())


class _Asking:
    """Sends requests over connections that are kept, and notes the answers."""

    def __init__(self, url: str, photos: Sequence[Path]) -> None:
        parts = urlsplit(url)
        self._address = parts.hostname, parts.port
        self._requests = [
            _request(photo.read_bytes(), parts.netloc) for photo in photos
        ]
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._answers: list[tuple[int, float]] = []
        self.start = time.perf_counter()

    async def ask(self, number: int, due: float) -> None:
        """Sends one request, of a number, that was due at a time."""
        request = self._requests[number % len(self._requests)]
        status = 0
        while self._idle and not status:  # it may have been closed meanwhile
            status = await self._status(request, self._idle.pop())
        if not status:
            status = await self._status(request, None)
        self._answers.append((status, time.perf_counter() - due))

    async def _status(
        self,
        request: bytes,
        kept: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None,
    ) -> int:
        """Returns the status of the answer, 0 if there is none."""
        try:
            reader, writer = kept or await asyncio.open_connection(*self._address)
            writer.write(request)
            status, is_kept = await asyncio.wait_for(_answer(reader), _PATIENCE_S)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            return 0
        if is_kept:
            self._idle.append((reader, writer))
        else:
            writer.close()
        return status

    def load(self) -> Load:
        """Ends the connections; returns what was seen."""
        seconds = time.perf_counter() - self.start
        for _, writer in self._idle:
            writer.close()
        return _load_of(self._answers, seconds)


def _request(body: bytes, host: str) -> bytes:
    head = (
        f"POST /v1/localize HTTP/1.1\r\nHost: {host}\r\n"
        f"Content-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """Reads an answer; returns its status, and whether the connection stays."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = head.partition("content-length:")[2].partition("\r\n")[0]
    await reader.readexactly(int(length))
    return int(head.split()[1]), "connection: close" not in head


def _load_of(answers: list[tuple[int, float]], seconds: float) -> Load:
    statuses = np.array([status for status, _ in answers])
    times_ms = 1e3 * np.array([taken for _, taken in answers])
    accepted, refused = statuses == 200, np.isin(statuses, (429, 503))

    def percentile(of: np.ndarray, share: float) -> float:
        return float(np.percentile(times_ms[of], share)) if of.any() else float("nan")

    return Load(
        int(accepted.sum()),
        int(refused.sum()),
        int((~accepted & ~refused).sum()),
        seconds,
        percentile(accepted, 50),
        percentile(accepted, 99),
        percentile(refused, 99),
    )
