"""Speed and memory of the partition: `python -m benchmarks.partition --rows 41200000`.

The rows imitate SF-XL (`sf_xl_rows.py`), sorted by position as file names are; of fewer
rows the city is smaller. `--shuffled` is the worst order.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Iterator

import numpy as np

from benchmarks.figures import record
from benchmarks.sf_xl_rows import WHOLE_CITY, draw_panoramas, photo_rows
from data_prep.partition.assignment import Columns, assign_classes
from vpr_tf.config import CosPlaceConfig

_COLUMNS = ("utm_east_cm", "utm_north_cm", "utm_zone", "heading_deg")
_ROWS_AT_ONCE = 1 << 16


def generate_columns(num_rows: int, seed: int, shuffled: bool) -> Columns:
    """Returns positions, zones and headings in the types of the record index."""
    rows = photo_rows(draw_panoramas(num_rows, seed))[:num_rows]
    columns = [rows[name].copy() for name in _COLUMNS]
    if shuffled:
        order = np.random.default_rng(seed).permutation(num_rows)
        columns = [column[order] for column in columns]
    return columns[0], columns[1], columns[2], columns[3]


def _peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Generates rows, partitions them and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=WHOLE_CITY)
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
