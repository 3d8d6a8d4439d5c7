"""Makes a key for a user of the service, and prints it once.

The file holds its hash alone, and is made if it is missing. A running service sees the
change at once. A key of the role query may send photos, one of metrics read /metrics,
one of admin may do all, change an index too.

Examples:
  vpr keys add --file keys.json --name phone
  vpr keys add --file keys.json --name prometheus --role metrics
  vpr keys add --file keys.json --name me --role admin --rate 600
"""

from __future__ import annotations

import argparse

from vpr_tf.cli.keys.key_option import add_key_file
from vpr_tf.cli.main import Outcome
from vpr_tf.cli.options import add_json
from vpr_tf.serving.key_file import DEFAULT_RATE, QUERY, ROLES, add_key


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_key_file(parser)
    parser.add_argument("--name", required=True, help="of the user")
    parser.add_argument(
        "--role", choices=ROLES, default=QUERY, help="what the key is for; query"
    )
    parser.add_argument(
        "--rate",
        type=float,
        default=DEFAULT_RATE,
        metavar="PHOTOS",
        help=f"how many photos a minute it may send; default: {DEFAULT_RATE:g}",
    )
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Makes a key."""
    key = add_key(options.file, options.name, options.role, options.rate)
    content = {"name": options.name, "role": options.role, "key": key}
    text = (
        f"Key of {options.name} ({options.role}), shown only now:\n{key}\n"
        "It is sent as the header `Authorization: Bearer KEY`."
    )
    return Outcome(content, text)
