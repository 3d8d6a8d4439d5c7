"""Which files of a folder are photos, by their names."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

_TYPES = mimetypes.MimeTypes(filenames=())  # those of every machine
# What systems, network drives and archives put beside photos, besides names with a dot.
_SYSTEM_NAMES = frozenset(
    (
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini"),
        *("picasa.ini", "zbthumbnail.info", "icon\r", "__macosx", "lost+found"),
        *("@eadir", "@tmp", "@recycle", "#recycle", "$recycle.bin", "recycler"),
        *("network trash folder", "temporary items", "system volume information"),
    )
)
# Raw pictures, and notes of cameras and editors; their types are not known everywhere.
_RAW = ".dng .cr2 .cr3 .crw .nef .nrw .arw .srf .sr2 .orf .rw2 .raf .pef .srw .3fr .x3f"
_NOTES = ".aae .xmp .thm .lrv .lrf .srt .gpx .kml .kmz .nmea .fit .pp3 .dop .cos .on1"
_FILES = (
    ".json .geojson .yaml .yml .toml .csv .tsv .txt .md .log .ini .db .sqlite .lnk "
    ".tmp .bak .part .crdownload .m4a .aac .mts .m2ts "
    ".insv .360 .psd .xcf .npy .npz .mat .h5 .pth"
)
_PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png")  # nearly all; others are looked up
_OTHER_SUFFIXES = frozenset(f"{_RAW} {_NOTES} {_FILES}".split(" "))


@dataclass
class SkippedFiles:
    """Files of a folder that are no photos.

    Attributes:
        num_hidden: Hidden files and those of systems, such as .DS_Store.
        num_other: Others, such as notes.txt.
    """

    num_hidden: int = 0
    num_other: int = 0

    @property
    def text(self) -> str:
        """The counts for people; empty where nothing was skipped."""
        parts = []
        if self.num_other:
            parts.append(f"{self.num_other:,} other files")
        if self.num_hidden:
            parts.append(f"{self.num_hidden:,} hidden or system files")
        return " and ".join(parts)

    def leave_out(self, files: Iterator[tuple[str, int]]) -> Iterator[tuple[str, int]]:
        """Yields paths and sizes of what may be photos, and counts the others."""
        for path, size in files:
            if is_hidden(path):
                self.num_hidden += 1
            elif _is_other(path):
                self.num_other += 1
            else:
                yield path, size


def is_hidden(path: str) -> bool:
    """Whether a file, or a folder that it lies in, is hidden or of the system."""
    # Of millions of paths, few have to be taken apart carefully.
    if path[:1] != "." and "/." not in path:
        return not _SYSTEM_NAMES.isdisjoint(path.lower().split("/"))
    parts = PurePosixPath(path).parts
    return any(part[0] == "." or part.lower() in _SYSTEM_NAMES for part in parts)


def is_image_name(path: str) -> bool:
    """Whether a name is that of a JPEG, PNG or another picture."""
    kind, _ = _TYPES.guess_type(PurePosixPath(path).name)
    suffix = PurePosixPath(path).suffix.lower()
    images = (".heic", ".heif", ".avif", ".webp", ".jxl")
    return (kind or "").startswith("image/") or suffix in images


def _is_other(path: str) -> bool:
    """Whether a name is that of something else; one that says nothing is not."""
    if path.lower().endswith(_PHOTO_SUFFIXES):
        return False
    name = PurePosixPath(path)
    if name.suffix.lower() in _OTHER_SUFFIXES:
        return True
    kind, _ = _TYPES.guess_type(name.name)
    return kind is not None and not kind.startswith("image/")
