"""Merges what was added to an index and drops what was removed.

The search structure is built again for all photos, which restores its speed; the
space of removed photos is freed. Queries go on meanwhile.

Example:
  vpr index compact --index city.index
"""

from __future__ import annotations

import argparse

from vpr_tf.cli.main import Outcome
from vpr_tf.cli.options import add_index, add_json
from vpr_tf.cli.output import change_outcome, size_text
from vpr_tf.place_index import PlaceIndex


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_index(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Compacts an index."""
    with PlaceIndex.open(options.index) as index:
        before = index.manifest
        after = index.compact()
    if after.generation == before.generation:
        text = "Nothing was added or removed since the index was built."
    else:
        text = (
            f"Merged: {len(before.segments)} parts and {before.num_removed:,} removed "
            f"photos; {size_text(before.num_bytes)} became {size_text(after.num_bytes)}"
        )
    return change_outcome(after, text)
