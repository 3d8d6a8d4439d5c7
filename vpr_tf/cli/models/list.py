"""Lists the encoders that are known by name: `--model NAME` takes them everywhere.

Example:
  vpr models list
"""

from __future__ import annotations

import argparse
import dataclasses

from vpr_tf.cli.main import Outcome
from vpr_tf.cli.options import add_json
from vpr_tf.tables import Column, Table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Lists."""
    from vpr_tf.models import released_encoder, released_names

    encoders = [released_encoder(name) for name in released_names()]
    columns = [Column(name, "text") for name in ("name", "backbone", "aggregation")]
    columns += [Column("values"), Column("paper", "text")]
    rows = [
        (
            encoder.name,
            encoder.backbone,
            encoder.aggregation["name"],
            encoder.descriptor_dim,
            encoder.reference,
        )
        for encoder in encoders
    ]
    content = [dataclasses.asdict(encoder) for encoder in encoders]
    return Outcome(content, Table("", columns, rows).to_text())
