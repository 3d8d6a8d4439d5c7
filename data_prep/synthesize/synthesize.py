"""Draws a miniature city and says what it is."""

from __future__ import annotations

import time
from pathlib import Path

from data_prep.synthesize.faults import LABELS_NAME, check_share, plant_faults
from data_prep.synthesize.presets import SynthesisConfig
from data_prep.synthesize.writer import write_city
from vpr_tf.photos import scan_photos

FAULTY_NAME = "faulty"


def synthesize(
    config: SynthesisConfig,
    output: Path,
    workers: int = 1,
    fault_share: float | None = None,
) -> None:
    """Draws a miniature city and prints what the folder holds.

    Args:
        config: From `synthesis_config`.
        output: Folder with train/, val/ and test/ afterwards.
        workers: Number of processes.
        fault_share: If given, `faulty/` afterwards has copies of the photos of train/,
            about this share of them with a planted fault: see `plant_faults`.

    Raises:
        ValueError: `workers` is below 1, or `fault_share` out of range.
        SynthesisError: The folder holds something else or cannot be written.
    """
    if workers < 1:
        raise ValueError(f"`workers` must be 1 or more. Received: {workers}.")
    if fault_share is not None:
        check_share(fault_share)
    start = time.monotonic()
    counts = write_city(config, Path(output), workers)
    seconds = time.monotonic() - start
    for folder, count in counts.items():
        print(f"{folder:<16}{count:>8} images")
    print(f"{sum(counts.values())} images in {output} ({seconds:.0f} s)")
    if fault_share is not None:
        faulty = Path(output) / FAULTY_NAME
        photos = scan_photos(Path(output) / "train")
        count = plant_faults(photos, faulty, fault_share, config.seed)
        print(f"{count} photos with a planted fault in {faulty}, see {LABELS_NAME}")
