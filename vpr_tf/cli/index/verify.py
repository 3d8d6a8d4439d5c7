"""Compares every file of an index with its checksum.

The exit status is 1 when a file is damaged or missing; it is named.

Example:
  python -m vpr_tf.place_index verify city.index
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tqdm import tqdm

from vpr_tf.cli.index.output import size_text
from vpr_tf.place_index import PlaceIndex
from vpr_tf.place_index.manifest import read_manifest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("index", help="folder of the index")


def run(options: argparse.Namespace) -> int:
    """Verifies an index; returns the exit status."""
    total = read_manifest(Path(options.index)).num_bytes
    with tqdm(total=total, unit="B", unit_scale=True, disable=None) as bar:
        report = PlaceIndex(options.index).verify(progress=bar.update)
    if report.is_intact:
        print(
            f"{options.index} is intact: {report.num_files:,} files, "
            f"{size_text(report.num_bytes)}"
        )
        return 0
    for name, problem in report.problems.items():
        print(f"{Path(options.index) / name} {problem}")
    if report.damaged_photos:
        print(f"Damaged descriptors: {', '.join(report.damaged_photos)}")
    print("Restore these files from a copy of the folder, or build the index again.")
    return 1
