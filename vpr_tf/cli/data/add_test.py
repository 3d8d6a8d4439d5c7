"""Adds test sets to a built dataset; what it holds is not touched.

Folders or CSV files are relative to `build.source`. A dataset that is killed in between
stays as it was; the same command, run again, continues.

Example:
  vpr data add-test --config configs/my_city.yaml tokyo=tokyo/database,tokyo/queries
"""

from __future__ import annotations

import argparse
from dataclasses import fields
from typing import Any

from vpr_tf.cli.options import add_config, config_with_dataset
from vpr_tf.cli.reading_options import add_reading, with_reading
from vpr_tf.paths import expand_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_config(parser, words=_SetsAndOverrides)
    add_reading(parser)
    parser.set_defaults(sets=[])
    parser.add_argument(
        "--without-positions",
        action="store_true",
        help="the queries need no positions; there will be no recall",
    )


def run(options: argparse.Namespace) -> int:
    """Adds the sets NAME=DATABASE,QUERIES."""
    config = with_reading(options, config_with_dataset(options))
    from vpr_tf.config import DatabaseAndQueries

    tests = {}
    for word in options.sets:
        name, _, sources = word.partition("=")
        database, _, queries = sources.partition(",")
        if not (name and database and queries) or "," in queries:
            raise ValueError(
                "A test set must be given as NAME=DATABASE,QUERIES. Received: "
                f"{word!r}. Name folders or CSV files below build.source."
            )
        tests[name] = DatabaseAndQueries(
            expand_path(database), expand_path(queries), not options.without_positions
        )
    if not tests:
        raise ValueError("Name a test set: NAME=DATABASE,QUERIES.")
    from data_prep import add_test

    add_test(config, tests)
    return 0


class _SetsAndOverrides(argparse.Action):
    """Tells sets from overrides, whose keys begin with a section of the config."""

    def __call__(
        self, _parser: Any, options: Any, words: Any, _option: Any = None
    ) -> None:
        from vpr_tf.config import ExperimentConfig

        sections = tuple(f"{field.name}." for field in fields(ExperimentConfig))
        options.overrides = [word for word in words if word.startswith(sections)]
        options.sets = [word for word in words if not word.startswith(sections)]
