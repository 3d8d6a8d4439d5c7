"""`python -m benchmarks.faults`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import benchmarks.faults
from benchmarks.faults.campaign import Campaign, Count
from benchmarks.faults.children import import_all
from benchmarks.faults.injections import FAULTS
from vpr_tf.tables import Column, Table

OPERATIONS = (
    *("build", "train", "index_build", "index_add", "index_remove"),
    *("index_compact", "evaluate", "export"),
)


def main(arguments: list[str] | None = None) -> int:
    """Runs the trials and prints the table; returns 1 if there are findings."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faults",
        description=benchmarks.faults.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--operations", nargs="+", choices=OPERATIONS, default=OPERATIONS
    )
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=[*FAULTS])
    parser.add_argument("--count", type=int, default=100, help="of each of them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("runs/faults"))
    options = parser.parse_args(arguments)
    import_all()
    campaign = Campaign(options.output.absolute(), options.seed)
    try:
        for name in options.operations:
            for fault in options.faults:
                campaign.run(name, fault, options.count, print)
    finally:
        campaign.close()
    print(counts_table(campaign.counts).to_markdown())
    return int(any(count.findings for count in campaign.counts.values()))


def counts_table(counts: dict[str, Count]) -> Table:
    """Returns a row for each operation and fault.

    Args:
        counts: By `<operation> <fault>`.
    """
    columns = [Column("operation", "text"), Column("fault", "text")]
    columns += [Column("trials"), Column("struck"), Column("findings")]
    columns += [Column("s", digits=0)]
    rows = [
        [*key.split(), c.trials, c.faults, len(c.findings), c.seconds]
        for key, c in counts.items()
    ]
    return Table("", columns, rows)


if __name__ == "__main__":
    sys.exit(main())
