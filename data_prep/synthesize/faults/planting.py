"""Writes photos with planted faults, and what was planted where."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import utm

from data_prep.synthesize.faults.file_faults import of_pixels
from data_prep.synthesize.faults.pixel_faults import dirt_of, flare_of
from data_prep.synthesize.faults.plan import PHOTO_FAULTS, PlannedPhoto, plan_faults
from data_prep.synthesize.naming import panorama_id
from vpr_tf.atomic_files import new_file, replace_file
from vpr_tf.csv_files import csv_writer, name_cell
from vpr_tf.geo import Positions
from vpr_tf.photos import PhotoFiles, format_image_name
from vpr_tf.terminal_bar import TerminalBar

LABELS_NAME = "faults.csv"
PHOTOS_NAME = "photos"
_MOST_FAULTS = 0.5
_SETTINGS_NAME = "planted.json"
_OF_DRIVES = {"dirt": dirt_of, "flare": flare_of}


def plant_faults(files: PhotoFiles, output: Path, share: float, seed: int) -> int:
    """Copies photos into drives and single photos, a share of them with a fault.

    What is there already is kept: a call that was interrupted is continued by the
    same call.

    Args:
        files: Good photos with positions on the earth.
        output: New folder, or one of the same call: `photos/<drive>/<name>`, whose
            names have position, heading and time, and `faults.csv` with the columns
            photo, relative to `photos`, fault, and copy_of, the photo beside it.
        share: Of the photos, about how many get a fault, above 0 up to 0.5.
        seed: Another seed plants elsewhere.

    Returns:
        How many photos have a fault.

    Raises:
        ValueError: The share is out of range, a position is unknown or local, or the
            folder holds something else.
    """
    check_share(share)
    positions = files.photos.positions
    positions.refuse_local("Planting faults")
    if not positions.known.all():
        raise ValueError(
            "Planting faults needs a position of every photo. "
            f"{int(np.count_nonzero(~positions.known))} have none."
        )
    _claim(files, output, share, seed)
    planned = plan_faults(files.photos, share, seed)
    labels, previous = [], ""
    for photo in TerminalBar(
        planned, unit=" photos", desc="plant faults", disable=None
    ):
        name = f"{photo.folder}/{_name(photo, positions, seed)}"
        path = output / PHOTOS_NAME / name
        if photo.fault:
            labels.append((name, photo.fault, previous if photo.is_copy else ""))
        previous = name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            content = _content(files, photo, seed)
            with new_file(path) as partial:
                partial.write_bytes(content)
    with (
        replace_file(output / LABELS_NAME) as partial,
        partial.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv_writer(file)
        writer.writerow(("photo", "fault", "copy_of"))
        writer.writerows(tuple(map(name_cell, label)) for label in sorted(labels))
    return len(labels)


def check_share(share: float) -> None:
    """Checks how many photos are to get a fault.

    Raises:
        ValueError: More than half, or none.
    """
    if not 0 < share <= _MOST_FAULTS:
        raise ValueError(
            f"The share of photos with faults must be above 0 and at most "
            f"{_MOST_FAULTS}, so that most are good. Received: {share:g}."
        )


def _claim(files: PhotoFiles, output: Path, share: float, seed: int) -> None:
    """Makes sure that the folder is of the same photos, share and seed."""
    digest = hashlib.sha256(b"\0".join(files.paths.tolist())).hexdigest()
    settings = {"photos": digest, "share": share, "seed": seed}
    file = output / _SETTINGS_NAME
    if file.is_file():
        if file.read_text() != json.dumps(settings):
            raise ValueError(
                f"{output} holds other planted faults (see {file}). Choose another "
                "folder or delete it."
            )
        return
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ValueError(
            f"Faults are planted into a new or empty folder. Received: {output}."
        )
    output.mkdir(parents=True, exist_ok=True)
    with new_file(file) as partial:
        partial.write_text(json.dumps(settings))


def _content(files: PhotoFiles, photo: PlannedPhoto, seed: int) -> bytes:
    content = Path(files.file(photo.row)).read_bytes()
    rng = np.random.default_rng((seed, 42, photo.row))
    if photo.fault in _OF_DRIVES:
        # Each photo of a drive has it at the same place.
        of_drive = np.random.default_rng((seed, 43, photo.drive))
        return of_pixels(_OF_DRIVES[photo.fault](of_drive))(content, rng)
    if photo.fault in PHOTO_FAULTS:
        return PHOTO_FAULTS[photo.fault](content, rng)
    return content


def _name(photo: PlannedPhoto, positions: Positions, seed: int) -> str:
    row = photo.place_row
    zone = int(positions.utm_zone[row])
    east, north = (positions.utm_cm[row] / 100 + photo.offset_m).tolist()
    latitude, longitude = utm.to_latlon(east, north, abs(zone), northern=zone > 0)
    return format_image_name(
        utm_east_m=east,
        utm_north_m=north,
        zone_number=abs(zone),
        zone_letter=utm.latitude_to_zone_letter(latitude),
        latitude=float(latitude),
        longitude=float(longitude),
        pano_id=panorama_id(seed, photo.row, photo.is_copy),
        heading_deg=None if photo.heading_deg < 0 else int(photo.heading_deg) % 360,
        timestamp=photo.timestamp,
    )
