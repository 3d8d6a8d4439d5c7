"""Lists the encoders that are known by name: `--model NAME` takes them everywhere.

Example:
  vpr models list
"""

from __future__ import annotations

import argparse
import dataclasses

from vpr_tf.cli.main import Outcome
from vpr_tf.cli.options import add_json
from vpr_tf.cli.output import table_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Lists."""
    from vpr_tf.models import released_encoder, released_names

    encoders = [released_encoder(name) for name in released_names()]
    header = ("name", "backbone", "aggregation", "values", "paper")
    rows = [
        (
            encoder.name,
            encoder.backbone,
            str(encoder.aggregation["name"]),
            str(encoder.descriptor_dim),
            encoder.reference,
        )
        for encoder in encoders
    ]
    content = [dataclasses.asdict(encoder) for encoder in encoders]
    return Outcome(content, table_text([header, *rows], right=(3,)))
