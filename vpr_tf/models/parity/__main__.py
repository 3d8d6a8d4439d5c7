"""Reports how far an encoder is from the official network, layer by layer.

    python -m vpr_tf.models.parity --print-hook > record.py
    python -m vpr_tf.models.parity --name cosplace_resnet18_512
        --checkpoint ResNet18_512_cosplace.pth --activations activations.npz
    python -m vpr_tf.models.parity --name cosplace_resnet18_512
        --golden network_ResNet18_512.npz --golden-dir .

`record.py` runs where torch is: it records the output of every module of the official
network. A golden file has values of features and descriptors only. The program
`reference_weights.py` of its folder, which must be named since it is run, makes the
images and, without `--checkpoint`, the weights. The status is 1 when a difference is
above the tolerance, 2 when the input is bad.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from vpr_tf.models.backbones import backbone_spec
from vpr_tf.models.convert import build_named
from vpr_tf.models.geolocalization_net import GeoLocalizationNet
from vpr_tf.models.parity.references import Goldens, compare_activations
from vpr_tf.models.parity.report import Comparison, report_table
from vpr_tf.models.torch_weights.checkpoint import read_checkpoint
from vpr_tf.models.torch_weights.layouts import detect_layout
from vpr_tf.models.torch_weights.state_dict import load_torch_state_dict

_HOOK = """\
import numpy as np
import torch

model = ...  # the official network with its weights, in float32
images = torch.rand(2, 3, 224, 224)  # RGB in [0, 1]; better real ones
mean = torch.tensor({mean})[:, None, None]
std = torch.tensor({std})[:, None, None]
recorded = {{"images": images.permute(0, 2, 3, 1).numpy()}}
for name, module in model.named_modules():
    def record(module, inputs, output, name=name or "output"):
        if isinstance(output, torch.Tensor):
            recorded[name] = output.detach().clone().numpy()
    module.register_forward_hook(record)
with torch.no_grad():
    model.eval()((images - mean) / std)
np.savez("activations.npz", **recorded)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the command line, prints the report, and returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        model = build_named(options.name, options.config)
        if options.print_hook:
            spec = backbone_spec(model.backbone_name)
            print(_HOOK.format(mean=list(spec.mean), std=list(spec.std)), end="")
            return 0
        comparisons = _compare(model, options)
    except (ValueError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    print(report_table(comparisons, options.tolerance))
    above = sum(not c.error <= options.tolerance for c in comparisons)
    largest = max(c.error for c in comparisons)
    print(
        f"\n{len(comparisons)} compared, {above} above {options.tolerance:g}; largest "
        f"difference over the largest official value: {largest:.1e}"
    )
    return 1 if above else 0


def _compare(
    model: GeoLocalizationNet, options: argparse.Namespace
) -> list[Comparison]:
    if (options.activations is None) == (options.golden is None):
        raise ValueError("Pass either --activations or --golden; see --help.")
    if options.golden is not None:
        if options.golden_dir is None:
            raise ValueError(
                "--golden needs --golden-dir, the folder of the reference_weights.py "
                "that made it. That program is run."
            )
        goldens = Goldens(options.golden, options.golden_dir)
        state_dict = (
            goldens.state_dict()
            if options.checkpoint is None
            else read_checkpoint(options.checkpoint).state_dict
        )
        load_torch_state_dict(model, state_dict)
        return goldens.compare(model)
    if options.checkpoint is None:
        raise ValueError("--activations needs the --checkpoint of the torch network.")
    state_dict = read_checkpoint(options.checkpoint).state_dict
    load_torch_state_dict(model, state_dict)
    comparisons, missing = compare_activations(
        model, detect_layout(state_dict), options.activations
    )
    if missing:
        print(f"Not recorded: {', '.join(missing)}\n")
    return comparisons


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vpr_tf.models.parity",
        description="Compares an encoder with the official network, layer by layer.",
    )
    add = parser.add_argument
    add("--name", help="released encoder, e.g. cosplace_resnet50_2048")
    add("--config", help="YAML file whose `encoder` is compared")
    add("--checkpoint", type=Path, help="weights of the official network")
    add("--activations", type=Path, help=".npz that the printed hook has written")
    add("--golden", type=Path, help="network_<network>_<dim>.npz")
    add("--golden-dir", type=Path, help="its reference_weights.py is run")
    add("--tolerance", type=float, default=1e-4, help="default: 1e-4")
    add("--print-hook", action="store_true", help="print the code that records")
    return parser


if __name__ == "__main__":
    sys.exit(main())
