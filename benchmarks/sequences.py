"""Photos of drives localized alone and by each other: `python -m benchmarks.sequences`.

    vpr data synthesize --preset drive --output datasets/drive_images
    python -m benchmarks.sequences --city datasets/drive_images \\
        --config configs/quickstart.yaml --stored drive_candidates.npz

Confidence is calibrated on the single photos of the drives of val; figures are of those
of test, cut into sequences of each length. The first call describes the photos, by the
encoder of the config or by `--model`, and stores their matches; others need NumPy only.
Beside it, descriptors are averaged over as many photos before they are searched, as
SeqSLAM does with differences.

Reference:
    Milford and Wyeth, "SeqSLAM: Visual Route-Based Navigation for Sunny Summer Days and
    Stormy Winter Nights", ICRA 2012.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vpr_tf.config import LocalizationConfig, load_config
from vpr_tf.geo import Positions, distances_m, nearest_m
from vpr_tf.localization import (
    Calibration,
    Candidates,
    Estimates,
    FittedOn,
    MotionModel,
    PhotoSequence,
    PhotoTimes,
    calibrate_on_queries,
    estimate_positions,
    estimate_track,
    map_distances_m,
    predictions_to_calibrate,
)
from vpr_tf.photos import PhotoTable, clock_seconds, scan_photos
from vpr_tf.tables import Column, Table

THRESHOLD_M = 25.0
_SPLITS = ("val", "test")


@dataclass(frozen=True, eq=False)
class Drives:
    """The drives of a split, and what their photos look like.

    Attributes:
        photos: Of the drives; the folder in a key is the drive.
        database: Photos that are searched.
        descriptors: Of `photos`.
        of_database: Of `database`.
    """

    photos: PhotoTable
    database: PhotoTable
    descriptors: np.ndarray
    of_database: np.ndarray

    def search(self, descriptors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns squared distances and rows of the k nearest photos, nearest first."""
        similarity = descriptors @ self.of_database.T
        rows = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
        return 2 - 2 * np.take_along_axis(similarity, rows, 1), rows

    def each(self) -> Iterator[np.ndarray]:
        """Yields the rows of the photos of each drive, in the order of their times."""
        folders = np.array([k.rpartition(b"/")[0] for k in self.photos.keys.tolist()])
        seconds, _ = clock_seconds(self.photos.timestamps)
        for folder in np.unique(folders):
            rows = np.flatnonzero(folders == folder)
            yield rows[np.argsort(seconds[rows], kind="stable")]

    def windows(self, length: int | None) -> Iterator[np.ndarray]:
        """Yields rows of as many photos in a row, of each drive; None: of all of it."""
        for rows in self.each():
            size = length or len(rows)
            yield from (rows[at : at + size] for at in range(0, len(rows), size))


@dataclass(frozen=True)
class Figures:
    """What was found of the photos of a split.

    Attributes:
        recall_at_1: Share of the photos in the map whose first match of the position
            is within 25 m.
        right: Share of them whose position is within 25 m.
        median_error_m: Of them; a photo without a position is infinitely far away.
        localized: Share of all photos that are not withheld nor outside.
        precision: Share of those that are within 25 m; NaN without confidences.
        confidence: Their mean confidence.
        outside_answered: Share of the photos outside the map that are localized.
    """

    recall_at_1: float
    right: float
    median_error_m: float
    localized: float
    precision: float
    confidence: float
    outside_answered: float


def judge(drives: Drives, found: Sequence[tuple[np.ndarray, Estimates]]) -> Figures:
    """Compares positions with the truth.

    Args:
        drives: What was photographed.
        found: Rows of photos and their estimates; every photo once.
    """
    rows = np.concatenate([rows for rows, _ in found])
    truth = drives.photos.positions
    errors_m = np.concatenate([e.errors_m(truth.take(r)) for r, e in found])
    errors_m = np.where(np.isnan(errors_m), np.inf, errors_m)
    first_m = np.concatenate([_first_match_m(truth.take(r), e) for r, e in found])
    localized = np.concatenate([e.localized for _, e in found])
    confidence = np.concatenate([e.confidence for _, e in found])
    mapped = nearest_m(truth.take(rows), drives.database.positions) <= THRESHOLD_M
    right = errors_m <= THRESHOLD_M
    return Figures(
        recall_at_1=float((first_m[mapped] <= THRESHOLD_M).mean()),
        right=float(right[mapped].mean()),
        median_error_m=float(np.median(errors_m[mapped])),
        localized=float(localized.mean()),
        precision=float(right[localized].mean()) if localized.any() else np.nan,
        confidence=float(confidence[localized].mean()) if localized.any() else np.nan,
        outside_answered=float(localized[~mapped].mean()) if (~mapped).any() else 0.0,
    )


def _first_match_m(truth: Positions, estimates: Estimates) -> np.ndarray:
    """Returns how far the first match of each position is from the truth, or NaN."""
    members, candidates = estimates.members, estimates.candidates
    column = members.argmax(axis=1)[:, np.newaxis]
    first = np.take_along_axis(candidates.rows, column, 1)
    located = np.asarray(members.any(axis=1))
    first = np.where(located[:, np.newaxis], first, -1)
    return distances_m(truth, candidates.places, first)[:, 0]


def alone(
    drives: Drives,
    descriptors: np.ndarray,
    config: LocalizationConfig,
    calibration: Calibration | None,
) -> Figures:
    """Returns the figures of photos that are localized one by one."""
    matches = drives.search(descriptors, config.num_predictions)
    candidates = Candidates.from_matches(*matches, drives.database, config)
    estimates = estimate_positions(candidates, config, calibration=calibration)
    return judge(drives, [(np.arange(len(drives.photos)), estimates)])


def smoothed(drives: Drives, length: int | None) -> np.ndarray:
    """Returns each photo's descriptor averaged over a window around it."""
    averaged = np.empty_like(drives.descriptors)
    for rows in drives.each():
        size = length or len(rows)
        for place, row in enumerate(rows):
            start = min(max(0, place - size // 2), max(0, len(rows) - size))
            averaged[row] = drives.descriptors[rows[start : start + size]].mean(axis=0)
    return averaged / np.linalg.norm(averaged, axis=1, keepdims=True)


def together(
    drives: Drives,
    length: int | None,
    config: LocalizationConfig,
    calibration: Calibration | None,
    motion: MotionModel,
) -> Figures:
    """Returns the figures of photos that are localized by the others of a window."""
    map_m = map_distances_m(drives.database.positions)
    found = []
    for rows in drives.windows(length):
        matches = drives.search(drives.descriptors[rows], config.num_predictions)
        candidates = Candidates.from_matches(*matches, drives.database, config)
        times = PhotoTimes.of_clock(*clock_seconds(drives.photos.timestamps[rows]))
        sequence = PhotoSequence(times, motion)
        estimates = estimate_track(
            candidates, config, sequence, map_m, calibration=calibration
        )
        found.append((rows, estimates))
    return judge(drives, found)


def calibrated(drives: Drives, config: LocalizationConfig) -> Calibration:
    """Returns the calibration of the single photos of drives."""
    matches = drives.search(drives.descriptors, predictions_to_calibrate(config))
    fitted_on = FittedOn("drives of val", THRESHOLD_M, "drives")
    return calibrate_on_queries(
        *matches, drives.photos, drives.database, config, fitted_on
    )


def table_of(rows: Iterator[tuple[str, str, Figures]]) -> Table:
    """Returns what is printed."""
    columns = [
        Column("photos", "text"),
        Column("by", "text"),
        Column("R@1, %", digits=1),
        Column("within 25 m, %", digits=1),
        Column("median error", "metres"),
        Column("localized, %", digits=1),
        Column("of them right, %", digits=1),
        Column("mean confidence, %", digits=1),
        Column("outside, localized, %", digits=1),
    ]
    values = [
        (
            length,
            how,
            *(
                value if name == "median_error_m" else 100 * value
                for name, value in dataclasses.asdict(figures).items()
            ),
        )
        for length, how, figures in rows
    ]
    return Table("Drives of test", columns, values)


def measure(
    drives: dict[str, Drives], lengths: Sequence[int | None], motion: MotionModel
) -> Iterator[tuple[str, str, Figures]]:
    """Yields length, method and figures, with calibration and without."""
    config = LocalizationConfig()
    calibration, test = calibrated(drives["val"], config), drives["test"]
    for length in lengths:
        label = "drive" if length is None else str(length)
        if length == 1:
            yield label, "itself", alone(test, test.descriptors, config, calibration)
        else:
            averaged = smoothed(test, length)
            yield label, "mean descriptor", alone(test, averaged, config, None)
        for how, given in (("track", calibration), ("track, uncalibrated", None)):
            yield label, how, together(test, length, config, given, motion)


def read_drives(
    city: Path, config: str, model: str | None, stored: Path
) -> dict[str, Drives]:
    """Returns the drives of val and test; describes their photos if none did."""
    parts = [(split, part) for split in _SPLITS for part in ("queries", "database")]
    photos = {part: scan_photos(city.joinpath(*part), progress=False) for part in parts}
    if stored.exists():
        with np.load(stored) as arrays:
            described = {part: arrays["_".join(part)] for part in parts}
    else:
        from vpr_tf.extraction import load_extractor

        extractor = load_extractor(load_config(config), model)
        described = {
            part: extractor.extract_files(photos[part]).in_memory() for part in parts
        }
        arrays = {"_".join(part): values for part, values in described.items()}
        np.savez(stored, **arrays)
    return {
        split: Drives(
            photos[split, "queries"].photos,
            photos[split, "database"].photos,
            described[split, "queries"],
            described[split, "database"],
        )
        for split in _SPLITS
    }


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--city", type=Path, required=True, help="of the preset drive")
    parser.add_argument("--config", default="configs/quickstart.yaml")
    parser.add_argument("--model", help="encoder; default: that of the config")
    parser.add_argument("--stored", type=Path, required=True, help=".npz file")
    parser.add_argument("--lengths", type=int, nargs="+", default=[1, 3, 5, 10])
    parser.add_argument("--max-speed-kmh", type=float, default=60.0)
    args = parser.parse_args()
    drives = read_drives(args.city, args.config, args.model, args.stored)
    motion = MotionModel(args.max_speed_kmh)
    print(table_of(measure(drives, [*args.lengths, None], motion)).to_text())


if __name__ == "__main__":
    main()
