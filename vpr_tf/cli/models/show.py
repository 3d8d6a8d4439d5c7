"""Describes one encoder: a released one by its name, or one on disk.

Examples:
  vpr models show cosplace_resnet50_512
  vpr models show runs/sf_xs_dark/2026-11-21_15-31-43
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from vpr_tf.cli.main import Outcome
from vpr_tf.cli.options import add_json, existing_model
from vpr_tf.cli.output import facts_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument(
        "model",
        type=existing_model,
        metavar="MODEL",
        help="released encoder, run folder, .keras file or SavedModel",
    )
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Describes."""
    facts = _facts(options.model)
    shown = {name: value for name, value in facts.items() if value is not None}
    return Outcome(facts, facts_text(shown.items()))


def _facts(model: str) -> dict[str, Any]:
    from vpr_tf.extraction import find_model

    source = find_model(model)
    if source.config_file is None:
        if source.kind == "released":
            from vpr_tf.models import released_encoder

            return dataclasses.asdict(released_encoder(model))
        if source.kind == "export":
            from vpr_tf.extraction.exported_encoder import read_record

            return dataclasses.asdict(read_record(source.path))
        from vpr_tf.models import read_keras_file

        encoder = read_keras_file(source.path)
        return {**encoder.get_config(), "parameters": encoder.count_params()}
    from vpr_tf.config import load_saved_config
    from vpr_tf.extraction.adaptation_notes import note_of_run, note_of_saved_model

    config = load_saved_config(source.config_file)
    if source.kind == "run":
        adapted_to = note_of_run(config, source.path)
    else:
        adapted_to = note_of_saved_model(source.path)
    return {
        "name": config.name,
        **dataclasses.asdict(config.encoder),
        "adapted_to": adapted_to and dataclasses.asdict(adapted_to),
        "preprocessing": dataclasses.asdict(config.evaluation.preprocessing),
    }
