"""ResNet with GeM and a vision transformer in PyTorch, for `benchmarks.pytorch_peer`.

References:
    He et al., "Deep Residual Learning for Image Recognition", CVPR 2016.
    Radenovic et al., "Fine-tuning CNN Image Retrieval with No Human Annotation",
    TPAMI 2018 (GeM). Oquab et al., "DINOv2", TMLR 2024.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

_GEM_EPSILON = 1e-6


class ResNet(nn.Module):
    """ResNet, GeM pooling, a linear layer, L2.

    Args:
        blocks: Of the four stages.
        bottleneck: Blocks of three convolutions instead of two.
        descriptor_dim: Values of a descriptor.
    """

    def __init__(self, blocks: tuple[int, ...], bottleneck: bool, descriptor_dim: int):
        super().__init__()
        self.descriptor_dim = descriptor_dim
        self.stem = nn.Sequential(
            *_convolution(3, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        )
        stages, channels = [], 64
        for number, count in enumerate(blocks):
            width, layers = 64 * 2**number, []
            for place in range(count):
                stride = 2 if number and not place else 1
                layers.append(Block(channels, width, stride, bottleneck))
                channels = layers[-1].channels
            stages.append(nn.Sequential(*layers))
        self.stages = nn.ModuleList(stages)
        self.power = nn.Parameter(torch.full((1,), 3.0))
        self.linear = nn.Linear(channels, descriptor_dim)

    def frozen_parameters(self, first_trained: int) -> Iterator[nn.Parameter]:
        """Yields what is not trained: the stem and the stages before a stage.

        Args:
            first_trained: Number of the first stage that is trained, 1 to 4.
        """
        yield from self.stem.parameters()
        for stage in self.stages[: first_trained - 1]:
            yield from stage.parameters()

    def forward(self, images: Tensor) -> Tensor:
        """Returns descriptors of images `(n, 3, height, width)`."""
        maps = self.stem(images)
        for stage in self.stages:
            maps = stage(maps)
        powers = maps.float().clamp(min=_GEM_EPSILON).pow(self.power)
        pooled = powers.mean(dim=(2, 3)).pow(1 / self.power)
        return functional.normalize(self.linear(functional.normalize(pooled)).float())


class Block(nn.Module):
    """Residual block.

    Args:
        channels: Of the input.
        width: Of its convolutions.
        stride: Of the 3x3 convolution.
        bottleneck: Three convolutions, with four times the channels at the end.
    """

    def __init__(self, channels: int, width: int, stride: int, bottleneck: bool):
        super().__init__()
        self.channels = 4 * width if bottleneck else width
        if bottleneck:
            layers = [
                *_convolution(channels, width, 1, 1),
                nn.ReLU(inplace=True),
                *_convolution(width, width, 3, stride),
                nn.ReLU(inplace=True),
                *_convolution(width, self.channels, 1, 1),
            ]
        else:
            layers = [
                *_convolution(channels, width, 3, stride),
                nn.ReLU(inplace=True),
                *_convolution(width, width, 3, 1),
            ]
        self.layers = nn.Sequential(*layers)
        changes = stride > 1 or channels != self.channels
        self.shortcut = nn.Sequential(
            *(_convolution(channels, self.channels, 1, stride) if changes else ())
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Returns maps of `channels` channels."""
        return functional.relu(self.layers(maps) + self.shortcut(maps))


def _convolution(channels: int, width: int, side: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(channels, width, side, stride, side // 2, bias=False)
    return [convolution, nn.BatchNorm2d(width)]


class VisionTransformer(nn.Module):
    """Transformer on patches of 14 pixels; the descriptor is its class token.

    Args:
        width: Of a token.
        depth: Number of blocks.
        heads: Of the attention.
        image_size: Height and width in pixels.
    """

    def __init__(self, width: int, depth: int, heads: int, image_size: int):
        super().__init__()
        self.descriptor_dim = width
        self.patches = nn.Conv2d(3, width, 14, 14)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        count = (image_size // 14) ** 2 + 1
        self.places = nn.Parameter(0.02 * torch.randn(1, count, width))
        layers = [
            nn.TransformerEncoderLayer(
                *(width, heads, 4 * width, 0.0, functional.gelu),
                batch_first=True,
                norm_first=True,
            )
            for _ in range(depth)
        ]
        self.blocks = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(width)

    def frozen_parameters(self, first_trained: int) -> Iterator[nn.Parameter]:
        """Yields nothing: all of a transformer is trained."""
        yield from ()

    def forward(self, images: Tensor) -> Tensor:
        """Returns descriptors of images `(n, 3, height, width)`."""
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(tokens), -1, -1), tokens], 1)
        described = self.norm(self.blocks(tokens + self.places))[:, 0]
        return functional.normalize(described.float())
