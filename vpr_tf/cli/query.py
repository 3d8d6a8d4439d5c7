"""Finds the photos of an index that look most like other photos.

The encoder is the one that the index keeps. Photos that cannot be read are named, the
others are searched; the exit status is then 1. For positions with their expected error
and a confidence, see `vpr localize`.

Examples:
  vpr query --index city.index photo.jpg
  vpr query --index city.index photos/ --k 3 --json
  vpr query --index city.index photo.jpg --within 37.77,-122.42,500
  vpr query --index city.index photo.jpg --cells 100
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from vpr_tf.cli.main import DONE, PARTLY, Outcome
from vpr_tf.cli.options import (
    add_cells,
    add_index,
    add_json,
    add_model,
    add_within,
    positive,
)
from vpr_tf.cli.output import print_left_out, print_rejected, wants_progress
from vpr_tf.photos import scan_named_photos
from vpr_tf.place_index import Matches, PlaceIndex


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_index(parser)
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="file or folder")
    parser.add_argument(
        "--k", type=positive, default=5, help="matches a photo; default: 5"
    )
    add_within(parser, "search only inside this circle")
    add_cells(parser)
    add_model(parser, "the encoder, if the index keeps none")
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Finds the matches; status 1 when a photo could not be read."""
    with PlaceIndex.open(options.index) as index:
        photos = scan_named_photos(options.photos)
        results: list[dict[str, Any]] = []
        rejected = photos.rejected
        if len(photos):
            encoder = index.extractor(options.model)
            progress = wants_progress(len(photos))
            described = encoder.extract_files(photos, progress=progress)
            rejected = described.photos.rejected
            cells = index.cell_filter(options.cells, described.photos)
            matches = index.search(
                described.in_memory(), options.k, within=options.within, cells=cells
            )
            paths = [path.decode() for path in described.photos.paths]
            results = list(_results(paths, matches))
    print_left_out(photos)
    print_rejected(rejected)
    failed = [{"photo": one.printable_path, "error": one.reason} for one in rejected]
    text = "\n".join(line for result in results for line in _lines(result))
    return Outcome([*results, *failed], text, PARTLY if rejected else DONE)


def _results(paths: list[str], matches: Matches) -> Iterator[dict[str, Any]]:
    for query, path in enumerate(paths):
        found = matches.rows[query] >= 0
        rows = matches.rows[query][found]
        photos = matches.photos.take(rows)
        positions = photos.positions
        yield {
            "photo": path,
            "matches": [
                {
                    "key": photos.keys[i].decode(),
                    "latitude": round(float(positions.latitude_deg[i]), 7),
                    "longitude": round(float(positions.longitude_deg[i]), 7),
                    "heading_deg": _heading(float(photos.heading_deg[i])),
                    "timestamp": photos.timestamps[i].decode() or None,
                    "distance": round(float(matches.distances[query][i]), 6),
                    "similarity": round(1 - float(matches.distances[query][i]) / 2, 6),
                }
                for i in range(len(rows))
            ],
        }


def _heading(heading_deg: float) -> float | None:
    return None if heading_deg < 0 else round(heading_deg, 3)


def _lines(result: dict[str, Any]) -> Iterator[str]:
    yield result["photo"]
    if not result["matches"]:
        yield "  no photo of the index lies there"
    for rank, match in enumerate(result["matches"], 1):
        heading = match["heading_deg"]
        looks = "heading ?" if heading is None else f"heading {heading:.0f}"
        yield (
            f"  {rank:2}  similarity {match['similarity']:.3f}  "
            f"{match['latitude']:.5f}, {match['longitude']:.5f}  {looks}  "
            f"{match['timestamp'] or 'time ?'}  {match['key']}"
        )
