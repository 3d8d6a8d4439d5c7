"""The program that records what the official network gives, where torch is."""

from __future__ import annotations

from vpr_tf.models.backbones import backbone_spec
from vpr_tf.models.geolocalization_net import GeoLocalizationNet

_PROGRAM = """\
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


def recording_program(model: GeoLocalizationNet) -> str:
    """Returns the program, with the preprocessing of the encoder's backbone."""
    spec = backbone_spec(model.backbone_name)
    return _PROGRAM.format(mean=list(spec.mean), std=list(spec.std))
