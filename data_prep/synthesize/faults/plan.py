"""Which photo gets which fault, and under what name, place and time it is filed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from data_prep.synthesize.faults import file_faults, pixel_faults
from data_prep.synthesize.faults.drives import chain_drives, seconds_of
from data_prep.synthesize.faults.file_faults import of_pixels
from vpr_tf.geo import Positions, constant_heading_text
from vpr_tf.photos import PhotoTable

# Faults of files and pixels, of any photo.
PHOTO_FAULTS = {
    "motion_blur": of_pixels(pixel_faults.motion_blur),
    "focus_blur": of_pixels(pixel_faults.focus_blur),
    "under_exposed": of_pixels(pixel_faults.under_exposed),
    "over_exposed": of_pixels(pixel_faults.over_exposed),
    "lens_cover": of_pixels(pixel_faults.lens_cover),
    "occluder": of_pixels(pixel_faults.occluder),
    "indoor": of_pixels(pixel_faults.indoor),
    "cut_data": file_faults.cut_data,
    "grey_part": file_faults.grey_part,
    "repeated_part": file_faults.repeated_part,
    "too_small": file_faults.too_small,
    "exact_copy": file_faults.exact_copy,
    "near_copy": file_faults.near_copy,
}
COPIES = ("exact_copy", "near_copy")
# Faults that all photos of a drive share, and faults of what is said of a photo.
DRIVE_FAULTS = ("dirt", "flare", "constant_heading")
DATA_FAULTS = ("position_jump", "missing_heading", "wrong_place")
FAULTS = (*PHOTO_FAULTS, *DRIVE_FAULTS, *DATA_FAULTS)
SINGLE = "single"  # folder of the photos that are in no drive
_IN_DRIVES = 0.5  # share of the photos
_JUMP_M = (150.0, 800.0)
_MOVED_M = 100.0
_APART = 3  # photos of a drive between two jumps


@dataclass(frozen=True)
class PlannedPhoto:
    """One photo that will be written.

    Attributes:
        row: Of the photo that it is made of.
        folder: `single`, or the name of its drive.
        heading_deg: Negative where unknown.
        timestamp: As in `PhotoTable`.
        place_row: Photo whose position it is filed under.
        offset_m: East and north, added to that position.
        fault: Of `FAULTS`; empty for a good photo.
        drive: Number of its drive; -1 of a single photo.
    """

    row: int
    folder: str
    heading_deg: float
    timestamp: str
    place_row: int
    offset_m: tuple[float, float] = (0.0, 0.0)
    fault: str = ""
    drive: int = -1

    @property
    def is_copy(self) -> bool:
        """Whether it stands beside the photo that it is made of."""
        return self.fault in COPIES


def plan_faults(photos: PhotoTable, share: float, seed: int) -> list[PlannedPhoto]:
    """Plans drives and single photos, and plants every fault equally often.

    Args:
        photos: Good photos with positions on the earth.
        share: Of the photos, about how many get a fault.
        seed: Another seed plants elsewhere.

    Returns:
        Every photo once, and copies; in the order of their folders and times.
    """
    rng = np.random.default_rng((seed, 41))
    quota = max(1, round(share * len(photos) / len(FAULTS)))
    drives = chain_drives(
        photos.positions, photos.heading_deg, round(_IN_DRIVES * len(photos)), rng
    )
    planned = [_drive(photos, rows, number, rng) for number, rows in enumerate(drives)]
    untouched = _plant_in_drives(planned, quota, rng)
    _plant_jumps(untouched, quota, rng)
    in_drives = {photo.row for drive in planned for photo in drive}
    singles = [
        _single(photos, row, rng) for row in range(len(photos)) if row not in in_drives
    ]
    everything = [*(photo for drive in planned for photo in drive), *singles]
    return _plant_in_photos(everything, photos.positions, quota, rng)


def _drive(
    photos: PhotoTable, rows: np.ndarray, number: int, rng: np.random.Generator
) -> list[PlannedPhoto]:
    positions = photos.positions.take(rows)
    headings = photos.heading_deg[rows]
    if _is_constant(photos):
        # Nobody measured them: the camera looks ahead.
        steps = np.gradient(positions.utm_cm.astype(np.float64), axis=0)
        course = np.degrees(np.arctan2(steps[:, 0], steps[:, 1]))
        headings = (course + rng.normal(0, 3, len(rows))) % 360
    year_and_month = (photos.timestamps[rows[0]].decode() + "202006")[:6]
    day, start = int(rng.integers(1, 29)), int(rng.integers(8 * 3600, 17 * 3600))
    times = [
        f"{year_and_month}{day:02d}_{t // 3600:02d}{t // 60 % 60:02d}{t % 60:02d}"
        for t in (start + seconds_of(positions)).tolist()
    ]
    return [
        PlannedPhoto(row, f"drive_{number:05d}", heading, time, row, drive=number)
        for row, heading, time in zip(
            rows.tolist(), headings.tolist(), times, strict=True
        )
    ]


def _single(photos: PhotoTable, row: int, rng: np.random.Generator) -> PlannedPhoto:
    heading = float(photos.heading_deg[row])
    if _is_constant(photos):
        heading = float(rng.uniform(0, 360))
    return PlannedPhoto(row, SINGLE, heading, photos.timestamps[row].decode(), row)


def _is_constant(photos: PhotoTable) -> bool:
    known = photos.heading_deg[photos.heading_deg >= 0]
    lowest, highest = known.min(initial=np.inf), known.max(initial=-np.inf)
    return not len(known) or bool(constant_heading_text(lowest, highest, len(known)))


def _plant_in_drives(
    drives: list[list[PlannedPhoto]], quota: int, rng: np.random.Generator
) -> list[list[PlannedPhoto]]:
    """Gives whole drives a fault, in place, and returns those without one."""
    order = rng.permutation(len(drives)).tolist()
    for fault in DRIVE_FAULTS:
        planted = 0
        # Some drives stay good, however few there are.
        while planted < quota and len(order) > len(drives) // 2:
            drive = drives[order.pop()]
            heading = float(rng.choice([0.0, 90.0, float(rng.integers(360))]))
            for number, photo in enumerate(drive):
                changed = heading if fault == "constant_heading" else photo.heading_deg
                drive[number] = dataclasses.replace(
                    photo, fault=fault, heading_deg=changed
                )
            planted += len(drive)
    return [drives[number] for number in order]


def _plant_jumps(
    drives: list[list[PlannedPhoto]], quota: int, rng: np.random.Generator
) -> None:
    """Moves single photos of drives away, in place."""
    places = [
        (drive, number)
        for drive in drives
        for number in range(1, len(drive) - 1, _APART)
    ]
    for place in rng.permutation(len(places))[:quota].tolist():
        drive, number = places[place]
        angle, far_m = rng.uniform(0, 2 * np.pi), rng.uniform(*_JUMP_M)
        offset = (far_m * float(np.sin(angle)), far_m * float(np.cos(angle)))
        drive[number] = dataclasses.replace(
            drive[number], fault="position_jump", offset_m=offset
        )


def _plant_in_photos(
    planned: list[PlannedPhoto],
    positions: Positions,
    quota: int,
    rng: np.random.Generator,
) -> list[PlannedPhoto]:
    """Gives photos that have none a fault; copies come after the photo they are of."""
    good = [i for i, photo in enumerate(planned) if not photo.fault]
    single = [i for i in good if planned[i].drive < 0]
    rng.shuffle(good)
    rng.shuffle(single)
    copies: dict[int, PlannedPhoto] = {}
    taken: set[int] = set()
    for fault in ("wrong_place", "missing_heading", *PHOTO_FAULTS):
        pool = single if fault == "wrong_place" else good
        chosen = [i for i in pool if i not in taken][:quota]
        taken.update(chosen)
        for i in chosen:
            photo = dataclasses.replace(planned[i], fault=fault)
            if fault in COPIES:
                copies[i] = photo
            elif fault == "missing_heading":
                planned[i] = dataclasses.replace(photo, heading_deg=-1.0)
            elif fault == "wrong_place":
                far = _far_row(positions, photo.row, rng)
                planned[i] = dataclasses.replace(photo, place_row=far)
            else:
                planned[i] = photo
    return [
        photo
        for i, original in enumerate(planned)
        for photo in ([original, copies[i]] if i in copies else [original])
    ]


def _far_row(positions: Positions, row: int, rng: np.random.Generator) -> int:
    """Returns a photo of another street, the farthest if all are near."""
    away_m = np.hypot(*(positions.utm_cm - positions.utm_cm[row]).T) / 100
    far = np.flatnonzero(away_m >= _MOVED_M)
    return int(rng.choice(far)) if len(far) else int(np.argmax(away_m))
