"""Datasets whose positions are in the file names: `@utm_east@utm_north@...@.jpg`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from data_prep.datasets.photo_list import PhotoList
from data_prep.datasets.source_files import photos_in
from vpr_tf.config import ReadingConfig
from vpr_tf.geo import LOCAL_ZONE, UNKNOWN_HEADING_DEG
from vpr_tf.photos import InvalidEntryError
from vpr_tf.photos.sf_xl_names import read_image_name

_COLUMNS = (
    *("path", "utm_east", "utm_north", "zone", "latitude", "longitude"),
    *("heading_deg", "timestamp"),
)


class ConventionLayout:
    """Folders of photos with positions in their names.

    Args:
        folders: For each split the folders that may hold it, the first that is there
            is taken.
        roots: Folders below the source that may hold these, likewise; empty for the
            source itself.
    """

    def __init__(
        self, folders: Mapping[str, Sequence[str]], roots: Sequence[str] = ("",)
    ) -> None:
        self._folders = folders
        self._roots = roots

    def find(self, source: Path, reading: ReadingConfig) -> Iterator[PhotoList]:
        """Yields the splits that are there."""
        for root in self._roots:
            there = {
                split: folder
                for split, names in self._folders.items()
                for folder in [_first_folder(source, root, names)]
                if folder is not None
            }
            if there:
                for split, folder in there.items():
                    yield convention_list(source, split, folder, reading)
                return


def _first_folder(source: Path, root: str, names: Sequence[str]) -> str | None:
    paths = [f"{root}/{name}".strip("/") for name in names]
    return next((path for path in paths if (source / path).is_dir()), None)


def convention_list(
    source: Path, split: str, folder: str, reading: ReadingConfig
) -> PhotoList:
    """Returns the photos of a folder whose names say where they were taken."""
    refused: list[tuple[str, str]] = []

    def rows() -> Iterator[tuple[str, ...]]:
        for path in photos_in(source, folder):
            try:
                yield (path, *_texts(path, reading))
            except InvalidEntryError as error:
                refused.append((path, str(error)))

    return PhotoList(split, _COLUMNS, rows(), refused=refused)


def _texts(path: str, reading: ReadingConfig) -> tuple[str, ...]:
    """Returns what a name says as a table has it, without loss."""
    read = read_image_name(path, reading)
    east_cm, north_cm = read.utm_cm or (0, 0)
    zone, band = read.zone or (LOCAL_ZONE, "")
    zone_text = (
        "local" if zone == LOCAL_ZONE else f"{abs(zone)}{band}" if band else str(zone)
    )
    degrees = ("", "")
    if read.degrees_e7 is not None:
        degrees = (_decimal(read.degrees_e7[0], 7), _decimal(read.degrees_e7[1], 7))
    known = read.heading_deg != UNKNOWN_HEADING_DEG
    heading = f"{read.heading_deg:.9g}" if known else ""
    metres = (_decimal(east_cm, 2), _decimal(north_cm, 2))
    return (*metres, zone_text, *degrees, heading, read.timestamp)


def _decimal(value: int, digits: int) -> str:
    """Returns a whole number of 10^-digits as a decimal number."""
    sign, text = ("-" if value < 0 else ""), str(abs(value)).zfill(digits + 1)
    return f"{sign}{text[:-digits]}.{text[-digits:]}"
