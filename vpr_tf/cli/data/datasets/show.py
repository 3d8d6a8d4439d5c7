"""Says what a public dataset is: files, licence, counts, protocols, paper.

Example:
  vpr data datasets show pitts30k
"""

from __future__ import annotations

import argparse
import dataclasses

from vpr_tf.cli.main import Outcome
from vpr_tf.cli.options import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("name", metavar="NAME", help="see `vpr data datasets list`")
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Describes."""
    from data_prep.datasets import find_adapter
    from vpr_tf.cli.output import facts_text

    description = find_adapter(options.name).description
    return Outcome(dataclasses.asdict(description), facts_text(description.facts()))
