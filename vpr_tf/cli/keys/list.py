"""Lists the keys of a service: names, roles and rates, not the keys.

Example:
  vpr keys list --file keys.json
"""

from __future__ import annotations

import argparse
import dataclasses

from vpr_tf.cli.keys.key_option import add_key_file
from vpr_tf.cli.main import Outcome
from vpr_tf.cli.options import add_json
from vpr_tf.serving.key_file import read_keys
from vpr_tf.tables import Column, Table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_key_file(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Lists keys."""
    content = []
    for key in read_keys(options.file):
        fields = dataclasses.asdict(key)
        del fields["sha256"]
        content.append(fields)
    if not content:
        return Outcome(content, f"{options.file} has no keys.")
    columns = [Column("name"), Column("role"), Column("photos a minute", digits=0)]
    rows = [tuple(fields.values()) for fields in content]
    return Outcome(content, Table("", [*columns, Column("created")], rows).to_text())
