"""The command `python -m data_prep synthesize`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from data_prep.synthesize.presets import PRESETS, SynthesisConfig, synthesis_config
from data_prep.synthesize.writer import SynthesisError, write_city


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the command."""
    parser.add_argument(
        "--output", type=Path, required=True, help="folder to write the images to"
    )
    parser.add_argument(
        "--preset",
        default="quickstart",
        choices=sorted(PRESETS),
        help="size of the city (default: quickstart)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="another seed is another city"
    )
    parser.add_argument(
        "--image-size", type=int, help="side in pixels (default: the preset's)"
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=len(os.sched_getaffinity(0)),
        help="processes (default: all cores); the images do not depend on it",
    )


def run(arguments: argparse.Namespace) -> int:
    """Draws the city; returns the exit status."""
    try:
        config = synthesis_config(
            arguments.preset, arguments.seed, arguments.image_size
        )
        synthesize(config, arguments.output, arguments.workers)
    except (SynthesisError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def synthesize(config: SynthesisConfig, output: Path, workers: int = 1) -> None:
    """Draws a miniature city and prints what the folder holds.

    Args:
        config: From `synthesis_config`.
        output: Folder with train/, val/ and test/ afterwards.
        workers: Number of processes.

    Raises:
        ValueError: `workers` is below 1.
        SynthesisError: The folder holds something else or cannot be written.
    """
    if workers < 1:
        raise ValueError(f"`workers` must be 1 or more. Received: {workers}.")
    start = time.monotonic()
    counts = write_city(config, Path(output), workers)
    seconds = time.monotonic() - start
    for folder, count in counts.items():
        print(f"{folder:<16}{count:>8} images")
    print(f"{sum(counts.values())} images in {output} ({seconds:.0f} s)")
