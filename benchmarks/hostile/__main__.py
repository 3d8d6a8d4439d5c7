"""`python -m benchmarks.hostile`."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import benchmarks.hostile
from benchmarks.hostile.campaign import Campaign, Row, findings_of
from benchmarks.hostile.kinds import kinds
from vpr_tf.tables import Column, Table


def main(arguments: list[str] | None = None) -> int:
    """Runs the kinds and prints the table; returns 1 if there are findings."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hostile",
        description=benchmarks.hostile.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kinds", nargs="*", default=[], metavar="KIND")
    parser.add_argument("--count", type=int, help="of each kind; else its own number")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", metavar="KIND:NUMBER", help="read one input again")
    parser.add_argument(
        "--minutes",
        type=float,
        default=float("inf"),
        help="a kind stops after these, and goes on when the command is run again",
    )
    parser.add_argument("--jobs", type=int, default=2, help="kinds at a time")
    parser.add_argument("--output", type=Path, default=Path("runs/hostile"))
    options = parser.parse_args(arguments)
    known = kinds()
    unknown = [name for name in options.kinds if name not in known]
    if unknown:
        parser.error(f"unknown kinds {unknown}; there are {', '.join(known)}")
    campaign = Campaign(options.output, options.seed, 60 * options.minutes)
    if options.only:
        name, number = options.only.split(":")
        accepted, finding = campaign.run_one(name, int(number))
        print(finding or ("accepted" if accepted else "refused"))
        return int(bool(finding))
    wanted = {
        name: known[name].count if options.count is None else options.count
        for name in options.kinds or known
    }
    with ThreadPoolExecutor(options.jobs) as pool:
        rows = list(pool.map(campaign.run_kind, wanted, wanted.values()))
    for row in rows:
        for sort, number in findings_of(options.output / row.kind).most_common():
            print(f"{row.kind}: {number} x {sort}")
    print(table(rows).to_text())
    return int(any(row.findings for row in rows))


def table(rows: list[Row]) -> Table:
    """Returns the table of the campaign, with sums."""
    sums = [sum(column) for column in list(zip(*rows, strict=True))[1:6]]
    slowest, seconds = max(row.slowest_ms for row in rows), sum(r.seconds for r in rows)
    columns = [Column(name.replace("_", " ")) for name in Row._fields]
    return Table("", columns, [*rows, ("all", *sums, slowest, seconds)])


if __name__ == "__main__":
    sys.exit(main())
