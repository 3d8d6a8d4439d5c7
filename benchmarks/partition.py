"""Speed and memory of the partition: `python -m benchmarks.partition --rows 41200000`.

The rows imitate SF-XL: panoramas along a street grid of 10 km by 12 km, twelve crops
each, sorted by position as file names are; of fewer rows the city is
smaller. `--shuffled` is the worst order.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Iterator

import numpy as np

from benchmarks.figures import record
from data_prep.partition.assignment import Columns, assign_classes
from vpr_tf.config import CosPlaceConfig

_WEST_CM, _SOUTH_CM = 543_000_00, 4_172_000_00
_WIDTH_CM, _HEIGHT_CM = 10_000_00, 12_000_00
_STREET_DISTANCE_CM, _STREET_WIDTH_CM = 97_00, 12_00
_CROPS = 12
_ROWS = 41_200_000  # of the whole city
_ROWS_AT_ONCE = 1 << 16


def generate_columns(num_rows: int, seed: int, shuffled: bool) -> Columns:
    """Returns positions, zones and headings in the types of the record index."""
    rng = np.random.default_rng(seed)
    num_panoramas = -(-num_rows // _CROPS)
    scale = (num_rows / _ROWS) ** 0.5
    along = rng.integers(0, int(scale * _WIDTH_CM), num_panoramas)
    across = rng.integers(0, int(scale * _HEIGHT_CM), num_panoramas)
    on_avenue = rng.random(num_panoramas) < 0.5
    sideways = rng.integers(0, _STREET_WIDTH_CM, num_panoramas)
    street_east = along // _STREET_DISTANCE_CM * _STREET_DISTANCE_CM + sideways
    street_north = across // _STREET_DISTANCE_CM * _STREET_DISTANCE_CM + sideways
    east = _WEST_CM + np.where(on_avenue, street_east, along)
    north = _SOUTH_CM + np.where(on_avenue, across, street_north)
    order = np.argsort(east)
    columns = [np.repeat(column[order], _CROPS)[:num_rows] for column in (east, north)]
    headings = np.tile(np.arange(0, 360, 30, dtype=np.float32), num_panoramas)
    headings = (headings + np.float32(7)) % 360
    columns += [np.full(num_rows, 10, np.int16), headings[:num_rows]]
    if shuffled:
        order = rng.permutation(num_rows)
        columns = [column[order] for column in columns]
    return columns[0], columns[1], columns[2], columns[3]


def _peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Generates rows, partitions them and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=_ROWS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shuffled", action="store_true")
    arguments = parser.parse_args()
    columns = generate_columns(arguments.rows, arguments.seed, arguments.shuffled)

    def read_columns() -> Iterator[Columns]:
        for start in range(0, arguments.rows, _ROWS_AT_ONCE):
            east, north, zone, heading = (
                column[start : start + _ROWS_AT_ONCE] for column in columns
            )
            yield east, north, zone, heading

    before_gib = _peak_gib()
    print("   seconds     rows/s      CPU s  rows/CPU s     classes  groups")
    rates: list[float] = []
    for _ in range(arguments.repeats):
        start, cpu_start = time.perf_counter(), time.process_time()
        assignment = assign_classes(read_columns, CosPlaceConfig())
        seconds = time.perf_counter() - start
        cpu_s = time.process_time() - cpu_start
        rates.append(arguments.rows / cpu_s)
        groups = int(assignment.classes["group_id"][-1]) + 1
        print(
            f"{seconds:>10.2f} {arguments.rows / seconds:>10,.0f} {cpu_s:>10.2f} "
            f"{arguments.rows / cpu_s:>11,.0f} {len(assignment.classes):>11,} "
            f"{groups:>7}"
        )
    what = f"CosPlace, {arguments.rows:,} rows"
    record("partition", what, statistics.median(rates), "rows/s of CPU")
    record("partition", f"{what}: peak memory", _peak_gib(), "GiB")
    print(
        f"peak memory {_peak_gib():.2f} GiB, of it rows generated {before_gib:.2f} GiB"
    )


if __name__ == "__main__":
    main()
