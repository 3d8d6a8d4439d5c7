"""Converts checkpoints of other projects to Keras, and back.

With --config the encoder is that of the config: for training checkpoints, and for
encoders of one's own. --matcher converts the network that compares photos point by
point. --to-torch writes a state dict that the official code loads by
`model.load_state_dict(safetensors.torch.load_file("encoder.safetensors"))`.

Examples:
  vpr convert --checkpoint ResNet50_2048_cosplace.pth --name cosplace_resnet50_2048 \\
      --output cosplace_resnet50_2048.keras
  vpr convert --checkpoint last_checkpoint.pth --config configs/my.yaml \\
      --output encoder.keras --heads heads.npz
  vpr convert --matcher xfeat --checkpoint xfeat.pt --output xfeat.weights.h5
  vpr convert --to-torch --checkpoint encoder.keras --output encoder.safetensors
  vpr convert --geoclip --checkpoint geoclip-1.3.0-py3-none-any.whl \\
      --output geoclip.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vpr_tf.cli.main import UsageError
from vpr_tf.cli.options import add_config, add_encoder_name, encoder_of, existing_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add = parser.add_argument
    add(
        "--checkpoint",
        required=True,
        type=existing_file,
        metavar="FILE",
        help=".pth, .ckpt, .safetensors, ...; with --to-torch: .keras",
    )
    add("--output", required=True, type=Path, help=".keras or .weights.h5 file")
    add_encoder_name(parser)
    add_config(parser, required=False)
    add(
        "--heads", type=Path, help=".npz file for a training checkpoint's class centres"
    )
    add("--to-torch", action="store_true", help="from .keras to .safetensors")
    add("--matcher", choices=("xfeat",), help="network of local features")
    add(
        "--geoclip",
        action="store_true",
        help="from the package geoclip (.whl) to .safetensors",
    )
    add("--layout", metavar="NAME", help="names of the written state dict")


def run(options: argparse.Namespace) -> int:
    """Converts."""
    if options.geoclip:
        _check_alone("--geoclip", options)
        from vpr_tf.models.convert import convert_geoclip

        convert_geoclip(options.checkpoint, options.output)
        return 0
    if options.matcher:
        _check_alone("--matcher", options)
        from vpr_tf.matching.xfeat_weights import convert_xfeat

        convert_xfeat(options.checkpoint, options.output)
        return 0
    if options.to_torch:
        from vpr_tf.models.convert import convert_to_torch

        convert_to_torch(options.checkpoint, options.output, options.layout)
        return 0
    model = encoder_of(options)
    from vpr_tf.models.convert import convert_to_keras

    convert_to_keras(model, options.checkpoint, options.output, options.heads)
    return 0


def _check_alone(option: str, options: argparse.Namespace) -> None:
    others = ("name", "config", "heads", "layout", "matcher", "to_torch")
    given = [f"--{name.replace('_', '-')}" for name in others if getattr(options, name)]
    given = [name for name in given if name != option]
    if given:
        raise UsageError(
            f"{option} names what is converted: leave out {', '.join(given)}."
        )
