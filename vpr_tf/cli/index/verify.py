"""Compares every file of an index with its checksum.

The exit status is 1 when a file is damaged or missing; it is named.

Example:
  vpr index verify --index city.index
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from tqdm import tqdm

from vpr_tf.cli.main import PARTLY, Outcome
from vpr_tf.cli.options import add_index, add_json
from vpr_tf.cli.output import size_text
from vpr_tf.place_index import PlaceIndex
from vpr_tf.place_index.manifest import read_manifest
from vpr_tf.printable import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_index(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Verifies an index; status 1 when something is damaged."""
    total = read_manifest(Path(options.index)).num_bytes
    with tqdm(total=total, unit="B", unit_scale=True, disable=None) as bar:
        report = PlaceIndex(options.index).verify(progress=bar.update)
    content = dataclasses.asdict(report)
    if report.is_intact:
        text = (
            f"{options.index} is intact: {report.num_files:,} files, "
            f"{size_text(report.num_bytes)}"
        )
        return Outcome(content, text)
    lines = [
        printable(f"{Path(options.index) / name} {problem}")
        for name, problem in report.problems.items()
    ]
    if report.damaged_photos:
        lines.append(
            f"Damaged descriptors: {', '.join(map(printable, report.damaged_photos))}"
        )
    lines.append(
        "Restore these files from a copy of the folder, or build the index again."
    )
    return Outcome(content, "\n".join(lines), PARTLY)
