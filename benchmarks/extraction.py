"""Images per second of descriptor extraction, as evaluation does it.

    python -m benchmarks.extraction [--backbones ResNet18 EfficientNetLite0]
        [--aggregation gem] [--image-size 224] [--precisions float32 int8]
        [--jit-compile] [--dataset datasets/sf_xs_dark] [--peak-tflops 989] [--peer]

Without --dataset: the encoder alone, on random images. With it: reading and decoding
alone, the encoder alone and both together, on the database of the test set; together
should be near the slower of the two. The CPU column is by CPU time over all cores, so
it holds while other programs run. A CPU without bfloat16 instructions emulates them,
many times slower than float32. On a GPU, --peak-tflops prints the share of the
device's peak; images/s is also the rate at which the input has to deliver. With --peer
the same encoder in PyTorch follows; see `benchmarks.pytorch_peer`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import tensorflow as tf

from benchmarks import pytorch_peer
from benchmarks.figures import record
from benchmarks.timing import Rate, describe_machine, measure_rate, times_faster
from vpr_tf.config import Preprocessing
from vpr_tf.data.image_batches import ImageBatches, SplitImages
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.extraction.engines import compile_forward
from vpr_tf.models import GeoLocalizationNet, in_precision

Forward = Callable[[tf.Tensor], np.ndarray]


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints one line for each backbone and precision."""
    tf.get_logger().setLevel("ERROR")  # the counter of operations is of TensorFlow 1
    options = _parse(arguments)
    size = options.image_size
    print(f"{describe_machine()}; {size}x{size}, batch {options.batch_size}")
    header = f"{'':42s} {'images/s':>9s} {'by CPU':>9s} {'GFLOP':>7s} {'TFLOP/s':>8s}"
    print(header + (f" {'of peak':>8s}" if options.peak_tflops else ""))
    for backbone in options.backbones:
        encoder = _make_encoder(backbone, options)
        for precision in options.precisions:
            forward = _forward(encoder, precision, options)
            name = f"{backbone}-{encoder.descriptor_dim}, {precision}"
            name += ", jit_compile" if options.jit_compile else ""
            rate = _measure_encoder(name, encoder, forward, options)
            peer = _peer_rate(encoder, precision, options) if options.peer else None
            record(
                "extraction",
                f"{name}, {size} px",
                rate.per_second,
                "images/s",
                peer=pytorch_peer.PEER if peer else "",
                ratio=times_faster(rate, peer) if peer else None,
            )
            if options.dataset:
                _measure_with_input(forward, options)


def _make_encoder(backbone: str, options: argparse.Namespace) -> GeoLocalizationNet:
    return GeoLocalizationNet(
        backbone,
        options.descriptor_dim or None,
        aggregation=json.loads(options.aggregation)
        if options.aggregation.startswith("{")
        else options.aggregation,
    )


def _forward(
    encoder: GeoLocalizationNet, precision: str, options: argparse.Namespace
) -> Forward:
    if not options.jit_compile:
        preprocessing = Preprocessing(precision=precision)
        return compile_forward("tensorflow", encoder, preprocessing)
    encoder = in_precision(encoder, precision)
    function = tf.function(
        lambda images: encoder(images, training=False), jit_compile=True
    )
    return lambda images: function(images).numpy()


def _measure_encoder(
    name: str,
    encoder: GeoLocalizationNet,
    forward: Forward,
    options: argparse.Namespace,
) -> Rate:
    """Prints a line; returns the rate."""
    size = options.image_size
    images = np.random.default_rng(0).random((options.batch_size, size, size, 3), "f4")
    batch = tf.constant(images)
    rate = measure_rate(lambda: forward(batch), options.batch_size, options.batches)
    gflop = gflop_per_image(encoder, size)
    tflops = rate.per_second * gflop / 1e3
    line = f"{name:42s} {rate.per_second:9.1f} {rate.per_second_of_cpu:9.1f}"
    line += f" {gflop:7.2f} {tflops:8.3f}"
    if options.peak_tflops:
        line += f" {tflops / options.peak_tflops:8.1%}"
    print(line, flush=True)
    return rate


def _peer_rate(
    encoder: GeoLocalizationNet, precision: str, options: argparse.Namespace
) -> Rate | None:
    """Prints the rate of the same encoder in PyTorch and returns it.

    None where it cannot be measured.
    """
    peer = pytorch_peer.PeerOptions(
        encoder.backbone_name,
        encoder.descriptor_dim,
        options.image_size,
        options.batch_size,
        precision,
    )
    if why_not := pytorch_peer.why_no_peer(peer):
        print(f"  {why_not}")
        return None
    describe = pytorch_peer.description(peer)
    rate = measure_rate(describe, options.batch_size, options.batches)
    name = f"  {pytorch_peer.PEER}"
    print(f"{name:42s} {rate.per_second:9.1f} {rate.per_second_of_cpu:9.1f}")
    return rate


def gflop_per_image(encoder: GeoLocalizationNet, size: int) -> float:
    """Returns the arithmetic of one image, a multiplication and an addition as two.

    Args:
        encoder: The encoder.
        size: Height and width of the image in pixels.
    """
    function = tf.function(lambda images: encoder(images, training=False))
    spec = tf.TensorSpec((1, size, size, 3), tf.float32)
    graph = function.get_concrete_function(spec).graph
    profiler = tf.compat.v1.profiler
    options = profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    return profiler.profile(graph, options=options).total_float_ops / 1e9


def _measure_with_input(forward: Forward, options: argparse.Namespace) -> None:
    dataset = PreparedDataset(options.dataset)
    evaluation_set = next(iter(dataset.tests.values()))
    split = dataset.split(evaluation_set.database)
    preprocessing = Preprocessing("square", options.image_size)
    batches = ImageBatches(SplitImages(split), preprocessing, options.batch_size).read()
    kept = [images for images, _ in itertools.islice(batches, 8)]
    with _printed("  reading and decoding alone", len(split)):
        for _ in batches:
            pass
    repeats = -(-len(split) // sum(len(images) for images in kept))
    with _printed("  encoder alone", repeats * sum(len(images) for images in kept)):
        for _ in range(repeats):
            for images in kept:
                forward(images)
    with _printed("  reading, decoding and encoder", len(split)):
        for images, _ in batches:
            forward(images)


@contextmanager
def _printed(name: str, images: int) -> Iterator[None]:
    start = time.perf_counter()
    yield
    print(f"{name:42s} {images / (time.perf_counter() - start):9.1f}", flush=True)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--backbones", nargs="+", default=["ResNet18", "EfficientNetLite0"]
    )
    parser.add_argument("--aggregation", default="gem", help="a name, or JSON")
    parser.add_argument("--descriptor-dim", type=int, default=512, help="0: no linear")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--precisions", nargs="+", default=["float32", "int8"])
    parser.add_argument("--jit-compile", action="store_true", help="XLA")
    parser.add_argument("--batches", type=int, default=10, help="batches timed")
    parser.add_argument("--dataset", help="a prepared dataset")
    parser.add_argument("--peer", action="store_true", help="PyTorch beside it")
    parser.add_argument("--peak-tflops", type=float, help="of the device")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
