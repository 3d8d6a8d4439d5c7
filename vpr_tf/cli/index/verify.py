"""Compares every file of an index with its checksum.

The exit status is 1 when a file is damaged or missing; it is named. With the public key
of whoever made the index its signature is compared first, and files that do not belong
to it are named as well.

Examples:
  vpr index verify --index city.index
  vpr index verify --index city.index --key public.pem
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from vpr_tf.cli.main import PARTLY, Outcome
from vpr_tf.cli.options import add_index, add_json, add_public_key
from vpr_tf.cli.output import read_bar, size_text
from vpr_tf.place_index import PlaceIndex
from vpr_tf.printable import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_index(parser)
    add_public_key(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Verifies an index; status 1 when something is damaged."""
    with read_bar(options.index) as bar:
        report = PlaceIndex(options.index, options.key).verify(progress=bar.update)
    content = dataclasses.asdict(report)
    if report.is_intact:
        text = (
            f"{options.index} is intact: {report.num_files:,} files, "
            f"{size_text(report.num_bytes)}"
        )
        if report.signed_by:
            text += f"; signed with the key {report.signed_by}"
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
