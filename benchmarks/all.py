"""Runs every benchmark of speed at one size and puts their figures into one table.

    python -m benchmarks.all [--size small] [--output DIR] [--only retrieval ...]

Each call is a folder of the output, named by its time: the printed text of each
benchmark, `figures.json`, `table.md`. A call that was interrupted goes on with
`--resume`. `history.html` of the output shows all calls of it; see
`benchmarks.history`. Benchmarks are processes one after the other; the machine should
have nothing else to do, and what its load was is said.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.figures import FILE_VARIABLE, Measurement, figures_table, read_figures
from benchmarks.history import write_history
from benchmarks.machine import describe_run
from benchmarks.plan import PLAN, SIZES, Planned
from vpr_tf.atomic_files import replace_file, write_json

_CITY = "configs/quickstart.yaml"


def main(arguments: list[str] | None = None) -> int:
    """Runs what is left to run, and prints the table; 1 where a benchmark failed."""
    options = _parse(arguments)
    folder = _folder(options.output, options.size, options.resume)
    planned = [one for one in PLAN if one.name in options.only]
    left_out = [one.name for one in planned if options.size not in one.by_size]
    failed = []
    city = _city(options.output)
    for one in planned:
        if options.size in one.by_size and not _run(one, options.size, folder, city):
            failed.append(one.name)
    for name in left_out:
        print(f"{name}: has no size {options.size}; left out")
    figures = [f for one in planned for f in _figures(folder / f"{one.name}.jsonl")]
    run = describe_run(options.size)
    rows = [dataclasses.asdict(figure) for figure in figures]
    write_json(folder / "figures.json", {**run, "failed": failed, "figures": rows})
    text = f"{_heading(run)}\n\n{figures_table(figures).to_markdown()}\n"
    with replace_file(folder / "table.md") as file:
        file.write_text(text, encoding="utf-8")
    print(f"\n{text}\n{write_history(options.output)}")
    for name in failed:
        print(f"{name} failed: {folder / name}.txt", file=sys.stderr)
    return 1 if failed else 0


def _folder(output: Path, size: str, resume: bool) -> Path:
    """Returns the folder of this call, which exists."""
    former = sorted(output.glob(f"20*-{size}"))
    if resume and not former:
        raise SystemExit(
            f"--resume needs a call of size {size} in {output}. Received: none. "
            "Start without --resume."
        )
    now = f"{datetime.datetime.now():%Y-%m-%d_%H-%M-%S}"
    folder = former[-1] if resume else output / f"{now}-{size}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _city(output: Path) -> dict[str, Path]:
    """Returns photos and a dataset of the miniature city, made once in the output."""
    work = output / "city"
    photos, dataset = work / "photos", work / "dataset"
    vpr = [sys.executable, "-m", "vpr_tf", "data"]
    places = [f"build.source={photos}", f"dataset.path={dataset}"]
    if not (dataset / "manifest.json").exists():
        words = ["synthesize", "--preset", "quickstart", "--output", str(photos)]
        subprocess.run([*vpr, *words], check=True)
        subprocess.run([*vpr, "build", "--config", _CITY, *places], check=True)
    return {"work": work, "photos": photos / "train", "dataset": dataset}


def _run(planned: Planned, size: str, folder: Path, city: dict[str, Path]) -> bool:
    """Runs a benchmark unless it has run; returns whether it succeeded."""
    kept = folder / f"{planned.name}.jsonl"
    if kept.exists():
        return True
    words = f"{planned.arguments} {planned.by_size[size]}".format(**city).split()
    print(f"{planned.name} {' '.join(words)}", flush=True)
    start = time.perf_counter()
    command = [sys.executable, "-m", f"benchmarks.{planned.name}", *words]
    log = folder / f"{planned.name}.txt"
    with replace_file(kept) as figures, log.open("w") as out:
        figures.touch()
        done = subprocess.run(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, FILE_VARIABLE: str(figures)},
            check=False,
        )
        seconds = time.perf_counter() - start
        if done.returncode:
            print(f"  failed after {seconds:.0f} s", flush=True)
    if done.returncode:
        kept.unlink()
        return False
    print(f"  {seconds:.0f} s", flush=True)
    return True


def _figures(file: Path) -> list[Measurement]:
    return read_figures(file) if file.exists() else []


def _heading(run: dict[str, str]) -> str:
    return f"{run['time']}, size {run['size']}: {run['machine']}; {run['versions']}"


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    names = [one.name for one in PLAN]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--output", type=Path, default=Path("runs/benchmarks"))
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--resume", action="store_true", help="the newest call")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
