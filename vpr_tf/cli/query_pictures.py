"""Pictures of photos and of the photos of an index that look most like them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageOps

from vpr_tf.evaluation.pictures import NEUTRAL, join_tiles, picture_tile
from vpr_tf.localization import Match
from vpr_tf.photos import InvalidEntryError, read_image_header

_SHOWN_SIDE = 640  # pixels; a JPEG is decoded at about this size


def draw_matches(
    found: Sequence[tuple[str, list[Match]]], pictures: str, photos_root: str
) -> tuple[list[Path], int]:
    """Writes one JPEG a photo: the photo, then its matches from the nearest.

    Args:
        found: Photos and their matches.
        pictures: Existing or new folder.
        photos_root: Folder that the keys of the matches are paths in.

    Returns:
        The files, and how many of the matches are not in the folder.
    """
    folder, root = Path(pictures), Path(photos_root)
    folder.mkdir(parents=True, exist_ok=True)
    files, num_missing = [], 0
    for number, (photo, matches) in enumerate(found):
        tiles = [picture_tile(_open(Path(photo)), NEUTRAL, "query", "")]
        for rank, match in enumerate(matches, start=1):
            image = _open_inside(root, match.key)
            num_missing += image is None
            label = f"{rank}   {'not in the folder' if image is None else ''}".rstrip()
            tiles.append(picture_tile(image, NEUTRAL, label, f"{match.similarity:.3f}"))
        path = folder / f"query_{number:06d}.jpg"
        join_tiles(tiles, (photo, _place(matches))).save(path, quality=92)
        files.append(path)
    return files, num_missing


def _place(matches: Sequence[Match]) -> str:
    if not matches or matches[0].latitude is None:
        return "position of the match unknown"
    return f"{matches[0].latitude:.6f}, {matches[0].longitude:.6f}"


def _open_inside(root: Path, key: str) -> Image.Image | None:
    """Opens a photo of a folder; a key that leads out of it is not followed."""
    path = Path(os.path.abspath(root / key))  # noqa: PTH100 - links stay as they are
    if not path.is_relative_to(root.absolute()):
        return None
    return _open(path)


def _open(path: Path) -> Image.Image | None:
    """Opens a photo upright, scaled down; None if it cannot be."""
    with contextlib.suppress(OSError, ValueError, InvalidEntryError):
        with path.open("rb") as file:
            read_image_header(file.fileno(), path.stat().st_size)
        with Image.open(path) as image:
            image.draft("RGB", (_SHOWN_SIDE, _SHOWN_SIDE))
            return ImageOps.exif_transpose(image).convert("RGB")
    return None
