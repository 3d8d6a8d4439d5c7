"""Lists the public datasets that `vpr data datasets prepare` reads.

Example:
  vpr data datasets list
"""

from __future__ import annotations

import argparse

from vpr_tf.cli.main import Outcome
from vpr_tf.cli.options import add_json
from vpr_tf.tables import Column, Table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_json(parser)


def run(_options: argparse.Namespace) -> Outcome:
    """Lists."""
    from data_prep.datasets import dataset_names, find_adapter, unsupported

    known = [find_adapter(name).description for name in dataset_names()]
    columns = [Column("name", "text"), Column("dataset", "text")]
    columns.append(Column("licence", "text"))
    table = Table("", columns, [(one.name, one.title, one.licence) for one in known])
    others = [f"{name}: not supported, {why}" for name, why in unsupported().items()]
    content = [{"name": one.name, "title": one.title} for one in known]
    return Outcome(content, "\n".join([table.to_text(), *others]))
