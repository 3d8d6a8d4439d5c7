"""Table of encoders: dimension, parameters, arithmetic and images per second.

    python -m benchmarks.encoders [--names cosplace_resnet18_512 megaloc ...]
        [--precisions float32 int8] [--batches 3] [--peak-tflops 989]

Prints markdown. Names are those of `GeoLocalizationNet.from_pretrained`; the weights
are random, for speed does not depend on them. Sizes are those at which the papers
evaluate: 512x512 for CosPlace and EigenPlaces, 322 for SALAD and MegaLoc, 320 for
MixVPR.
"""

from __future__ import annotations

import argparse

import numpy as np
import tensorflow as tf

from benchmarks.extraction import gflop_per_image
from benchmarks.figures import record
from benchmarks.timing import describe_machine, measure_rate
from vpr_tf.config import Preprocessing
from vpr_tf.extraction.engines import compile_forward
from vpr_tf.models import (
    GeoLocalizationNet,
    ReleasedEncoder,
    build_released,
    released_encoder,
)

_NAMES = (
    "cosplace_vgg16_512",
    "cosplace_resnet18_512",
    "cosplace_resnet50_512",
    "cosplace_resnet50_2048",
    "cosplace_resnet101_2048",
    "cosplace_resnet152_2048",
    "eigenplaces_resnet50_2048",
    "mixvpr_resnet50_4096",
    "salad",
    "megaloc",
)
_COLUMNS = ("name", "size", "dimension", "parameters", "GFLOP")


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints one row for each encoder."""
    tf.get_logger().setLevel("ERROR")
    options = _parse(arguments)
    print(f"{describe_machine()}; batch {options.batch_size}; images/s\n")
    header = [*_COLUMNS, *options.precisions]
    if options.peak_tflops:
        header.append(f"of peak ({options.precisions[0]})")
    print("| " + " | ".join(header) + " |")
    print("| --- |" + " ---: |" * (len(header) - 1))
    for name in options.names:
        print("| " + " | ".join(_row(released_encoder(name), options)) + " |")


def _row(released: ReleasedEncoder, options: argparse.Namespace) -> list[str]:
    encoder = build_released(GeoLocalizationNet, released)
    size = released.image_size or _size(released)
    gflop = gflop_per_image(encoder, size)
    row = [
        released.name,
        f"{size}x{size}",
        f"{encoder.descriptor_dim:,}",
        f"{encoder.count_params() / 1e6:.1f} M",
        f"{gflop:.1f}",
    ]
    rates = [_images_per_s(encoder, p, size, options) for p in options.precisions]
    row += [f"{rate:.1f}" for rate in rates]
    for precision, rate in zip(options.precisions, rates, strict=True):
        what = f"{released.name}, {size} px, {precision}"
        record("encoders", what, rate, "images/s")
    if options.peak_tflops:
        row.append(f"{rates[0] * gflop / 1e3 / options.peak_tflops:.1%}")
    return row


def _size(released: ReleasedEncoder) -> int:
    return 322 if released.backbone.startswith("DINOv2") else 512


def _images_per_s(
    encoder: GeoLocalizationNet, precision: str, size: int, options: argparse.Namespace
) -> float:
    preprocessing = Preprocessing(precision=precision)
    forward = compile_forward("tensorflow", encoder, preprocessing)
    images = np.random.default_rng(0).random((options.batch_size, size, size, 3), "f4")
    batch = tf.constant(images)
    rate = measure_rate(lambda: forward(batch), options.batch_size, options.batches)
    return rate.per_second


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--names", nargs="+", default=_NAMES)
    parser.add_argument("--precisions", nargs="+", default=["float32", "int8"])
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--batches", type=int, default=3, help="batches timed")
    parser.add_argument("--peak-tflops", type=float, help="of the device")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
