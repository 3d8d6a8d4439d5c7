"""Registry of the encoders that other projects have released weights of."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vpr_tf.config import Preprocessing

_IMAGE_SIZE, _DINOV2_IMAGE_SIZE = 512, 322  # pixels
_COSPLACE_DIMS = {
    "VGG16": (64, 128, 256, 512),
    "ResNet18": (32, 64, 128, 256, 512),
    "ResNet50": (32, 64, 128, 256, 512, 1024, 2048),
    "ResNet101": (32, 64, 128, 256, 512, 1024, 2048),
    "ResNet152": (32, 64, 128, 256, 512, 1024, 2048),
}
_EIGENPLACES_DIMS = {
    "VGG16": (512,),
    "ResNet18": (256, 512),
    "ResNet50": (128, 256, 512, 1024, 2048),
    "ResNet101": (128, 256, 512, 1024, 2048),
}
# Descriptor length to the channels and rows that MixVPR keeps.
_MIXVPR_SIZES = {4096: (1024, 4), 512: (256, 2), 128: (64, 2)}


@dataclass(frozen=True)
class ReleasedEncoder:
    """An encoder whose weights its authors have published.

    Attributes:
        name: Name in `encoder.weights`, `from_pretrained` and the converter.
        backbone: Name of the backbone.
        aggregation: The aggregation and its options.
        projection_dim: Length that the linear layer gives; None if there is none.
        descriptor_dim: Length of the descriptors.
        reference: The paper.
        url: Where the file is; None when it must be fetched by hand.
        last_stage: Last stage of the backbone; None takes all.
        image_size: Pixels of the square images that it needs; None takes any size.
        published_size: Pixels of the square images that its recalls are published for;
            others work too.
        size_bytes: Length of the file; None if unknown.
        sha256: Its checksum in hexadecimal; None if unknown.
    """

    name: str
    backbone: str
    aggregation: dict[str, Any]
    projection_dim: int | None
    descriptor_dim: int
    reference: str
    url: str | None = None
    last_stage: int | None = None
    image_size: int | None = None
    published_size: int | None = None
    size_bytes: int | None = None
    sha256: str | None = None

    @property
    def image_shape(self) -> tuple[int | None, int | None, int]:
        """The encoder's `image_shape`."""
        return (self.image_size, self.image_size, 3)

    @property
    def preprocessing(self) -> Preprocessing:
        """How photos are prepared for it, if nothing else is said.

        The size that it needs, or that its recalls are published for; else the shorter
        side as long as that of the images of SF-XL, which are 512 wide.
        """
        square = self.image_size or self.published_size
        if square is not None:
            return Preprocessing("square", square)
        return Preprocessing("shorter_side", _IMAGE_SIZE)

    @property
    def file_name(self) -> str:
        """Name of the downloaded file."""
        suffix = self.url.rsplit(".", 1)[1] if self.url else "pth"
        return f"{self.name}.{suffix}"


def released_encoder(name: str) -> ReleasedEncoder:
    """Returns the description of a released encoder.

    Raises:
        ValueError: The name is unknown; the message lists the known ones.
    """
    if name not in _released():
        raise ValueError(
            f"No released encoder has the name {name!r}. Known: "
            f"{', '.join(released_names())}."
        )
    return _released()[name]


def released_names() -> tuple[str, ...]:
    """Returns the names of all released encoders."""
    return tuple(_released())


@functools.cache
def _released() -> dict[str, ReleasedEncoder]:
    encoders = (
        *_gem_encoders(),
        *_optimal_transport_encoders(),
        *_mixvpr_encoders(),
        *_boq_encoders(),
        *_supervlad_encoders(),
        *_image_encoders(),
    )
    return {encoder.name: encoder for encoder in encoders}


def _gem_encoders() -> Iterator[ReleasedEncoder]:
    for project, dims_by_backbone, reference in (
        ("CosPlace", _COSPLACE_DIMS, "CosPlace, arXiv:2204.02287"),
        ("EigenPlaces", _EIGENPLACES_DIMS, "EigenPlaces, arXiv:2308.10832"),
    ):
        short = project.lower()
        releases = f"https://github.com/gmberton/{project}/releases/download/v1.0"
        for backbone, dims in dims_by_backbone.items():
            for dim in dims:
                yield ReleasedEncoder(
                    name=f"{short}_{backbone.lower()}_{dim}",
                    backbone=backbone,
                    aggregation={"name": "gem"},
                    projection_dim=dim,
                    descriptor_dim=dim,
                    reference=reference,
                    url=f"{releases}/{backbone}_{dim}_{short}.pth",
                )


def _optimal_transport_encoders() -> Iterator[ReleasedEncoder]:
    yield ReleasedEncoder(
        name="megaloc",
        backbone="DINOv2_B14",
        aggregation={"name": "optimal_transport", "cluster_dim": 256},
        projection_dim=8448,
        descriptor_dim=8448,
        reference="MegaLoc, arXiv:2502.17237",
        url="https://huggingface.co/gberton/MegaLoc/resolve/main/model.safetensors",
        published_size=_DINOV2_IMAGE_SIZE,
    )
    releases = "https://github.com/serizba/salad/releases/download/v1.0.0"
    for name, reference, url in (
        ("salad", "SALAD, arXiv:2311.15937", f"{releases}/dino_salad.ckpt"),
        # On a page that only a browser downloads from.
        ("salad_cliquemining", "CliqueMining, arXiv:2407.02422", None),
    ):
        yield ReleasedEncoder(
            name=name,
            backbone="DINOv2_B14",
            aggregation={"name": "optimal_transport", "cluster_dim": 128},
            projection_dim=None,
            descriptor_dim=8448,
            reference=reference,
            url=url,
            published_size=_DINOV2_IMAGE_SIZE,
        )


def _mixvpr_encoders() -> Iterator[ReleasedEncoder]:
    for dim, (channels, rows) in _MIXVPR_SIZES.items():
        yield ReleasedEncoder(
            name=f"mixvpr_resnet50_{dim}",
            backbone="ResNet50",
            aggregation={
                "name": "mixvpr",
                "out_channels": channels,
                "out_rows": rows,
            },
            projection_dim=None,
            descriptor_dim=dim,
            reference="MixVPR, arXiv:2303.02190",
            last_stage=3,
            image_size=320,
        )


def _boq_encoders() -> Iterator[ReleasedEncoder]:
    releases = "https://github.com/amaralibey/Bag-of-Queries/releases/download/v1.0"
    for name, backbone, last_stage, channels, size, file in (
        ("boq_resnet50_16384", "ResNet50", 3, 512, 384, "resnet50_16384"),
        ("boq_dinov2_12288", "DINOv2_B14", None, 384, 322, "dinov2_12288"),
    ):
        yield ReleasedEncoder(
            name=name,
            backbone=backbone,
            aggregation={"name": "boq", "out_channels": channels},
            projection_dim=None,
            descriptor_dim=32 * channels,
            reference="BoQ, arXiv:2405.07364",
            url=f"{releases}/{file}.pth",
            last_stage=last_stage,
            published_size=size,
        )


def _supervlad_encoders() -> Iterator[ReleasedEncoder]:
    for name, num_clusters, num_ghosts in (
        ("supervlad", 4, 1),
        ("supervlad_1_cluster", 1, 2),
    ):
        yield ReleasedEncoder(
            name=name,
            backbone="DINOv2_B14",
            aggregation={
                "name": "supervlad",
                "num_clusters": num_clusters,
                "num_ghost_clusters": num_ghosts,
            },
            projection_dim=None,
            descriptor_dim=768 * num_clusters,
            reference="SuperVLAD, NeurIPS 2024",
            published_size=_DINOV2_IMAGE_SIZE,
        )


def _image_encoders() -> Iterator[ReleasedEncoder]:
    releases = "https://github.com/Lu-Feng/ImAge/releases/download/v1.0.0"
    for name, file in (("image", "ImAge_Merged"), ("image_gsv_cities", "ImAge_GSV")):
        yield ReleasedEncoder(
            name=name,
            backbone="DINOv2_B14_reg4",
            aggregation={"name": "aggregation_tokens"},
            projection_dim=None,
            descriptor_dim=6144,
            reference="ImAge, arXiv:2511.06024",
            url=f"{releases}/{file}.pth",
            published_size=_DINOV2_IMAGE_SIZE,
        )
