"""Feeds readers with damaged and generated inputs, by the ten thousand.

Every input follows from seed, kind and number alone. A reader may refuse an input by
its documented errors, or accept it; then what it read must be possible (positions in
range, UTM and degrees of one place, numbers finite, types as declared). Anything else
is a finding, whose files and reason are kept in `--output`. Each kind runs in a process
of its own with limits of memory and time. A kind that has run is not run again.

    python -m benchmarks.fuzz_inputs --count 100000 --seed 0
    python -m benchmarks.fuzz_inputs --only names:1234 --seed 0
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import random
import resource
import shutil
import signal
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpr_tf.tables import Column, Table

MOST_SECONDS = 10.0  # of the processor, for one input
_MOST_MEMORY = 2 << 30  # bytes beyond those after the first input
_HANGS_S = 120.0
_KEPT_OF_A_SORT = 3
_MOST_DEATHS = 10
_NUMBER, _ACCEPTED, _REFUSED, _SLOWEST_MS, _SLOWEST = range(5)
Files = dict[str, bytes]


@dataclass(frozen=True)
class Kind:
    """One kind of input.

    Attributes:
        make: Returns the files of an input by their names.
        read: Reads the files in a folder; returns what must not be in what it read.
        errors: The documented errors of the reader.
        share: How many inputs it gets, compared with others.
    """

    make: Callable[[random.Random], Files]
    read: Callable[[Path], list[str]]
    errors: tuple[type[Exception], ...]
    share: float = 1.0


class TooSlowError(BaseException):
    """An input took too long."""


def kinds() -> dict[str, Kind]:
    """Returns all kinds by name."""
    from benchmarks import fuzz_photos, fuzz_stored, fuzz_weights
    from vpr_tf.classification.errors import ClassificationError
    from vpr_tf.config import ConfigError
    from vpr_tf.data.prepared_dataset import DatasetError
    from vpr_tf.localization import LocalizationError
    from vpr_tf.models.torch_weights.checkpoint_objects import CheckpointError
    from vpr_tf.photos.errors import InvalidEntryError, PhotoSourceError
    from vpr_tf.report.errors import ReportError
    from vpr_tf.search import IndexMismatchError

    photos, stored = fuzz_photos, fuzz_stored
    invalid = (InvalidEntryError,)
    of_table = (InvalidEntryError, PhotoSourceError)
    of_index = (IndexMismatchError, LocalizationError)
    of_heads = (ClassificationError, LocalizationError)
    return {
        "names": Kind(photos.make_name, photos.read_name, invalid),
        "tables": Kind(photos.make_table, photos.read_table, of_table),
        "exif": Kind(photos.make_exif, photos.read_exif, invalid),
        "headers": Kind(photos.make_header, photos.read_header, invalid),
        # A config takes a hundred times as long as the others.
        "configs": Kind(stored.make_config, stored.read_config, (ConfigError,), 0.2),
        "datasets": Kind(stored.make_dataset, stored.read_dataset, (DatasetError,)),
        "columns": Kind(stored.make_columns, stored.read_columns, (DatasetError,)),
        "indexes": Kind(stored.make_index, stored.read_index, of_index),
        "searches": Kind(stored.make_search, stored.read_search, of_index),
        "reports": Kind(stored.make_report, stored.read_report_folder, (ReportError,)),
        "heads": Kind(fuzz_weights.make_heads, fuzz_weights.read_heads, of_heads),
        "calibrations": Kind(
            fuzz_weights.make_calibration, fuzz_weights.read_calibration, of_heads
        ),
        "checkpoints": Kind(
            fuzz_weights.make_checkpoint,
            fuzz_weights.read_weights,
            (CheckpointError,),
        ),
    }


def judge(kind: Kind, folder: Path) -> tuple[bool, str]:
    """Reads one input; returns whether it was accepted, and the finding if any."""
    try:
        problems = kind.read(folder)
    except kind.errors:
        return False, ""
    except (Exception, TooSlowError) as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [f for f in frames if "vpr_tf" in f.filename] or frames
        place = f"{Path(own[-1].filename).name}:{own[-1].lineno}"
        return False, f"{type(error).__name__} at {place}: {str(error)[:300]}"
    return True, "; ".join(problems)


def make_input(kind: Kind, name: str, seed: int, number: int, folder: Path) -> None:
    """Writes the files of one input into an emptied folder."""
    shutil.rmtree(folder, ignore_errors=True)
    for file, data in kind.make(random.Random(f"{seed}:{name}:{number}")).items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def main() -> None:
    """Parses the command line, runs the kinds and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="of all kinds together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", default=[], metavar="KIND")
    parser.add_argument("--only", metavar="KIND:NUMBER", help="run one input and raise")
    parser.add_argument("--output", type=Path, default=Path("runs/fuzz"))
    options = parser.parse_args()
    output = options.output
    if options.only:
        _run_one(options.only, options.seed, output)
        return
    known = kinds()
    each = options.count / sum(kind.share for kind in known.values())
    rows = [
        _run_kind(name, math.ceil(each * known[name].share), options.seed, output)
        for name in options.kinds or known
    ]
    columns = [
        *(Column(name) for name in ("kind", "inputs", "accepted", "refused")),
        *(Column(name) for name in ("findings", "sorts", "slowest ms")),
    ]
    sums = [sum(row[i] for row in rows) for i in range(1, 6)]
    print(
        Table("", columns, [*rows, ("all", *sums, max(r[6] for r in rows))]).to_text()
    )


def _run_one(only: str, seed: int, output: Path) -> None:
    name, number = only.split(":")
    kind, folder = kinds()[name], output / name / f"{number}-again"
    make_input(kind, name, seed, int(number), folder)
    print(f"{folder}: {kind.read(folder)}")


def _run_kind(name: str, count: int, seed: int, output: Path) -> tuple[Any, ...]:
    """Returns the row of a kind, run in child processes or kept from before."""
    folder, run = output / name, f"seed {seed}, {count} inputs"
    result = folder / "result.json"
    if result.is_file() and (kept := json.loads(result.read_text()))["run"] == run:
        return tuple(kept["row"])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    findings = folder / "findings.txt"
    findings.touch()
    context = multiprocessing.get_context("spawn")
    progress = context.Array("d", 5)
    first, deaths = 0, 0
    while first < count and deaths < _MOST_DEATHS:
        progress[_NUMBER] = first
        process = context.Process(
            target=_run_inputs, args=(name, seed, first, count, folder, progress)
        )
        process.start()
        reason = _wait(process, progress)
        first = int(progress[_NUMBER])
        if reason:
            deaths += 1
            _note(findings, name, seed, first, reason)
            first += 1
    lines = findings.read_text().splitlines()
    sorts = Counter(_sort(line.split("\t")[1]) for line in lines)
    for sort, number in sorts.most_common():
        print(f"{name}: {number} x {sort}")
    counts = int(progress[_ACCEPTED]), int(progress[_REFUSED])
    slowest = round(progress[_SLOWEST_MS])
    row = (name, first, *counts, len(lines), len(sorts), slowest)
    result.write_text(json.dumps({"run": run, "row": row}))
    return row


def _wait(process: Any, progress: Any) -> str:
    """Waits for a child; returns why it died, empty if it did not."""
    number, since = -1.0, time.monotonic()
    while process.is_alive():
        process.join(1.0)
        if progress[_NUMBER] != number:
            number, since = progress[_NUMBER], time.monotonic()
        elif time.monotonic() - since > _HANGS_S:
            process.kill()
            process.join()
            return "ProcessHangs"
    return f"ProcessDied of signal {-process.exitcode}" if process.exitcode else ""


def _run_inputs(
    name: str, seed: int, first: int, count: int, folder: Path, progress: Any
) -> None:
    """Runs the inputs of a kind from one on, in a child."""
    kind, seen = kinds()[name], Counter[str]()
    signal.signal(signal.SIGPROF, _too_slow)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary) / "input"
        for number in range(first, count):
            progress[_NUMBER] = number
            make_input(kind, name, seed, number, place)
            start = time.process_time()
            signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
            accepted, finding = judge(kind, place)
            signal.setitimer(signal.ITIMER_PROF, 0)
            milliseconds = 1000 * (time.process_time() - start)
            if number == first:
                _limit_memory()
            elif milliseconds > progress[_SLOWEST_MS]:
                progress[_SLOWEST_MS], progress[_SLOWEST] = milliseconds, number
            if finding:
                seen[_sort(finding)] += 1
                _note(folder / "findings.txt", name, seed, number, finding)
                if seen[_sort(finding)] <= _KEPT_OF_A_SORT:
                    shutil.copytree(place, folder / str(number), dirs_exist_ok=True)
            else:
                progress[_ACCEPTED if accepted else _REFUSED] += 1
    progress[_NUMBER] = count


def _note(path: Path, name: str, seed: int, number: int, finding: str) -> None:
    with path.open("a") as file:
        text = ascii(finding)[1:-1]
        file.write(f"--seed {seed} --only {name}:{number}\t{text}\n")


def _sort(finding: str) -> str:
    """Returns what findings of one cause have in common: where, or the words."""
    first = finding.split(": ")[0]
    if " at " in first:
        return first
    return "".join(c for c in first[:90] if not c.isdigit())


def _too_slow(*_: Any) -> None:
    raise TooSlowError(f"more than {MOST_SECONDS:g} s")


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + _MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    main()
