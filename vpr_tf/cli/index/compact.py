"""Merges what was added to an index and drops what was removed.

The search structure is built again for all photos, which restores its speed; the
space of removed photos is freed. Queries go on meanwhile.

Example:
  python -m vpr_tf.place_index compact city.index
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vpr_tf.cli.index.output import print_change, size_text
from vpr_tf.place_index import IndexManifest, compact, read_manifest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("index", help="folder of the index")


def run(options: argparse.Namespace) -> int:
    """Compacts an index; returns the exit status."""
    before = read_manifest(Path(options.index))
    report = compact(options.index)
    after = report.manifest
    if after.generation == before.generation:
        print("Nothing was added or removed since the index was built.")
    else:
        print(
            f"Merged: {len(before.segments)} parts and {before.num_removed:,} removed "
            f"photos; {size_text(_size(before))} became {size_text(_size(after))}"
        )
    print_change(report)
    return 0


def _size(manifest: IndexManifest) -> int:
    return sum(file.num_bytes for file in manifest.files().values())
