"""Merges what was added to an index and drops what was removed.

The search structure is built again for all photos, which restores its speed; the
space of removed photos is freed. Queries go on meanwhile.

Example:
  python -m vpr_tf.place_index compact city.index
"""

from __future__ import annotations

import argparse

from vpr_tf.cli.index.output import print_change, size_text
from vpr_tf.place_index import PlaceIndex


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("index", help="folder of the index")


def run(options: argparse.Namespace) -> int:
    """Compacts an index; returns the exit status."""
    with PlaceIndex.open(options.index) as index:
        before = index.manifest
        after = index.compact()
    if after.generation == before.generation:
        print("Nothing was added or removed since the index was built.")
    else:
        print(
            f"Merged: {len(before.segments)} parts and {before.num_removed:,} removed "
            f"photos; {size_text(before.num_bytes)} became {size_text(after.num_bytes)}"
        )
    print_change(after)
    return 0
