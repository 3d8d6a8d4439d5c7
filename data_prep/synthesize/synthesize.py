"""Draws a miniature city and says what it is."""

from __future__ import annotations

import time
from pathlib import Path

from data_prep.synthesize.presets import SynthesisConfig
from data_prep.synthesize.writer import write_city


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
