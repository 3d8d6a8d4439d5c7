"""Which benchmarks `benchmarks.all` runs, and how large they are."""

from __future__ import annotations

import dataclasses

SIZES = ("small", "medium", "full")


@dataclasses.dataclass(frozen=True)
class Planned:
    """A benchmark with its arguments.

    Attributes:
        name: Module of `benchmarks`.
        arguments: Common to all sizes; `{work}`, `{photos}`, `{dataset}` stand for
            folders.
        by_size: Further arguments of each size; a size that is missing leaves the
            benchmark out.
    """

    name: str
    arguments: str
    by_size: dict[str, str]


# Small: minutes for all; full: the sizes of the documentation, hours.
PLAN = (
    Planned(
        "training_step",
        "--peer",
        {
            "small": "--batch-size 8 --steps 3 --policies float32",
            "medium": "--steps 5",
            "full": "--backbone ResNet50 --image-size 512 --batch-size 8",
        },
    ),
    Planned(
        "extraction",
        "--peer",
        {
            "small": "--backbones ResNet18 --precisions float32 --batches 4",
            "medium": "--precisions float32",
            "full": "--backbones ResNet18 ResNet50 DINOv2_B14 --image-size 512",
        },
    ),
    Planned(
        "engines",
        "",
        {
            "small": "--encoders EfficientNetLite0-512 --rounds 1",
            "medium": "--encoders ResNet18-512 EfficientNetLite0-512 --rounds 3",
            "full": "--rounds 3",
        },
    ),
    Planned(
        "first_answer",
        "",
        {
            "small": "--sizes 224 --runs 1",
            "medium": "--sizes 224 --runs 3",
            "full": "--backbones ResNet18 EfficientNetLite0 --runs 5",
        },
    ),
    Planned(
        "retrieval",
        "",
        {
            "small": "--images 50000 --engines faiss_flat exact scann compact",
            "medium": "--images 100000",
            "full": "--images 1000000",
        },
    ),
    Planned(
        "scale",
        "--work {work}/scale --fresh --delete",
        {
            "small": "--rows 24000 96000 --queries 100 1000",
            "medium": "--rows 1000000 4000000",
            "full": "--rows 4000000 12000000 41200000",
        },
    ),
    Planned(
        "narrowed",
        "",
        {
            "small": "--images 50000 --cells 2000",
            "medium": "",
            "full": "--images 2800000 --cells 113000",
        },
    ),
    Planned(
        "partition",
        "",
        {
            "small": "--rows 1000000 --repeats 1",
            "medium": "--rows 4000000",
            "full": "--rows 41200000",
        },
    ),
    Planned(
        "conversion",
        "",
        {
            "small": "--images 500 --repeats 1",
            "medium": "--images 2000 --repeats 3",
            "full": "--images 4000",
        },
    ),
    Planned(
        "input_pipeline",
        "--dataset {dataset}",
        {
            "small": "--sizes 224 --images 128",
            "medium": "--images 256",
            "full": "--augmentations full",
        },
    ),
    Planned(
        "photo_quality",
        "--photos {photos}",
        {"small": "", "medium": "--counts 1000", "full": "--counts 10000 100000"},
    ),
    Planned("encoders", "", {"full": ""}),
    Planned(
        "service",
        "--work {work}/service",
        {
            "medium": "--photos 10000 --parts latency throughput",
            "full": "",
        },
    ),
)
