"""Lists the photos of a public dataset in tables, and checks that all have arrived.

The photos stay as and where they are. `vpr data build` and `vpr index build` read the
tables. The exit status is 1 when a file is missing, more than published or unusable, or
when there are not as many as the authors state, as of a split that is not there.

Example:
  vpr data datasets prepare pitts30k \\
      --source data/pitts30k --output datasets/tables/pitts30k
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

from vpr_tf.cli.main import DONE, PARTLY, Outcome
from vpr_tf.cli.options import add_json
from vpr_tf.cli.reading_options import add_reading, reading_of

if TYPE_CHECKING:
    from data_prep.datasets import PreparedTables


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("name", metavar="NAME", help="see `vpr data datasets list`")
    parser.add_argument(
        "--source", required=True, metavar="DIR", help="where the dataset lies"
    )
    parser.add_argument(
        "--output", required=True, metavar="DIR", help="folder of the tables"
    )
    add_reading(parser, has_folder=True)
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Prepares."""
    from data_prep.datasets import prepare_dataset

    prepared = prepare_dataset(
        options.name, options.source, options.output, reading=reading_of(options)
    )
    content = dataclasses.asdict(prepared) | {
        "source": str(prepared.source),
        "folder": str(prepared.folder),
        "is_as_published": prepared.is_as_published,
    }
    status = DONE if prepared.is_as_published else PARTLY
    return Outcome(content, _text(prepared), status)


def _text(prepared: PreparedTables) -> str:
    lines = [prepared.table().to_text(), ""]
    remedies = prepared.remedies()
    if remedies:
        lines += [*remedies, f"All files: {prepared.folder / 'problems.csv'}", ""]
    if prepared.absent:
        lines.append(f"Leave out of the config: {', '.join(prepared.absent)}.")
    name = prepared.name
    lines.append(
        f"Tables: {prepared.folder}. Build a dataset of them by (other configs: "
        f"`vpr data datasets show {name}`)\n"
        f"  vpr data build --config configs/datasets/{name}.yaml \\\n"
        f"      build.source={prepared.folder} build.reading.folder={prepared.source}"
    )
    return "\n".join(lines)
