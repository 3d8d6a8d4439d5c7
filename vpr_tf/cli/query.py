"""Finds the photos of an index that look most like other photos.

The encoder is the one that the index keeps. Photos that cannot be read are named, the
others are searched; the exit status is then 1. For positions with their expected error
and a confidence, see `vpr localize`.

Examples:
  vpr query --index city.index photo.jpg
  vpr query --index city.index photos/ --k 3 --json
  vpr query --index city.index photo.jpg --within 37.77,-122.42,500
  vpr query --index city.index photo.jpg --cells 100
  vpr query --index city.index photos/ --pictures found --photos-root street_photos
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vpr_tf.cli.engine_options import add_engine
from vpr_tf.cli.main import DONE, PARTLY, Outcome
from vpr_tf.cli.named_photos import describe, named_photos
from vpr_tf.cli.numbers import positive
from vpr_tf.cli.options import (
    add_cells,
    add_index,
    add_json,
    add_model,
    add_public_key,
    add_within,
)
from vpr_tf.cli.output import print_rejected
from vpr_tf.localization import Match, matches_of
from vpr_tf.photos import PhotoFiles, PhotoSourceError
from vpr_tf.place_index import Matches, PlaceIndex
from vpr_tf.tables import Column, Table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_index(parser)
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="file or folder")
    parser.add_argument(
        "--k", type=positive, default=5, help="matches a photo; default: 5"
    )
    parser.add_argument(
        "--pictures", metavar="DIR", help="draw each photo and its matches into DIR"
    )
    parser.add_argument(
        "--photos-root",
        metavar="DIR",
        help="folder of photos that the index was built of, for --pictures",
    )
    add_within(parser, "search only inside this circle")
    add_cells(parser)
    add_model(parser, "the encoder, if the index keeps none")
    add_engine(parser)
    add_public_key(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Finds the matches; status 1 when a photo could not be read."""
    _check_pictures(options.pictures, options.photos_root)
    with PlaceIndex.open(options.index, key=options.key) as index:
        photos = named_photos(options.photos)
        found: list[tuple[str, list[Match]]] = []
        rejected = photos.rejected
        if len(photos):
            described = describe(
                photos, index.extractor(options.model, of_queries=True)
            )
            rejected = described.photos.rejected
            cells = index.cell_filter(options.cells, described.photos)
            k = min(options.k, max(1, index.num_photos))
            matches = index.search(
                described.in_memory(), k, within=options.within, cells=cells
            )
            found = list(_found(described.photos, matches))
    print_rejected(rejected)
    drawn = _drawn(found, options)
    content = [_content(photo, matches) for photo, matches in found]
    content += [{"photo": one.printable_path, "error": one.reason} for one in rejected]
    text = _table(found).to_text() + drawn
    return Outcome(content, text, PARTLY if rejected else DONE)


def _drawn(found: list[tuple[str, list[Match]]], options: argparse.Namespace) -> str:
    """Draws what was found, if that is wanted; returns what to say of it."""
    if options.pictures is None:
        return ""
    from vpr_tf.cli.query_pictures import draw_matches

    files, missing = draw_matches(found, options.pictures, options.photos_root)
    text = f"\n\nPictures: {len(files):,} in {options.pictures}"
    if missing:
        text += f"; {missing:,} matches are not in {options.photos_root}"
    return text


def _check_pictures(pictures: str | None, photos_root: str | None) -> None:
    """Checks the options before anything is searched.

    Raises:
        PhotoSourceError: There are no photos to draw the matches from.
    """
    if photos_root is not None and pictures is None:
        raise PhotoSourceError("--photos-root is of --pictures DIR. Pass both.")
    if pictures is not None and photos_root is None:
        raise PhotoSourceError(
            "An index keeps no photos. Pass --photos-root DIR, the folder of photos "
            "that it was built of, so that --pictures can show them."
        )
    if photos_root is not None and not Path(photos_root).is_dir():
        raise PhotoSourceError(f"--photos-root: no folder at {photos_root}.")


def _found(photos: PhotoFiles, matches: Matches) -> Iterator[tuple[str, list[Match]]]:
    for path, rows, distances in zip(
        photos.paths, matches.rows, matches.distances, strict=True
    ):
        there = rows >= 0
        found = matches_of(matches.photos, rows[there], distances[there])
        yield path.decode(), found


def _content(photo: str, matches: list[Match]) -> dict[str, Any]:
    shown = [dataclasses.asdict(match) for match in matches]
    for match in shown:
        match["timestamp"] = match["timestamp"] or None
    return {"photo": photo, "matches": shown}


def _table(found: list[tuple[str, list[Match]]]) -> Table:
    columns = [
        Column("photo", "name"),
        Column("similarity", digits=3),
        Column("latitude", digits=6),
        Column("longitude", digits=6),
        Column("heading", digits=0),
        Column("time", "text"),
        Column("match", "text"),  # whole, as other commands take it
    ]
    rows: list[Sequence[Any]] = []
    for photo, matches in found:
        rows += [
            (
                photo,
                match.similarity,
                match.latitude,
                match.longitude,
                match.heading_deg,
                match.timestamp or None,
                match.key,
            )
            for match in matches
        ]
        if not matches:
            rows.append((photo, *[None] * 5, "no photo of the index lies there"))
    return Table("", columns, rows)
