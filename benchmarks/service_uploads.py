"""Sends damaged photos and requests to the service, and counts what it answers.

A request is refused with a 4xx or answered; an error of the service (5xx), one that
never ends, or memory that grows is a finding. The service runs in this process, its
decoders in theirs.

Examples:
  python -m benchmarks.service_uploads --index city.index --count 10000
  python -m benchmarks.service_uploads --index city.index --only 4711
"""

from __future__ import annotations

import argparse
import asyncio
import io
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import psutil
from PIL import Image

from benchmarks.upload_mutations import Sent, mutated
from vpr_tf.serving import ServiceSettings, create_app
from vpr_tf.tables import Column, Table

_AT_ONCE = 8
_WARM_UP = 1000
_TIMEOUT_S = 60.0
_ERROR = 500


def main(arguments: list[str] | None = None) -> int:
    """Sends requests and prints the table; returns 1 if there are findings."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.service_uploads",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--index", type=Path, required=True, help="with its encoder")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, metavar="NUMBER", help="send one again")
    options = parser.parse_args(arguments)
    numbers = [options.seed * 1_000_000 + number for number in range(options.count)]
    if options.only is not None:
        numbers = [options.only]
    found = asyncio.run(_send_all(options.index, numbers))
    print(found.table().to_text())
    for number, problem in found.problems:
        print(f"{number}: {problem}")
    return int(bool(found.problems))


@dataclass
class Found:
    """What came of the requests.

    Attributes:
        statuses: How often each was answered.
        problems: Number and what was wrong.
        memory_mb: Of the process, after the warm-up and at the end.
        slowest_s: Longest request.
        seconds: In all.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    problems: list[tuple[int, str]] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    slowest_s: float = 0.0
    seconds: float = 0.0

    def table(self) -> Table:
        """Returns the counts by status, with times and memory below."""
        rows = sorted(self.statuses.items())
        memory = " -> ".join(f"{value:.0f}" for value in self.memory_mb)
        return Table(
            f"{sum(self.statuses.values()):,} damaged requests",
            [Column("status", digits=0), Column("requests", digits=0)],
            rows,
            f"{self.seconds:.0f} s, the slowest {self.slowest_s:.2f} s; memory of the "
            f"process in MB after {_WARM_UP} requests and at the end: {memory}",
        )


async def _send_all(index: Path, numbers: list[int]) -> Found:
    photos = _photos()
    app = create_app(ServiceSettings({"town": index}, max_decode_s=5.0))
    found, waiting = Found(), iter(numbers)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1", timeout=None
        ) as client,
    ):

        async def send_some() -> None:
            for number in waiting:
                await _send_one(client, mutated(photos, number), number, found)
                if sum(found.statuses.values()) == _WARM_UP:
                    found.memory_mb.append(_memory_mb())

        start = time.perf_counter()
        await asyncio.gather(*(send_some() for _ in range(_AT_ONCE)))
        found.seconds = time.perf_counter() - start
        found.memory_mb.append(_memory_mb())
    return found


async def _send_one(
    client: httpx.AsyncClient, sent: Sent, number: int, found: Found
) -> None:
    start = time.perf_counter()
    headers = [(name.encode(), value.encode()) for name, value in sent.headers.items()]
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            answer = await client.post(
                "/v1/localize", content=sent.body, headers=headers, params=sent.query
            )
    except TimeoutError:
        found.problems.append((number, f"no answer in {_TIMEOUT_S:g} s"))
        return
    found.slowest_s = max(found.slowest_s, time.perf_counter() - start)
    found.statuses[answer.status_code] += 1
    if answer.status_code >= _ERROR:
        found.problems.append((number, f"{answer.status_code} {answer.text[:200]}"))


def _memory_mb() -> float:
    return float(psutil.Process().memory_info().rss / 1e6)


def _photos() -> list[bytes]:
    """Draws photos of several kinds."""
    rng, photos = np.random.default_rng(0), []
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x8825] = {1: "N", 2: (37.0, 42.0, 0.0), 3: "W", 4: (122.0, 30.0, 0.0)}
    for mode, kind, options in (
        ("RGB", "JPEG", {"exif": exif}),
        ("RGB", "JPEG", {"progressive": True}),
        ("L", "JPEG", {}),
        ("CMYK", "JPEG", {}),
        ("RGB", "PNG", {"exif": exif}),
        ("RGBA", "PNG", {}),
        ("P", "PNG", {}),
        ("I;16", "PNG", {}),
    ):
        coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((320, 240))
        if mode == "I;16":
            image = Image.fromarray(np.asarray(image)[..., 0].astype(np.uint16) * 257)
        elif mode != "RGB":
            image = image.convert(mode)
        file = io.BytesIO()
        image.save(file, kind, **options)
        photos.append(file.getvalue())
    return photos


if __name__ == "__main__":
    raise SystemExit(main())
