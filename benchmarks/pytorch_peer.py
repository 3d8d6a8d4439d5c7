"""The same encoders in PyTorch, as a peer for speed; their weights are random.

PyTorch is no requirement of the project. Where it is installed, `--peer` of
`benchmarks.training_step` and `benchmarks.extraction` measures it in the same run:
eager, as CosPlace's own training is, channels last, with autocast where the precision
is not float32.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

PEER = "PyTorch"
_AUTOCAST = {"mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}
_RESNETS = {"ResNet18": (2, 2, 2, 2), "ResNet50": (3, 4, 6, 3)}
_VITS = {"DINOv2_S14": (384, 12, 6), "DINOv2_B14": (768, 12, 12)}


class PeerOptions(NamedTuple):
    """What a peer computes.

    Attributes:
        backbone: Name of a backbone of this project.
        descriptor_dim: Of the linear layer behind GeM pooling; of a transformer the
            class token is taken.
        image_size: Height and width in pixels.
        batch_size: Images of a step.
        precision: `float32`, `mixed_bfloat16` or `mixed_float16`.
        train_from_stage: First stage of a ResNet that is trained, 1 to 4.
    """

    backbone: str
    descriptor_dim: int
    image_size: int
    batch_size: int
    precision: str
    train_from_stage: int = 3


def why_no_peer(options: PeerOptions) -> str:
    """Returns why there is nothing to compare with; empty where there is."""
    if importlib.util.find_spec("torch") is None:
        return "PyTorch is not installed"
    if options.backbone not in (*_RESNETS, *_VITS):
        return f"no {options.backbone} in PyTorch here"
    if options.precision not in ("float32", *_AUTOCAST):
        return f"PyTorch is not measured in {options.precision}"
    return ""


def description(options: PeerOptions) -> Callable[[], object]:
    """Returns a function that describes a batch and waits for the descriptors."""
    import torch

    device = _device()
    encoder = _encoder(options).eval().to(device, memory_format=torch.channels_last)
    images = _images(options).to(device, memory_format=torch.channels_last)

    def describe() -> object:
        with torch.inference_mode(), _autocast(options):
            return encoder(images).float().cpu().numpy()

    return describe


def training_step(options: PeerOptions, num_classes: int) -> Callable[[], object]:
    """Returns a function that makes one step with a CosFace head.

    Args:
        options: The encoder.
        num_classes: Of the head.
    """
    import torch
    from torch.nn import functional

    device = _device()
    encoder = _encoder(options).train().to(device, memory_format=torch.channels_last)
    for parameter in encoder.frozen_parameters(options.train_from_stage):
        parameter.requires_grad_(False)
    weights = torch.nn.Parameter(
        0.05 * torch.randn(num_classes, encoder.descriptor_dim, device=device)
    )
    trained = [p for p in encoder.parameters() if p.requires_grad]
    optimizers = [torch.optim.Adam(trained, 1e-5), torch.optim.Adam([weights], 1e-2)]
    scaler = torch.amp.GradScaler(device, enabled=options.precision == "mixed_float16")
    images = _images(options).to(device, memory_format=torch.channels_last)
    labels = torch.randint(num_classes, (options.batch_size,), device=device)

    def step() -> object:
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        with _autocast(options):
            descriptors = encoder(images)
        cosine = functional.linear(
            functional.normalize(descriptors.float()), functional.normalize(weights)
        )
        margin = 0.4 * functional.one_hot(labels, num_classes)
        loss = functional.cross_entropy(30.0 * (cosine - margin), labels)
        scaler.scale(loss).backward()
        for optimizer in optimizers:
            scaler.step(optimizer)
        scaler.update()
        return loss.item()

    return step


# === Encoders ===


def _encoder(options: PeerOptions) -> Any:
    from benchmarks.pytorch_encoders import ResNet, VisionTransformer

    if options.backbone in _RESNETS:
        blocks = _RESNETS[options.backbone]
        return ResNet(blocks, options.backbone == "ResNet50", options.descriptor_dim)
    return VisionTransformer(*_VITS[options.backbone], options.image_size)


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _autocast(options: PeerOptions) -> Any:
    import torch

    name = _AUTOCAST.get(options.precision)
    dtype = getattr(torch, name) if name else torch.bfloat16
    return torch.autocast(_device(), dtype, enabled=name is not None)


def _images(options: PeerOptions) -> Any:
    import torch

    shape = (options.batch_size, 3, options.image_size, options.image_size)
    return torch.from_numpy(np.random.default_rng(0).random(shape, "float32"))
