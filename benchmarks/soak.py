"""The service for an hour while its index changes: latency, memory, open files.

    python -m benchmarks.soak --work DIR [--minutes 60] [--photos 20000] [--rate 4]

Clients send photos at a constant rate. Every few seconds the index changes: photos are
added whose descriptors are those of photos that are sent, then removed; every tenth
change merges the index. After each change one of these photos is sent until the answer
is of the new generation: its first match must be the added photo while that is in the
index, and another one when it is not. A line a minute goes to `soak.csv` of the work
folder, and all of it into `soak.png`.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import dataclasses
import json
import multiprocessing
import multiprocessing.synchronize
import queue
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.service import Setting, memory_mb, serving
from benchmarks.service_index import draw_photos, index_of
from benchmarks.service_load import Load, at_rate
from benchmarks.timing import describe_machine
from vpr_tf.place_index import PlaceIndex

_BETWEEN_CHANGES_S = 5.0
_MERGE_EVERY = 10
_PATIENCE_S = 30.0
_MOST_GROWTH = 1.05  # of memory, from the tenth minute to the last


@dataclasses.dataclass
class Minute:
    """What was seen in a minute.

    Attributes:
        minute: Its number, from 1.
        accepted: Answers of 200.
        refused: Answers of 429 and 503.
        failed: All else.
        p50_ms: Median time of an answer.
        p99_ms: 99 of 100 took at most so long.
        own_mb: Memory of the service but for mapped files.
        open_files: Files, sockets and pipes of all its processes.
        changes: Of the index, until now.
        wrong: Answers after a change that were of no state, until now.
    """

    minute: int
    accepted: int
    refused: int
    failed: int
    p50_ms: float
    p99_ms: float
    own_mb: float
    open_files: int
    changes: int
    wrong: int


class Changes:
    """A process that changes the index again and again, and looks at the answers.

    Args:
        index: Folder of the index.
        url: Of the service.
        photos: That are added, and sent.

    Attributes:
        done: Changes.
        wrong: What was wrong, a line each.
    """

    def __init__(self, index: Path, url: str, photos: list[Path]):
        context = multiprocessing.get_context("spawn")
        self._stop_now, self._told = context.Event(), context.Queue()
        arguments = (index, url, photos, self._stop_now, self._told)
        self._process = context.Process(target=_make_changes, args=arguments)
        self._process.start()
        self.done = 0
        self.wrong: list[str] = []

    def look(self) -> None:
        """Takes what was told since the last call."""
        with contextlib.suppress(queue.Empty):
            while True:
                self.wrong += self._told.get_nowait()
                self.done += 1

    def stop(self) -> None:
        """Ends after the change at hand."""
        self._stop_now.set()
        self._process.join()
        self.look()


def _make_changes(
    index: Path,
    url: str,
    photos: list[Path],
    stop_now: multiprocessing.synchronize.Event,
    told: multiprocessing.Queue[list[str]],
) -> None:
    """Changes the index until it is told to stop; tells what was wrong of each."""
    with PlaceIndex.open(index) as opened:
        descriptors = np.asarray(opened.extractor(of_queries=True).extract(photos))
    number = 0
    while not stop_now.wait(_BETWEEN_CHANGES_S):
        of = number // 2 % len(photos)
        key = f"soak/{number // 2}.jpg"
        try:
            wrong = _change(index, number, key, descriptors[of], url, photos[of])
        except Exception as error:  # the campaign goes on, and tells it
            wrong = f"change {number}: {error!r}"
        told.put([wrong] if wrong else [])
        number += 1


def _change(
    folder: Path,
    number: int,
    key: str,
    descriptor: np.ndarray,
    url: str,
    photo: Path,
) -> str:
    """Adds or removes a photo; returns what is wrong with the answer, if anything."""
    index, is_there = PlaceIndex(folder), number % 2 == 0
    if is_there:
        manifest = index.add(
            descriptor[np.newaxis],
            keys=[key],
            latitude=[37.76],
            longitude=[-122.44],
            heading_deg=[0.0],
        )
    else:
        manifest = index.remove([key])
    answer = _answer_of(url, photo, manifest.generation)
    if number % _MERGE_EVERY == _MERGE_EVERY - 1:
        index.compact()
    if answer is None:
        return f"{key}: generation {manifest.generation} is not followed"
    found = answer["localizations"][0]["matches"][0]["key"] == key
    return "" if found == is_there else f"{key}: found: {found}, there: {is_there}"


def _answer_of(url: str, photo: Path, generation: int) -> dict[str, Any] | None:
    """Sends a photo until a generation answers; None if it takes too long."""
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        answer = localized(url, photo)
        if answer["index_generation"] >= generation:
            return answer
        time.sleep(0.1)
    return None


def main(arguments: list[str] | None = None) -> int:
    """Runs the service and prints a line a minute; 1 if something was wrong."""
    options = _parse(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    _, small = draw_photos(options.work)
    index = index_of(options.work, options.photos, options.kind)
    command = [sys.executable, "-m", "vpr_tf", "serve", "--index", str(index)]
    setting = Setting([*command, "--port", "0"], options.work, small[0], small, 0, 0)
    print(f"{describe_machine()}; {options.photos:,} photos, {options.rate} requests/s")
    minutes: list[Minute] = []
    with serving(setting) as service:
        changes = Changes(index, service.url, small[:8])
        for number in range(1, options.minutes + 1):
            load = at_rate(service.url, small[8:], options.rate, 60)
            changes.look()
            minutes.append(_minute(number, load, service.process.pid, changes))
            _write(options.work / "soak.csv", minutes)
            print(_line(minutes[-1]), flush=True)
        changes.stop()
    draw(minutes, options.work)
    return _told(minutes, changes.wrong)


def _minute(number: int, load: Load, pid: int, changes: Changes) -> Minute:
    own_mb, _ = memory_mb(pid)
    first = psutil.Process(pid)
    processes = (first, *first.children(recursive=True))
    return Minute(
        number,
        load.accepted,
        load.refused,
        load.failed,
        round(load.p50_ms, 1),
        round(load.p99_ms, 1),
        round(own_mb, 1),
        sum(process.num_fds() for process in processes),
        changes.done,
        len(changes.wrong),
    )


def _told(minutes: list[Minute], wrong: list[str]) -> int:
    """Prints what all came to; returns 1 if something was wrong."""
    early = minutes[min(9, len(minutes) - 1)]
    last = minutes[-1]
    growth = last.own_mb / early.own_mb
    failed = sum(minute.failed for minute in minutes)
    print(
        f"{sum(minute.accepted for minute in minutes):,} answers, {failed} failed, "
        f"{last.changes} changes, {len(wrong)} wrong; own memory from minute "
        f"{early.minute} to {last.minute}: {100 * (growth - 1):+.1f}%; open files "
        f"{early.open_files} to {last.open_files}"
    )
    for line in wrong[:20]:
        print(line)
    has_leaked = growth > _MOST_GROWTH or last.open_files > early.open_files + 8
    return int(bool(failed or wrong or has_leaked))


def draw(minutes: list[Minute], folder: Path) -> Path:
    """Draws latency, memory and open files over time into `soak.png`.

    Args:
        minutes: In order.
        folder: Where it is written.
    """
    from vpr_tf.report import COLOURS, Drawing

    at = [minute.minute for minute in minutes]

    def panels(figure: Any) -> None:
        latency, memory, files = figure.subplots(3, sharex=True)
        latency.plot(at, [m.p50_ms for m in minutes], color=COLOURS["good"])
        latency.plot(at, [m.p99_ms for m in minutes], color=COLOURS["bad"])
        latency.set_ylabel("p50, p99, ms")
        memory.plot(at, [m.own_mb for m in minutes], color=COLOURS["ink"])
        memory.set_ylabel("own memory, MB")
        files.plot(at, [m.open_files for m in minutes], color=COLOURS["ink"])
        files.set_ylabel("open files")
        files.set_xlabel("minute")
        for axes in (latency, memory, files):
            axes.set_ylim(bottom=0)

    title = f"The service for {len(minutes)} minutes, {minutes[-1].changes} changes"
    return Drawing("soak", title, panels, (6.4, 5.6)).write_png(folder)


def localized(url: str, photo: Path, key: str = "") -> dict[str, Any]:
    """Sends a photo to a service, perhaps with a key, and returns its answer."""
    request = urllib.request.Request(
        f"{url.rstrip('/')}/v1/localize?top_k=1",
        data=photo.read_bytes(),
        headers={"Content-Type": "image/jpeg", "Authorization": f"Bearer {key}"},
    )
    with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:
        return json.load(answer)


def _write(path: Path, minutes: list[Minute]) -> None:
    rows = [dataclasses.asdict(minute) for minute in minutes]
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0].keys())
        table.writeheader()
        table.writerows(rows)


def _line(minute: Minute) -> str:
    return " ".join(f"{k}={v}" for k, v in dataclasses.asdict(minute).items())


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, metavar="DIR")
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--kind", default="scann", help="of the index's search")
    parser.add_argument("--rate", type=float, default=4.0, help="requests a second")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
