"""Times and memory of `vpr serve` on a large index, under load and after it.

    python -m benchmarks.service --work DIR [--photos 1000000] [--parts latency ...]
        [--serve-options="--engine onnxruntime"]

Builds an index of generated descriptors with an EfficientNet-Lite0 of random weights,
once, in the work folder; draws a photo of 12 megapixels and photos of 224 pixels.

latency     one request at a time: the large photo, and the small ones
throughput  1, 8 and 64 clients (wrk) with small photos
overload    small photos at the throughput of 64 clients, and at four times that
memory      after 1,000 and after 20,000 requests
kill        kill -9 of all processes under load, and the time until it is ready again

Prints markdown. The clients run on the same cores as the service.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.figures import record
from benchmarks.service_index import draw_photos, index_of
from benchmarks.service_load import Load, at_rate, by_wrk, has_wrk, in_turn
from benchmarks.timing import describe_machine

_CLIENTS = (1, 8, 64)
_FIRST, _LAST = 1_000, 20_000
_MB = 1e6


class Running(NamedTuple):
    """A service that is ready.

    Attributes:
        process: Its first process.
        url: Its address.
        started_s: How long it took until it was ready.
    """

    process: subprocess.Popen[str]
    url: str
    started_s: float


class Setting(NamedTuple):
    """What is measured.

    Attributes:
        command: Starts the service.
        work: Folder for what is written.
        phone: The large photo.
        small: The others.
        seconds: How long clients ask.
        times: Requests where one is sent after the other.
    """

    command: list[str]
    work: Path
    phone: Path
    small: list[Path]
    seconds: int
    times: int


def main(arguments: list[str] | None = None) -> None:
    """Measures the parts that were asked for and prints a table of each."""
    options = _parse(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    phone, small = draw_photos(options.work)
    index = index_of(options.work, options.photos, options.kind)
    command = [sys.executable, "-m", "vpr_tf", "serve", "--index", str(index)]
    command += ["--port", "0", *shlex.split(options.serve_options)]
    setting = Setting(
        command, options.work, phone, small, options.seconds, options.times
    )
    print(f"{describe_machine()}; load {os.getloadavg()[0]:.1f}; index {index.name}")
    print(f"options: {options.serve_options or 'none'}\n")
    for part in options.parts:
        _PARTS[part](setting)


def _latency(setting: Setting) -> None:
    with serving(setting) as service:
        print(f"Ready after {service.started_s:.1f} s\n")
        _print_head()
        for name, photo in (("12 MP", setting.phone), ("224 px", setting.small[0])):
            in_turn(service.url, [photo], 5)
            _print_row(f"{name}, alone", in_turn(service.url, [photo], setting.times))
    print()


def _throughput(setting: Setting) -> None:
    if not has_wrk():
        print("throughput: left out, since wrk is not installed.\n")
        return
    with serving(setting) as service:
        in_turn(service.url, setting.small, 20)
        _print_head()
        for clients in _CLIENTS:
            load = by_wrk(
                service.url, setting.small, clients, setting.seconds, setting.work
            )
            _print_row(f"224 px, {clients} clients", load)
    print()


def _overload(setting: Setting) -> None:
    if not has_wrk():
        print("overload: left out, since wrk is not installed.\n")
        return
    with serving(setting) as service:
        in_turn(service.url, setting.small, 20)
        capacity = by_wrk(
            service.url, setting.small, _CLIENTS[-1], setting.seconds, setting.work
        ).per_second
        _print_head()
        found = []
        for share in (1, 4):
            load = at_rate(
                service.url, setting.small, share * capacity, setting.seconds
            )
            _print_row(f"{share} x {capacity:.0f} a second", load)
            found.append(load)
    ratio = found[1].p99_ms / found[0].p99_ms
    print(f"\np99 of accepted at 4 x is {ratio:.2f} times that at 1 x\n")


def _memory(setting: Setting) -> None:
    with serving(setting) as service:
        print("| requests | own memory, MB | with mapped files, MB |")
        print("| ---: | ---: | ---: |")
        sent, own = 0, []
        for count in (_FIRST, _LAST):
            load = in_turn(service.url, setting.small, count - sent, clients=8)
            if load.failed:
                raise RuntimeError(f"{load.failed} of {count - sent} requests failed")
            sent = count
            own_mb, all_mb = memory_mb(service.process.pid)
            own.append(own_mb)
            print(f"| {sent:,} | {own_mb:,.0f} | {all_mb:,.0f} |", flush=True)
    print(f"\nOwn memory grew by {100 * (own[1] / own[0] - 1):.1f}%\n")


def _kill(setting: Setting) -> None:
    with serving(setting) as service:
        in_turn(service.url, setting.small, 20)
        with ThreadPoolExecutor(1) as clients:
            load = clients.submit(in_turn, service.url, setting.small, 5_000, 8)
            time.sleep(2)
            os.killpg(service.process.pid, signal.SIGKILL)
            before = load.result().accepted
    with serving(setting) as again:
        after = in_turn(again.url, setting.small, 20).accepted
        print(
            f"Killed after {before} answers: ready again after {again.started_s:.1f} s,"
            f" {after} of 20 requests answered\n"
        )


_PARTS = {
    "latency": _latency,
    "throughput": _throughput,
    "overload": _overload,
    "memory": _memory,
    "kill": _kill,
}


@contextlib.contextmanager
def serving(setting: Setting) -> Iterator[Running]:
    """Yields a service when it is ready; ends all its processes."""
    start = time.perf_counter()
    log = (setting.work / "serve.log").open("w")
    process = subprocess.Popen(
        setting.command,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        start_new_session=True,
    )
    try:
        for line in process.stdout or ():
            if found := re.match(r"Ready: (http://\S+)", line):
                yield Running(process, found[1], time.perf_counter() - start)
                break
        else:
            raise RuntimeError((setting.work / "serve.log").read_text())
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        log.close()


def memory_mb(pid: int) -> tuple[float, float]:
    """Returns what all processes hold: of their own, and with files that are mapped."""
    own = everything = 0
    first = psutil.Process(pid)
    for process in (first, *first.children(recursive=True)):
        text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        fields = dict(re.findall(r"^(\w+): +(\d+) kB", text, re.MULTILINE))
        own += 1024 * int(fields["Anonymous"])
        everything += 1024 * int(fields["Pss"])
    return own / _MB, everything / _MB


def _print_head() -> None:
    print(
        "| | accepted | a second | p50, ms | p99, ms | refused | refusals p99, ms | "
        "failed |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    )


def _print_row(name: str, load: Load) -> None:
    print(
        f"| {name} | {load.accepted:,} | {load.per_second:.1f} | {load.p50_ms:.0f} | "
        f"{load.p99_ms:.0f} | {load.refused:,} | {load.refusal_p99_ms:.0f} | "
        f"{load.failed} |",
        flush=True,
    )
    record("service", f"{name}: p50", load.p50_ms, "ms")
    record("service", f"{name}: answers", load.per_second, "a second")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, metavar="DIR")
    parser.add_argument("--photos", type=int, default=1_000_000)
    parser.add_argument("--kind", default="scann", help="of the index's search")
    parser.add_argument("--parts", nargs="+", choices=_PARTS, default=[*_PARTS])
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--serve-options", default="", metavar="WORDS")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
