"""What millions of photos cost before any pixel counts: time and memory of each step.

    python -m benchmarks.scale --rows 4000000 12000000 41200000 --work DIR

Rows are drawn by a seed with the extent, headings, years and density of SF-XL; see
`sf_xl_rows.py`, and `scale_dataset.py` for what is simulated. Each step runs in a
process of its own, which calls the functions that `vpr data build`, `vpr train`,
`vpr evaluate` and `vpr photos` call. Its time is without the start of Python and of
TensorFlow. Its memory is the most that the process had, in brackets with the
memory-mapped files, whose pages the system takes back when it needs them; where it
trains or evaluates, 0.7 GiB are TensorFlow's. What was
measured stays in DIR: the same command goes on, `--again STEP` measures one anew.
41.2 million rows take 20 GiB of disk.
"""

from __future__ import annotations

import argparse
import importlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.figures import record
from benchmarks.scale_dataset import SimulatedDataset, Size
from benchmarks.scale_steps import IMPORTS, STEPS
from benchmarks.timing import describe_machine, memory_mib, own_memory_watched


def main(arguments: list[str] | None = None) -> None:
    """Measures all steps at all sizes, or one of them in this process."""
    options = _parse(arguments)
    if options.step:
        size = Size(options.rows[0], tuple(options.queries), options.seed)
        print(json.dumps(measure(options.step, SimulatedDataset(options.work, size))))
        return
    print(f"{describe_machine()}; seed {options.seed}, queries {options.queries}")
    results = {rows: _measure_all(options, rows) for rows in options.rows}
    print("\n".join(table(results)))
    _record(results[max(results)], max(results))


def measure(step: str, dataset: SimulatedDataset) -> dict[str, Any]:
    """Runs a step; returns seconds by the clock and of CPU, MiB, and what it found.

    Memory is the most of the process, without and with memory-mapped files.
    """
    if step in IMPORTS:
        importlib.import_module(IMPORTS[step])
    with own_memory_watched() as own_mib:
        clock, cpu = time.perf_counter(), time.process_time()
        found = STEPS[step](dataset)
        clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
    return {
        "clock_s": clock,
        "cpu_s": cpu,
        "own_mib": own_mib[0],
        "peak_mib": memory_mib("VmHWM"),
        "found": found or "",
    }


def _measure_all(options: argparse.Namespace, rows: int) -> dict[str, dict[str, Any]]:
    folder = options.work / str(rows)
    results: dict[str, dict[str, Any]] = {}
    if options.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    for step in options.steps or STEPS:
        known = folder / f"{step}.json"
        if not known.exists() or step in options.again:
            folder.mkdir(parents=True, exist_ok=True)
            results[step] = _in_process(options, rows, step, folder)
            if "failed" not in results[step]:  # else the next call tries again
                known.write_text(json.dumps(results[step]))
        else:
            results[step] = json.loads(known.read_text())
        print(f"{rows:>12,} {step}: {_text(results[step])}", flush=True)
    if options.delete:
        shutil.rmtree(folder / "dataset")
    return results


def _in_process(
    options: argparse.Namespace, rows: int, step: str, folder: Path
) -> dict[str, Any]:
    queries = [str(count) for count in options.queries]
    command = [sys.executable, "-m", "benchmarks.scale", "--step", step]
    command += ["--rows", str(rows), "--work", str(folder), "--queries", *queries]
    command += ["--seed", str(options.seed)]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if finished.returncode:
        return {"failed": finished.returncode}
    result: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return result


def table(results: dict[int, dict[str, dict[str, Any]]]) -> list[str]:
    """Returns a markdown table: a step a row, a size a column.

    The last column is how much more CPU time a row takes at the largest size than at
    the smallest; 1 is linear.
    """
    sizes = sorted(results)
    lines = ["| step | " + " | ".join(f"{rows:,}" for rows in sizes) + " | growth |"]
    lines.append("|---" * (len(sizes) + 2) + "|")
    for step in results[sizes[0]]:
        known = [results[rows].get(step, {"failed": "?"}) for rows in sizes]
        cells = [_text(one) for one in known]
        growth = ""
        if all("cpu_s" in one for one in known):
            rates = [
                one["cpu_s"] / rows for one, rows in zip(known, sizes, strict=True)
            ]
            growth = f"{rates[-1] / rates[0]:.2f}"
        lines.append(f"| {step} | " + " | ".join(cells) + f" | {growth} |")
    return lines


def _record(measured: dict[str, dict[str, Any]], rows: int) -> None:
    for step, result in measured.items():
        if "cpu_s" in result:
            per_million = result["cpu_s"] / rows * 1e6
            record("scale", f"{step}, CPU of a million rows", per_million, "s")
            record("scale", f"{step}, memory", result["own_mib"], "MiB")


def _text(result: dict[str, Any]) -> str:
    if "failed" in result:
        return f"failed ({result['failed']})"
    found = f"; {result['found']}" if result["found"] else ""
    return (
        f"{result['clock_s']:.1f} s, CPU {result['cpu_s']:.1f} s, "
        f"{result['own_mib'] / 1024:.2f} ({result['peak_mib'] / 1024:.2f}) GiB{found}"
    )


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sizes = [4_000_000, 12_000_000, 41_200_000]
    parser.add_argument("--rows", type=int, nargs="+", default=sizes)
    parser.add_argument("--work", type=Path, required=True, metavar="DIR")
    parser.add_argument("--queries", type=int, nargs=2, default=[1_000, 100_000])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", nargs="+", choices=STEPS, help="these alone")
    parser.add_argument("--again", nargs="+", choices=STEPS, default=[])
    parser.add_argument(
        "--delete", action="store_true", help="deletes each dataset when it is measured"
    )
    parser.add_argument("--fresh", action="store_true", help="forgets what is in DIR")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
