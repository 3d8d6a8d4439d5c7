"""Compares exact search of a city with the search of its best cells.

Example:
  python -m benchmarks.narrowed --images 2800000 --cells 113000 --groups 4 --dim 512 \\
      --num-cells 100

Prints a markdown table: medians of single queries, by the clock and by CPU time, which
other programs disturb less; and one batch. Descriptors are generated: the centre of a
cell and noise, in the order of the cells or in any order. Cells are squares of the UTM
grid; a group has every other in both directions.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.figures import record
from benchmarks.timing import describe_machine
from vpr_tf.classification import ClassTable, GroupHead, PlaceClassifier
from vpr_tf.classification.cell_ranking import ClassifierCells
from vpr_tf.classification.cells import GridCells
from vpr_tf.classification.class_table import OWN_GROUP
from vpr_tf.classification.prototype_search import PrototypeSearch
from vpr_tf.data.records import NO_CLASS
from vpr_tf.geo import UNKNOWN_HEADING_DEG, Positions
from vpr_tf.search import CellFilteredIndex, CellRows, ExactIndex, search_cells

_K = 20
_CELL_M = 20
_ZONE = 10
# Length of the noise beside a centre of length 1: two photos of a cell have a cosine
# similarity of about 0.6, as those of a place in San Francisco have for a ResNet-18.
_NOISE = 0.8
_ROWS_PER_PIECE = 50_000


class Median(NamedTuple):
    """Of several calls.

    Attributes:
        ms: Milliseconds by the clock.
        cpu_ms: Of all cores together.
    """

    ms: float
    cpu_ms: float


class City(NamedTuple):
    """What is searched.

    Attributes:
        database: Memory-mapped.
        positions: Of the database.
        classifier: Its prototypes are the centres of the cells.
        queries: Further photos of some cells.
        cells: The cell of each query.
    """

    database: np.ndarray
    positions: Positions
    classifier: PlaceClassifier
    queries: np.ndarray
    cells: np.ndarray


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=140_000)
    parser.add_argument("--cells", type=int, default=5_650)
    parser.add_argument("--groups", type=int, default=4)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--num-cells", type=int, default=100)
    parser.add_argument("--queries", type=int, default=64, help="of the batch")
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--dtype", choices=("float32", "float16"), default="float32")
    parser.add_argument(
        "--order", choices=("cells", "any"), default="any", help="of the photos"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="folder of the database file")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.work, prefix="narrowed_") as folder:
        run(args, Path(folder))


def run(args: argparse.Namespace, folder: Path) -> None:
    """Generates the city and prints what was measured."""
    city = generate_city(args, folder)
    print(
        f"{args.images:,} images of {args.dim} {args.dtype} values in {args.cells:,} "
        f"cells (in the order of: {args.order}), {args.groups} groups, K = "
        f"{args.num_cells}; {describe_machine()}\n",
        flush=True,
    )
    start = time.perf_counter()
    cells = ClassifierCells(city.classifier)
    located = cells.cells_of(city.positions)
    cell_rows = CellRows.from_cells(located, cells.num_cells)
    print(f"rows by cell: {time.perf_counter() - start:.2f} s", flush=True)
    exact = ExactIndex.build(city.database)
    print(
        "| single query | ms | CPU ms | times faster | by CPU time | right |\n"
        "|---|---:|---:|---:|---:|---:|"
    )
    alone = _row("exact search alone", exact, city, args)
    for name, kind in (("product", None), ("exact index", "exact"), ("ScaNN", "scann")):
        start = time.perf_counter()
        search = PrototypeSearch.build(city.classifier, kind) if kind else None
        built_s = time.perf_counter() - start
        ranking = ClassifierCells(city.classifier, search)
        narrowed = CellFilteredIndex(exact, cell_rows, ranking, args.num_cells)
        _scoring_row(f"cells by {name}", ranking, cell_rows, city, args)
        _row(f"both, by {name}", narrowed, city, args, alone)
    chosen = ranking.best_cells(city.queries, args.num_cells, cell_rows.is_held)
    print(f"\nScaNN of the prototypes: built in {built_s:.1f} s")
    inside = _median(
        lambda i: search_cells(
            city.database, city.queries[i : i + 1], _K, cell_rows, chosen[i : i + 1]
        ),
        args,
    )
    print(
        f"search inside of {args.num_cells} cells: {inside.ms:.2f} ms, "
        f"{inside.cpu_ms:.2f} of CPU"
    )
    _print_batch(exact, narrowed, city)
    print(f"memory: {_memory_mib('VmHWM'):,.0f} MiB at most, with the file's pages")


def generate_city(args: argparse.Namespace, folder: Path) -> City:
    """Writes the descriptors piece by piece, and makes the rest in memory."""
    rng = np.random.default_rng(args.seed)
    centres = _unit(rng.standard_normal((args.cells, args.dim), np.float32))
    cell_of_row = np.sort(rng.integers(args.cells, size=args.images))
    if args.order == "any":
        rng.shuffle(cell_of_row)
    database = np.lib.format.open_memmap(
        folder / "database.npy", "w+", args.dtype, (args.images, args.dim)
    )
    for start in range(0, args.images, _ROWS_PER_PIECE):
        piece = slice(start, start + _ROWS_PER_PIECE)
        database[piece] = _photos(rng, centres[cell_of_row[piece]])
    database.flush()
    del database
    visited = rng.choice(cell_of_row, args.queries)
    queries = _photos(rng, centres[visited])
    opened = np.load(folder / "database.npy", mmap_mode="r")
    grid = _grid(args.cells)
    positions = _positions(rng, grid, cell_of_row)
    classifier = _classifier(args, grid, centres)
    return City(opened, positions, classifier, queries, visited)


def _photos(rng: np.random.Generator, centres: np.ndarray) -> np.ndarray:
    noise = rng.standard_normal(centres.shape, np.float32)
    noise *= np.float32(_NOISE / np.sqrt(centres.shape[1]))
    noise += centres
    return _unit(noise)


def _unit(rows: np.ndarray) -> np.ndarray:
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def _grid(num_cells: int) -> np.ndarray:
    """Returns east and north numbers of cells in a square, `(num_cells, 2)`."""
    side = int(np.ceil(np.sqrt(num_cells)))
    number = np.arange(num_cells)
    return np.stack([27_000 + number // side, 208_000 + number % side], axis=1)


def _positions(
    rng: np.random.Generator, grid: np.ndarray, cells: np.ndarray
) -> Positions:
    """Returns positions anywhere in their cells; their degrees are not asked for."""
    size_cm = 100 * _CELL_M
    inside = rng.integers(size_cm, size=(len(cells), 2))
    east, north = (grid[cells] * size_cm + inside).T
    unknown = np.zeros(len(cells))
    zone = np.full(len(cells), _ZONE, np.int16)
    return Positions(east, north, zone, unknown, unknown)


def _classifier(
    args: argparse.Namespace, grid: np.ndarray, centres: np.ndarray
) -> PlaceClassifier:
    side = int(np.sqrt(args.groups))
    group = (grid[:, 0] % side) * side + grid[:, 1] % side
    members = np.full((args.cells, side * side), NO_CLASS, np.int32)
    heads = []
    for number in range(side * side):
        own = np.flatnonzero(group == number)
        members[own, number] = np.arange(len(own))
        heads.append(GroupHead("cosine", np.ascontiguousarray(centres[own].T)))
    zone = np.full(args.cells, _ZONE, np.int64)
    cells = GridCells(_CELL_M, zone, grid[:, 0], grid[:, 1])
    middle = grid * 100 * _CELL_M + 50 * _CELL_M
    unknown = np.zeros(args.cells)
    table = ClassTable(
        Positions(middle[:, 0], middle[:, 1], zone, unknown, unknown),
        np.full(args.cells, UNKNOWN_HEADING_DEG),
        members,
        np.arange(args.cells),
        cells,
        OWN_GROUP,
    )
    return PlaceClassifier(table, tuple(heads))


def _row(
    name: str,
    index: ExactIndex | CellFilteredIndex,
    city: City,
    args: argparse.Namespace,
    alone: Median | None = None,
) -> Median:
    """Prints a line of the table and returns its time."""
    median = _median(lambda i: index.search(city.queries[i : i + 1], _K), args)
    count = min(len(city.queries), args.repetitions)
    found = index.search(city.queries[:count], 1)[1][:, 0]
    centre = city.positions.take(found)
    size_cm = 100 * _CELL_M
    grid = _grid(args.cells)[city.cells[:count]]
    right = centre.utm_east_cm // size_cm == grid[:, 0]
    right &= centre.utm_north_cm // size_cm == grid[:, 1]
    faster = " | "
    if alone is not None:
        by_cpu = alone.cpu_ms / median.cpu_ms
        faster = f"{alone.ms / median.ms:.1f} | {by_cpu:.1f}"
    times = f"{median.ms:.2f} | {median.cpu_ms:.2f}"
    print(f"| {name} | {times} | {faster} | {right.mean():.2f} |", flush=True)
    record(
        "narrowed",
        f"{name}, {args.images:,} x {args.dim}, {args.cells:,} cells",
        median.cpu_ms,
        "ms of CPU",
        peer="exact search" if alone else "",
        ratio=alone.cpu_ms / median.cpu_ms if alone else None,
    )
    return median


def _scoring_row(
    name: str,
    ranking: ClassifierCells,
    cell_rows: CellRows,
    city: City,
    args: argparse.Namespace,
) -> None:
    def best(i: int) -> np.ndarray:
        queries = city.queries[i : i + 1]
        return ranking.best_cells(queries, args.num_cells, cell_rows.is_held)

    median = _median(best, args)
    count = min(len(city.queries), args.repetitions)
    right = [city.cells[i] in best(i)[0] for i in range(count)]
    times = f"{median.ms:.2f} | {median.cpu_ms:.2f}"
    print(f"| {name} | {times} | | | {np.mean(right):.2f} |", flush=True)


def _print_batch(exact: ExactIndex, narrowed: CellFilteredIndex, city: City) -> None:
    seconds = []
    for index in (exact, narrowed):
        index.search(city.queries[:2], _K)
        start = time.perf_counter()
        index.search(city.queries, _K)
        seconds.append(time.perf_counter() - start)
    exact_s, narrowed_s = seconds
    print(
        f"batch of {len(city.queries)}: exact search {exact_s * 1e3:.0f} ms, both by "
        f"ScaNN {narrowed_s * 1e3:.0f} ms ({exact_s / narrowed_s:.1f} times faster)"
    )


def _median(function: Callable[[int], object], args: argparse.Namespace) -> Median:
    """Calls a function for some queries, one after the other; two first, to warm up."""
    clock, cpu = [], []
    for number in range(-2, min(args.repetitions, args.queries)):
        start, cpu_start = time.perf_counter(), time.process_time()
        function(max(0, number))
        clock.append((time.perf_counter() - start) * 1e3)
        cpu.append((time.process_time() - cpu_start) * 1e3)
    return Median(statistics.median(clock[2:]), statistics.median(cpu[2:]))


def _memory_mib(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    raise OSError("Memory is measured by /proc/self/status, which Linux has.")


if __name__ == "__main__":
    main()
