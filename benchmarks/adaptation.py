"""What photos of the night without labels gain: a city mapped by day, asked by night.

    python -m benchmarks.adaptation --draw DIR
    vpr data build --config configs/night_mapped.yaml
    python -m benchmarks.adaptation --config configs/night_mapped.yaml
        [--methods day fourier ...] [--output DIR] [--no-train] [key=value ...]

The first draws the night city of `vpr data synthesize` with 600 more queries in the
district of the test, which are the target, and puts all photos by day into one folder.
The last trains what has no finished run, each on the same photos by day, and writes the
table of `vpr compare`.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.objectives import compare_methods
from data_prep.synthesize.dataset import plan_shots
from data_prep.synthesize.presets import PRESETS, CityPreset, SynthesisConfig
from data_prep.synthesize.writer import write_city

_UNLABELLED = 600
_DAY = ("train", "test/database")
_TARGET = "train.target={split: test-unlabelled-queries, photos_per_batch: 8}"
_HEADS = "{name: class_heads}"
_LABELS = "{name: pseudo_labels, weight: 0.33, min_confidence: 0.8, start_step: 400, "
# The first is what the others are compared with.
METHODS: dict[str, tuple[str, ...]] = {
    "day": (),
    "fourier": (
        _TARGET,
        "train.augmentation.extra=[{name: FourierMixing, probability: 0.5}]",
    ),
    "domain_adversarial": (
        _TARGET,
        f"train.objectives=[{_HEADS}, {{name: domain_adversarial, weight: 0.1}}]",
    ),
    "pseudo_labels": (
        _TARGET,
        f"train.objectives=[{_HEADS}, {_LABELS}renew_every_steps: 200}}]",
    ),
}


def draw(
    output: Path, preset: CityPreset, num_unlabelled: int, workers: int
) -> dict[str, int]:
    """Draws the photos; returns how many there are by folder.

    Args:
        output: See `write_city`.
        preset: A city; its test district gets more queries.
        num_unlabelled: How many more; they lie in `unlabelled/`.
        workers: Processes.
    """
    num_tested = preset.test.num_queries
    wider = dataclasses.replace(preset.test, num_queries=num_tested + num_unlabelled)
    city = SynthesisConfig(dataclasses.replace(preset, test=wider))
    write_city(city, output, workers)
    for folder in ("unlabelled", "day"):
        (output / folder).mkdir(exist_ok=True)
    added = [name for shot in plan_shots(city, "test") for name in shot.names]
    moved = {"unlabelled": [output / name for name in added[-num_unlabelled:]]}
    moved["day"] = [file for part in _DAY for file in (output / part).iterdir()]
    for folder, files in moved.items():
        for file in files:
            link = output / folder / file.name
            if not link.exists():
                os.link(file, link)
    # Last, so that an interrupted call goes on: the queries that are tested stay.
    for file in moved["unlabelled"]:
        file.unlink()
    return {folder: len(files) for folder, files in moved.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Draws, or trains what is missing and writes the table."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if "--draw" not in words:
        return compare_methods(METHODS, "adaptation", __doc__ or "", words)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.adaptation")
    parser.add_argument("--draw", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(words)
    counts = draw(options.draw, PRESETS["night"], _UNLABELLED, os.cpu_count() or 1)
    print(", ".join(f"{folder}: {count:,} photos" for folder, count in counts.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
