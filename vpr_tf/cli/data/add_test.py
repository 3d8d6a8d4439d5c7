"""Adds test sets to a built dataset; nothing else of it is touched.

Folders and tables are relative to `build.source` of the config. A command that was
interrupted continues when it is run again.

Example:
  vpr data add-test --config configs/sf_xs_dark.yaml tokyo=tokyo/database,tokyo/queries
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from vpr_tf.cli.options import add_config, config_with_dataset

if TYPE_CHECKING:
    from vpr_tf.config import DatabaseAndQueries


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_config(parser)
    parser.add_argument(
        "--without-positions",
        action="store_true",
        help="the queries may have any names: no recall, predictions only",
    )
    parser.epilog = (
        "NAME=DATABASE,QUERIES is a test set; a key with a dot is of the config."
    )


def run(options: argparse.Namespace) -> int:
    """Adds the test sets."""
    named = [word for word in options.overrides if "." not in word.partition("=")[0]]
    options.overrides = [word for word in options.overrides if word not in named]
    if not named:
        raise ValueError("Pass at least one test set as NAME=DATABASE,QUERIES.")
    tests = dict(_test_set(word, not options.without_positions) for word in named)
    config = config_with_dataset(options)
    from data_prep import add_test

    add_test(config, tests)
    return 0


def _test_set(word: str, with_positions: bool) -> tuple[str, DatabaseAndQueries]:
    from vpr_tf.config import DatabaseAndQueries

    name, _, sources = word.partition("=")
    database, comma, queries = sources.partition(",")
    if not (name and database and comma and queries):
        raise ValueError(
            f"A test set must look like NAME=DATABASE,QUERIES. Received: {word!r}"
        )
    return name, DatabaseAndQueries(database, queries, with_positions)
