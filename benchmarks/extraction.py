"""Images per second of descriptor extraction, input apart.

    python -m benchmarks.extraction [--backbones ResNet18 EfficientNetLite0]
        [--image-size 224] [--policies float32 mixed_bfloat16] [--jit-compile]

The CPU column is by CPU time over all cores, so it holds while other programs run. A
CPU without bfloat16 instructions emulates them, many times slower than float32.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from benchmarks.timing import describe_machine, measure_rate
from vpr_tf.models import GeoLocalizationNet


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints one line for each backbone and policy."""
    options = _parse(arguments)
    print(
        f"{describe_machine()}; {options.image_size}x{options.image_size}, batch "
        f"{options.batch_size}"
    )
    print(f"{'':40s} {'images/s':>9s} {'by CPU':>9s}")
    size = options.image_size
    images = np.random.default_rng(0).random((options.batch_size, size, size, 3), "f4")
    batch = tf.constant(images)
    for backbone in options.backbones:
        for policy in options.policies:
            encoder = GeoLocalizationNet(backbone, options.descriptor_dim, dtype=policy)
            rate = measure_rate(
                _extraction(encoder, batch, options.jit_compile),
                options.batch_size,
                options.batches,
            )
            name = f"{backbone}-{options.descriptor_dim}, {policy}"
            name += ", jit_compile" if options.jit_compile else ""
            print(f"{name:40s} {rate.per_second:9.1f} {rate.per_second_of_cpu:9.1f}")


def _extraction(
    encoder: GeoLocalizationNet, batch: tf.Tensor, jit_compile: bool
) -> Callable[[], object]:
    extract = tf.function(
        lambda images: encoder(images, training=False), jit_compile=jit_compile
    )
    return lambda: extract(batch).numpy()


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--backbones", nargs="+", default=["ResNet18", "EfficientNetLite0"]
    )
    parser.add_argument("--descriptor-dim", type=int, default=512)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--policies", nargs="+", default=["float32", "mixed_bfloat16"])
    parser.add_argument("--jit-compile", action="store_true", help="XLA")
    parser.add_argument("--batches", type=int, default=10, help="batches timed")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
