"""Removes a key, which a running service refuses from now on.

Example:
  vpr keys remove --file keys.json --name phone
"""

from __future__ import annotations

import argparse

from vpr_tf.cli.keys.key_option import add_key_file
from vpr_tf.cli.main import Outcome
from vpr_tf.cli.options import add_json
from vpr_tf.serving.key_file import remove_key


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_key_file(parser)
    parser.add_argument("--name", required=True, help="of the user")
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Removes a key."""
    key = remove_key(options.file, options.name)
    text = f"Removed: the key of {key.name} ({key.role})"
    return Outcome({"name": key.name, "role": key.role}, text)
