"""Compares ways to search a city of generated descriptors.

Example:
  python -m benchmarks.retrieval --images 100000 --dim 512

Prints a markdown table. Each index is built in a process of its own, and opened and
searched in another; memory is that of the process (VmHWM while it builds and writes,
VmRSS when it is open). The descriptors are described in `retrieval_data.py`. Engines
of a Milvus server use the one that MILVUS_URI names, or one that is started for them;
their memory, disk and CPU time are the client's. "By CPU time" is queries/s as if no
other program had run.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import record
from benchmarks.milvus_server import LONG_SESSION_S, MilvusProcess
from benchmarks.retrieval_data import generate_city
from benchmarks.retrieval_engines import Search, engines, write_float16
from benchmarks.timing import describe_machine, measure_rate, memory_mib
from vpr_tf.milvus_address import URI_VARIABLE

_K = 20
_REPETITIONS = 3
_MAX_SECONDS_OF_SINGLE_QUERIES = 30.0
_DEFAULT_ENGINES = (
    "faiss_flat",
    "exact",
    "exact_float16",
    "scann",
    "scann_thorough",
    "scann_float32",
    "scann_bfloat16",
    "compact",
    "compact_thorough",
    "faiss_hnsw",
)
_COLUMNS: tuple[tuple[str, str], ...] = (
    ("build s", "{build_s:.0f}"),
    ("of CPU", "{build_cpu_s:.0f}"),
    ("build peak MiB", "{build_peak_mib:.0f}"),
    ("on disk MiB", "{disk_mib:.0f}"),
    ("open s", "{open_s:.2f}"),
    ("resident MiB", "{resident_mib:.0f}"),
    ("resident after search MiB", "{searched_mib:.0f}"),
    ("p50 ms", "{p50_ms:.2f}"),
    ("p95 ms", "{p95_ms:.2f}"),
    ("queries/s", "{queries_per_s:.0f}"),
    ("by CPU time", "{queries_per_s_of_cpu:.0f}"),
    ("nearest found", "{nearest:.3f}"),
    ("top 20 found", "{top:.3f}"),
)


def main() -> None:
    """Runs the benchmark, or one step of it in a process of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--leaves", type=int, help="of ScaNN; default: its own number")
    parser.add_argument(
        "--work-dir",
        type=Path,
        help="keeps descriptors and indexes for the next run; default: a temporary one",
    )
    parser.add_argument(
        "--engines", nargs="+", choices=engines(), default=_DEFAULT_ENGINES
    )
    parser.add_argument(
        "--step", choices=("build", "search", "truth"), help=argparse.SUPPRESS
    )
    args = parser.parse_args()
    if args.step:
        name, folder = args.engines[0], args.work_dir
        steps: dict[str, Callable[[], dict[str, float]]] = {
            "build": lambda: _build(name, folder, args.leaves),
            "truth": lambda: _find_truth(name, folder),
            "search": lambda: _search(name, folder),
        }
        print(json.dumps(steps[args.step]()))
        return
    with contextlib.ExitStack() as stack:
        if args.work_dir is None:
            folder = tempfile.TemporaryDirectory(prefix="vpr_tf_benchmark_")
            args.work_dir = Path(stack.enter_context(folder))
        args.work_dir.mkdir(parents=True, exist_ok=True)
        if any(name.startswith("milvus") for name in args.engines):
            stack.enter_context(_milvus_server(args.work_dir / "milvus_server"))
        run(args)


@contextlib.contextmanager
def _milvus_server(folder: Path) -> Iterator[None]:
    """Starts a server, unless the environment names one."""
    if os.environ.get(URI_VARIABLE):
        yield
        return
    server = MilvusProcess(folder, LONG_SESSION_S)
    os.environ[URI_VARIABLE] = server.uri
    try:
        yield
    finally:
        server.stop()


def run(args: argparse.Namespace) -> None:
    """Generates the city and prints a row for each engine."""
    folder = args.work_dir
    if not (folder / "queries.npy").exists():
        generate_city(folder, args.images, args.dim, args.queries, args.seed)
    if not (folder / "truth.npy").exists():
        _in_process("exact", "truth", args, build_first=True)
    print(
        f"{args.images} images of {args.dim} values, {args.queries} queries, seed "
        f"{args.seed}; {args.threads} threads, {describe_machine()}\n"
    )
    print("| index | " + " | ".join(name for name, _ in _COLUMNS) + " |")
    print("|---" * (len(_COLUMNS) + 1) + "|", flush=True)
    flat_per_s = None
    for name in args.engines:
        measured = _in_process(name, "search", args, build_first=True)
        cells = [form.format(**measured) for _, form in _COLUMNS]
        title = engines()[name].name
        print(f"| {title} | " + " | ".join(cells) + " |", flush=True)
        if name == "faiss_flat":
            flat_per_s = measured["queries_per_s"]
        _record(title, args, measured, flat_per_s)


def _record(
    title: str,
    args: argparse.Namespace,
    measured: dict[str, Any],
    flat_per_s: float | None,
) -> None:
    what = f"{title}, {args.images:,} x {args.dim}"
    per_s = measured["queries_per_s"]
    record(
        "retrieval",
        f"{what}: queries",
        per_s,
        "queries/s",
        peer="faiss flat" if flat_per_s else "",
        ratio=per_s / flat_per_s if flat_per_s else None,
    )
    record("retrieval", f"{what}: one query", measured["p50_ms"], "ms")
    record("retrieval", f"{what}: nearest found", 100 * measured["nearest"], "%")


def _in_process(
    name: str, step: str, args: argparse.Namespace, build_first: bool = False
) -> dict[str, Any]:
    folder = args.work_dir
    built = folder / engines()[name].folder / "built.json"
    result: dict[str, Any] = {}
    if build_first:
        if not built.exists():
            if engines()[name].half:
                write_float16(folder / "database.npy")
            built.parent.mkdir(exist_ok=True)
            built.write_text(json.dumps(_in_process(name, "build", args)))
        result = json.loads(built.read_text())
    command = [sys.executable, "-m", "benchmarks.retrieval", "--step", step]
    command += ["--engines", name, "--work-dir", str(folder)]
    command += ["--leaves", str(args.leaves)] if args.leaves else []
    threads = str(args.threads)
    finished = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
    )
    return result | json.loads(finished.stdout.splitlines()[-1])


def _build(name: str, folder: Path, num_leaves: int | None) -> dict[str, float]:
    engine = engines()[name]
    out = folder / engine.folder
    start, cpu = time.perf_counter(), time.process_time()
    engine.build(folder / "database.npy", out, num_leaves)
    return {
        "build_s": time.perf_counter() - start,
        "build_cpu_s": time.process_time() - cpu,
        "build_peak_mib": memory_mib("VmHWM"),
        "disk_mib": sum(path.stat().st_size for path in out.iterdir()) / (1 << 20),
    }


def _find_truth(name: str, folder: Path) -> dict[str, float]:
    engine = engines()[name]
    search = engine.open(folder / "database.npy", folder / engine.folder)
    np.save(folder / "truth.npy", search(np.load(folder / "queries.npy"), _K))
    return {}


def _search(name: str, folder: Path) -> dict[str, float]:
    engine = engines()[name]
    queries = np.load(folder / "queries.npy")
    start = time.perf_counter()
    search = engine.open(folder / "database.npy", folder / engine.folder)
    open_s = time.perf_counter() - start
    resident = memory_mib("VmRSS")
    search(queries[:50], _K)
    single = _single_query_ms(search, queries)
    batches = measure_rate(lambda: search(queries, _K), len(queries), _REPETITIONS)
    found = search(queries, _K)
    truth = np.load(folder / "truth.npy")
    top = [np.isin(a, b).mean() for a, b in zip(truth, found, strict=True)]
    return {
        "open_s": open_s,
        "resident_mib": resident,
        "searched_mib": memory_mib("VmRSS"),
        "p50_ms": float(np.percentile(single, 50)),
        "p95_ms": float(np.percentile(single, 95)),
        "queries_per_s": batches.per_second,
        "queries_per_s_of_cpu": batches.per_second_of_cpu,
        "nearest": float((found[:, 0] == truth[:, 0]).mean()),
        "top": float(np.mean(top)),
    }


def _single_query_ms(search: Search, queries: np.ndarray) -> list[float]:
    times: list[float] = []
    end = time.perf_counter() + _MAX_SECONDS_OF_SINGLE_QUERIES
    for row in range(len(queries)):
        query = queries[row : row + 1]
        times.append(_seconds(functools.partial(search, query, _K)) * 1e3)
        if time.perf_counter() > end:
            break
    return times


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
