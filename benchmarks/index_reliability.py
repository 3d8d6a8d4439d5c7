"""Kills changes of index folders, damages folders, and counts what happens.

    python -m benchmarks.index_reliability [--kills 200] [--mutations 10000]
        [--changes 60]

Every change is killed before each of its steps on the disk and at random moments: what
is left must be the old or the new state, in every bit. Two readers search while an
index changes: each answer must be that of a state that was. Damaged copies of small
indexes must be refused with a reason or answer as before; each runs in a process of
its own that is watched, so that a crash of the interpreter is seen.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.index_kills import KillCampaign, Readers
from benchmarks.index_mutations import mutate
from benchmarks.index_samples import CHANGES, Sample, answer, make_sample, same
from vpr_tf.place_index import PlaceIndex
from vpr_tf.search import RetrievalError

_TREE = {"structure": "tree", "num_leaves": 12, "leaves_to_search": 4}
SAMPLES = {
    "exact": Sample("exact", None, 40, "float32", True),
    "exact float16": Sample("exact", None, 40, "float16", False),
    "scann brute force": Sample("scann", None, 40, "float32", False),
    "scann quantized": Sample(
        "scann", {"structure": "quantized"}, 200, "float32", True
    ),
    "scann tree": Sample(
        "scann", {**_TREE, "reorder": "bfloat16"}, 200, "float32", True
    ),
    "scann compact": Sample(
        "scann", {**_TREE, "reorder": "memory_mapped"}, 200, "float16", True
    ),
}
_RESTARTS_LIMIT = 50
_EVERY_LINE = 3  # of the commit


def main(arguments: list[str] | None = None) -> None:
    """Runs the campaigns and prints their counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=200, help="random ones a change")
    parser.add_argument("--changes", type=int, default=60, help="under two readers")
    parser.add_argument("--mutations", type=int, default=10_000, help="over all kinds")
    parser.add_argument("--check", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.check:
        folder, name, first, stop = options.check
        check_mutations(Path(folder), name, range(int(first), int(stop)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _run_kills(folder / "kills", options.kills)
        _run_readers(folder / "readers", options.changes)
        per_kind = options.mutations // len(SAMPLES)
        for name in SAMPLES:
            start = time.perf_counter()
            outcomes = run_mutations(folder / name, name, per_kind)
            seconds = time.perf_counter() - start
            print(f"mutations of {name}: {dict(outcomes)}, {seconds:.0f} s", flush=True)


def _run_kills(folder: Path, trials: int) -> None:
    folder.mkdir()
    campaign = KillCampaign(folder)
    for name in CHANGES:
        steps = campaign.kill_at_steps(name)
        lines = campaign.kill_at_lines(name, every=_EVERY_LINE)
        campaign.kill_at_random(name, trials)
        text = f"kills of {name}: {steps} steps, {lines} lines, {trials} random"
        print(text, flush=True)
    print(f"left by kills: {dict(sorted(campaign.outcomes.items()))}", flush=True)


def _run_readers(folder: Path, changes: int) -> None:
    folder.mkdir()
    CHANGES["create"](folder / "index")
    for searches, states, wrong in Readers(folder / "index", 2, changes).run():
        print(f"reader: {searches} searches, {states} states, wrong: {wrong or 'none'}")


def run_mutations(folder: Path, name: str, count: int) -> Counter[str]:
    """Damages an index `count` times.

    Args:
        folder: Scratch folder, made here.
        name: One of `SAMPLES`.
        count: Mutations.

    Returns:
        How many were `refused`, `right`, `wrong`, `another error` or `crash`. What is
        neither refused nor right is printed.
    """
    folder.mkdir()
    outcomes: Counter[str] = Counter()
    first = 0
    for _ in range(_RESTARTS_LIMIT):
        command = [sys.executable, "-m", "benchmarks.index_reliability", "--check"]
        command += [str(folder), name, str(first), str(count)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            if process.stdout is None:
                raise RuntimeError("The process has no output.")
            started = None
            for line in process.stdout:
                report = json.loads(line)
                if "outcome" in report:
                    outcomes[report["outcome"]] += 1
                    if report["outcome"] not in ("refused", "right"):
                        print(name, report)
                    first, started = report["number"] + 1, None
                else:
                    started = report
        if started is None and process.returncode == 0:
            return outcomes
        outcomes["crash"] += 1
        print(f"{name}: crash {process.returncode} of {started}")
        first = started["number"] + 1 if started else first + 1
    return outcomes


def check_mutations(folder: Path, name: str, numbers: range) -> None:
    """Damages copies of an index; prints a line before and after each."""
    original, other, work = folder / "original", folder / "other", folder / "work"
    if not other.exists():
        make_sample(original, SAMPLES[name])
        make_sample(other, SAMPLES[name], seed=1)
    right = answer(original)
    for number in numbers:
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(original, work)
        what = mutate(work, other, number)
        print(json.dumps({"number": number, "what": what}), flush=True)
        try:
            # An intact copy of the other index has its own right answers.
            outcome = "right" if same(answer(work), right) else "wrong"
            if outcome == "wrong" and _is_copy(work, other):
                outcome = "right"
        except RetrievalError:
            outcome = "refused"
        except Exception as error:
            outcome, what = "another error", f"{what}: {error!r}"
        report = {"number": number, "outcome": outcome, "what": what}
        print(json.dumps(report), flush=True)


def _is_copy(folder: Path, other: Path) -> bool:
    """Whether all that the manifest names is that of the other index."""
    manifests = [path / "manifest.json" for path in (folder, other)]
    contents = [json.loads(path.read_text()) for path in manifests]
    return contents[0] == contents[1] and PlaceIndex(folder).verify().is_intact


if __name__ == "__main__":
    main()
