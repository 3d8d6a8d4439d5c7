"""Table of the time that one photo takes from the shell, with and without TensorFlow.

    python -m benchmarks.first_answer [--backbones ResNet18 EfficientNetLite0]
        [--sizes 224 512] [--runs 5]

Draws photos, builds an index of them by an encoder with random weights, and localizes a
photo by `vpr localize` in fresh processes, once by TensorFlow and once by the ONNX copy
of the index, in turn. Prints markdown: seconds by the clock and of CPU until the
command has ended, seconds of the next photo in the same process, and the most memory of
the process; medians. The largest difference of two descriptors stands behind.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from benchmarks.figures import record
from benchmarks.timing import describe_machine

_ENGINES = ("tensorflow", "onnxruntime")
_NUM_PHOTOS, _SIDE = 64, 512
_NEXT_PHOTO = """
import sys, time
from vpr_tf.engine_choice import using_engine
from vpr_tf.place_index import PlaceIndex
engine, index, *photos = sys.argv[1:]
with using_engine(engine), PlaceIndex.open(index) as opened:
    for photo in photos:
        start = time.perf_counter()
        opened.localize([photo])
        print(time.perf_counter() - start)
"""


class Run(NamedTuple):
    """What a process took.

    Attributes:
        clock_s: Seconds until it ended.
        cpu_s: Seconds of all cores.
        memory_mb: The most that it had, MB.
        text: What it printed.
    """

    clock_s: float
    cpu_s: float
    memory_mb: float
    text: str


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints two rows for each encoder and size."""
    options = _parse(arguments)
    print(f"{describe_machine()}; load {os.getloadavg()[0]:.1f}\n")
    print(
        "| encoder | size | engine | first, s | of CPU, s | next, s | memory, MB |"
        "\n| --- | ---: | --- | ---: | ---: | ---: | ---: |"
    )
    differences = []
    # A process has at least the memory of the one that starts it.
    alone = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    with tempfile.TemporaryDirectory() as folder, alone as builder:
        photos = _draw_photos(Path(folder))
        for backbone in options.backbones:
            for size in options.sizes:
                index = Path(folder) / f"{backbone}_{size}.index"
                built = builder.submit(_build, index, backbone, size, photos)
                differences.append(built.result())
                _print_rows(index, photos, f"| {backbone} | {size} |", options.runs)
    print(f"\nLargest difference of two descriptors: {max(differences):.1e}")


def _print_rows(index: Path, photos: list[Path], start: str, runs: int) -> None:
    found: dict[str, list[tuple[Run, float]]] = {engine: [] for engine in _ENGINES}
    for _ in range(runs):
        for engine in _ENGINES:
            words = ["--index", index, "--engine", engine, "--json"]
            first = _run(["-m", "vpr_tf", "localize", *words, photos[0]])
            both = _run(["-c", _NEXT_PHOTO, engine, index, *photos[:2]])
            found[engine].append((first, float(both.text.split()[-1])))
    slow_s = None
    for engine, measured in found.items():
        median = [
            statistics.median(values)
            for values in zip(
                *((r.clock_s, r.cpu_s, n, r.memory_mb) for r, n in measured),
                strict=True,
            )
        ]
        first_s, cpu_s, next_s, memory_mb = median
        what = " ".join(start.replace("|", " ").split())
        record(
            "first_answer",
            f"{what} px by {engine}",
            first_s,
            "s",
            peer="TensorFlow" if slow_s else "",
            ratio=slow_s / first_s if slow_s else None,
        )
        slow_s = slow_s or first_s
        print(
            f"{start} {engine} | {first_s:.2f} | {cpu_s:.2f} | {next_s:.3f} | "
            f"{memory_mb:,.0f} |",
            flush=True,
        )


def _run(words: Sequence[object]) -> Run:
    compiled_once = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *map(str, words)],
        stdout=subprocess.PIPE,
        text=True,
        env=compiled_once,
    )
    text = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    clock_s = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{words} failed: {text}")
    cpu_s = usage.ru_utime + usage.ru_stime
    return Run(clock_s, cpu_s, usage.ru_maxrss / 1e3, text)


def _draw_photos(folder: Path) -> list[Path]:
    draw, paths = np.random.default_rng(0), []
    for number in range(_NUM_PHOTOS):
        coarse = draw.integers(0, 256, (24, 24, 3), dtype=np.uint8)
        path = folder / f"{number:02d}.jpg"
        Image.fromarray(coarse).resize((_SIDE, _SIDE)).save(path, quality=90)
        paths.append(path)
    return paths


def _build(index: Path, backbone: str, size: int, photos: list[Path]) -> float:
    """Builds an index; returns how far the ONNX copy's descriptors are from its own."""
    from vpr_tf.config import Preprocessing
    from vpr_tf.extraction import FeatureExtractor
    from vpr_tf.models import GeoLocalizationNet
    from vpr_tf.place_index import PlaceIndex

    encoder = GeoLocalizationNet(backbone, 512)
    extractor = FeatureExtractor(encoder, Preprocessing("square", size))
    descriptors = extractor.extract(photos)
    with PlaceIndex.create(
        index,
        descriptors,
        encoder=extractor,
        latitude=np.linspace(37.7, 37.8, len(photos)),
        longitude=np.full(len(photos), -122.4),
    ) as made:
        copy = made.extractor(of_queries=True)
        return float(np.abs(copy.extract(photos) - descriptors).max())


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbones", nargs="+", default=["ResNet18"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[224, 512])
    parser.add_argument("--runs", type=int, default=5)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
