"""Compares an encoder with the official network, layer by layer.

`record.py` runs where torch is: it records the output of every module of the official
network. A golden file has values of features and descriptors only. The program
`reference_weights.py` of --golden-dir, which must be named since it is run, makes the
images and, without --checkpoint, the weights. The status is 1 when a difference is
above the tolerance.

Examples:
  vpr models parity --name cosplace_resnet18_512 --print-hook > record.py
  vpr models parity --name cosplace_resnet18_512 \\
      --checkpoint ResNet18_512_cosplace.pth --activations activations.npz
  vpr models parity --name cosplace_resnet18_512 \\
      --golden network_ResNet18_512.npz --golden-dir .
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from vpr_tf.cli.main import Outcome
from vpr_tf.cli.options import (
    add_config,
    add_encoder_name,
    add_json,
    encoder_of,
    existing_file,
)

if TYPE_CHECKING:
    from vpr_tf.models import GeoLocalizationNet
    from vpr_tf.models.parity.report import Comparison


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add = parser.add_argument
    add_encoder_name(parser)
    add_config(parser, required=False)
    add(
        "--checkpoint",
        type=existing_file,
        metavar="FILE",
        help="weights of the official network",
    )
    add(
        "--activations",
        type=existing_file,
        metavar="FILE",
        help=".npz that the printed hook has written",
    )
    add("--golden", type=existing_file, metavar="FILE", help=".npz of known values")
    add("--golden-dir", type=Path, metavar="DIR", help="its reference_weights.py runs")
    add("--tolerance", type=float, default=1e-4, help="default: 1e-4")
    add("--print-hook", action="store_true", help="print the code that records")
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Prints the report; status 1 when a difference is above the tolerance."""
    if not options.print_hook:
        _check(options)
    model = encoder_of(options)
    if options.print_hook:
        from vpr_tf.models.parity.hook import recording_program

        program = recording_program(model)
        return Outcome({"program": program}, program)
    comparisons, missing = _compare(model, options)
    from vpr_tf.models.parity.report import report_table

    above = sum(not c.error <= options.tolerance for c in comparisons)
    largest = max(c.error for c in comparisons)
    not_recorded = f"Not recorded: {', '.join(missing)}\n\n" if missing else ""
    text = (
        f"{not_recorded}{report_table(comparisons, options.tolerance)}\n\n"
        f"{len(comparisons)} compared, {above} above {options.tolerance:g}; largest "
        f"difference over the largest official value: {largest:.1e}"
    )
    content = [dataclasses.asdict(comparison) for comparison in comparisons]
    return Outcome(content, text, 1 if above else 0)


def _check(options: argparse.Namespace) -> None:
    if (options.activations is None) == (options.golden is None):
        raise ValueError("Pass either --activations or --golden; see --help.")
    if options.golden is not None and options.golden_dir is None:
        raise ValueError(
            "--golden needs --golden-dir, the folder of the reference_weights.py that "
            "made it. That program is run."
        )
    if options.activations is not None and options.checkpoint is None:
        raise ValueError("--activations needs the --checkpoint of the torch network.")


def _compare(
    model: GeoLocalizationNet, options: argparse.Namespace
) -> tuple[list[Comparison], list[str]]:
    """Returns the comparisons, and the modules that were not recorded."""
    from vpr_tf.models.parity.references import Goldens, compare_activations
    from vpr_tf.models.torch_weights.checkpoint import read_checkpoint
    from vpr_tf.models.torch_weights.state_dict import (
        detect_layout,
        load_torch_state_dict,
    )

    state_dict = None
    if options.checkpoint is not None:
        state_dict = read_checkpoint(options.checkpoint).state_dict
    if options.golden is not None:
        goldens = Goldens(options.golden, options.golden_dir)
        load_torch_state_dict(model, state_dict or goldens.state_dict())
        return goldens.compare(model), []
    state_dict = state_dict or {}
    load_torch_state_dict(model, state_dict)
    return compare_activations(model, detect_layout(state_dict), options.activations)
