"""Precision and recall of each flag: `python -m benchmarks.photo_faults --photos DIR`.

Faults are planted into copies of photos in a temporary folder, the copies are checked,
and the flags are compared with what was planted. Without --photos a miniature city is
drawn. Thresholds were chosen at seed 0; other seeds show how they hold.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_prep.synthesize import SynthesisConfig, synthesize
from data_prep.synthesize.faults import LABELS_NAME, PHOTOS_NAME, plant_faults
from data_prep.synthesize.presets import CityPreset, DistrictPreset
from vpr_tf.config import DEFAULT_QUALITY
from vpr_tf.csv_files import cell_name
from vpr_tf.photos import PhotoFiles, scan_photos
from vpr_tf.photos.quality import (
    RULES,
    FlaggedPhotos,
    MeasuredPhotos,
    flag_photos,
    measure_photos,
)

FLAG_OF = {
    "cut_data": "damaged",
    "grey_part": "damaged",
    "repeated_part": "damaged",
    "too_small": "too_small",
    "lens_cover": "uniform",
    "under_exposed": "underexposed",
    "over_exposed": "overexposed",
    "motion_blur": "blurred",
    "focus_blur": "blurred",
    "occluder": "occluded",
    "exact_copy": "duplicate",
    "near_copy": "near_duplicate",
    "dirt": "flare_or_dirt",
    "flare": "flare_or_dirt",
    "position_jump": "position_jump",
    "missing_heading": "heading_missing",
    "constant_heading": "heading_constant",
    "wrong_place": "unlike_neighbours",
    "indoor": "unlike_neighbours",
}
_CITY = CityPreset(
    name="faults",
    train=DistrictPreset(blocks=3, position_spacing_m=20.0, visits=2),
    val=DistrictPreset(blocks=1, position_spacing_m=200.0),
    test=DistrictPreset(blocks=1, position_spacing_m=200.0),
    image_size=256,
)


@dataclass(frozen=True)
class Label:
    """What was planted into a photo; `copy_of` is the photo that a copy is beside."""

    fault: str
    copy_of: str


def read_labels(file: Path) -> dict[str, Label]:
    """Returns what was planted, by the paths of photos."""
    with file.open(newline="", encoding="utf-8") as lines:
        return {
            cell_name(row["photo"]): Label(row["fault"], cell_name(row["copy_of"]))
            for row in csv.DictReader(lines)
        }


def flags_by_photo(found: FlaggedPhotos) -> dict[str, set[str]]:
    """Returns the flags of each photo by its path; unreadable ones are damaged."""
    flags = {
        path.decode(): set(found.names(row))
        for row, path in enumerate(found.files.paths.tolist())
    }
    return flags | {photo.path: {"damaged"} for photo in found.files.rejected}


def with_copies_flagged(
    flags: dict[str, set[str]], labels: dict[str, Label]
) -> dict[str, set[str]]:
    """Returns flags as if of two equal photos always the copy were flagged.

    Which of the two a check takes for the copy is for the order of their names to say.
    """
    moved = {path: set(names) for path, names in flags.items()}
    for path, label in labels.items():
        flag = FLAG_OF[label.fault]
        if label.copy_of and flag in moved[label.copy_of] - moved[path]:
            moved[label.copy_of].remove(flag)
            moved[path].add(flag)
    return moved


def fault_rows(flags: dict[str, set[str]], labels: dict[str, Label]) -> list[str]:
    """Returns a row of a table for every fault: how many were planted and found."""
    rows = ["| fault | flag | planted | recall |", "|---|---|---:|---:|"]
    for fault, flag in FLAG_OF.items():
        planted = [path for path, label in labels.items() if label.fault == fault]
        if planted:
            recall = np.mean([flag in flags[path] for path in planted])
            rows.append(f"| {fault} | {flag} | {len(planted)} | {recall:.1%} |")
    return rows


def flag_rows(
    flags: dict[str, set[str]], labels: dict[str, Label], checked: tuple[str, ...]
) -> list[str]:
    """Returns a row of a table for every flag: how often it is right."""
    rows = [
        "| flag | flagged | right | with another fault | good photos | precision |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for flag in checked:
        flagged = [path for path, names in flags.items() if flag in names]
        faults = [labels[path].fault if path in labels else "" for path in flagged]
        right = sum(bool(fault) and FLAG_OF[fault] == flag for fault in faults)
        good = faults.count("")
        precision = f"{right / len(flagged):.1%}" if flagged else ""
        others = len(flagged) - right - good
        rows.append(
            f"| {flag} | {len(flagged)} | {right} | {others} | {good} | {precision} |"
        )
    return rows


def check(files: PhotoFiles, work: Path, model: str | None) -> FlaggedPhotos:
    """Measures and flags photos, with descriptors if a model is given."""
    start = time.perf_counter()
    cores = len(os.sched_getaffinity(0))
    measured = measure_photos(files, work, workers=cores)
    seconds = time.perf_counter() - start
    print(f"{len(files) / seconds:.0f} photos/s measured by {cores} processes")
    if model is not None:
        measured = described(measured, model)
    return flag_photos(measured, RULES, DEFAULT_QUALITY)


def described(measured: MeasuredPhotos, model: str) -> MeasuredPhotos:
    """Returns measured photos with their descriptors."""
    from vpr_tf.config import Preprocessing
    from vpr_tf.extraction import load_extractor

    extractor = load_extractor(model=model, preprocessing=Preprocessing("square", 224))
    found = extractor.extract_files(measured.files)
    measures = measured.measures[found.rows]
    return MeasuredPhotos(found.photos, measures, found.in_memory())


def main() -> None:
    """Plants, checks and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, help="default: a miniature city")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", type=float, default=0.3)
    parser.add_argument("--model", help="encoder, for the flags that need descriptors")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = options.photos
        if source is None:
            city = SynthesisConfig(_CITY, options.seed)
            synthesize(city, Path(folder) / "city", len(os.sched_getaffinity(0)))
            source = Path(folder) / "city/train"
        planted = Path(folder) / "planted"
        plant_faults(scan_photos(source), planted, options.share, options.seed)
        files = scan_photos(planted / PHOTOS_NAME, needs_position=False)
        found = check(files, Path(folder) / "work", options.model)
        labels = read_labels(planted / LABELS_NAME)
        flags = with_copies_flagged(flags_by_photo(found), labels)
    good = [names for path, names in flags.items() if path not in labels]
    print(
        f"{len(flags)} photos, {len(labels)} with a planted fault, seed {options.seed}"
    )
    print("\n".join(fault_rows(flags, labels)))
    print("\n".join(flag_rows(flags, labels, tuple(found.counts()))))
    share = np.mean([bool(names) for names in good])
    print(f"Good photos with any flag: {share:.2%} of {len(good)}")
    print(f"Not checked: {', '.join(found.not_checked) or 'nothing'}")


if __name__ == "__main__":
    main()
