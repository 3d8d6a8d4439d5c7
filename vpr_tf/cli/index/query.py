"""Finds the photos of an index that look most like other photos.

The encoder is the one that the index keeps. Photos that cannot be read are named, the
others are answered; the exit status is then 1. For positions with their expected error
and a confidence, see `python -m vpr_tf.cli.localize`.

Examples:
  python -m vpr_tf.place_index query city.index photo.jpg
  python -m vpr_tf.place_index query city.index photos/ --k 3 --json
  python -m vpr_tf.place_index query city.index photo.jpg --within 37.77,-122.42,500
  python -m vpr_tf.place_index query city.index photo.jpg --cells 100
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

from vpr_tf.cli.index.circle import add_within
from vpr_tf.cli.index.classifiers import IndexClassifiers, add_cells
from vpr_tf.cli.index.output import print_rejected, printable
from vpr_tf.photos.photo_files import RejectedPhoto
from vpr_tf.photos.photo_folder import scan_named_photos
from vpr_tf.place_index import Matches, PlaceIndex


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("index", help="folder of the index")
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="file or folder")
    parser.add_argument("--k", type=int, default=5, help="matches a photo; default: 5")
    add_within(parser, "search only inside this circle")
    add_cells(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--model", help="the encoder, if the index keeps none")


def run(options: argparse.Namespace, classifiers: IndexClassifiers) -> int:
    """Answers queries; returns the exit status.

    Args:
        options: Of the command line.
        classifiers: For indexes that keep one.
    """
    if options.k < 1:
        raise ValueError(f"--k must be 1 or more. Received: {options.k}")
    with PlaceIndex.open(options.index) as index:
        photos = scan_named_photos(options.photos)
        answers: list[dict[str, Any]] = []
        rejected = photos.rejected
        if len(photos):
            from vpr_tf.place_index.photo_source import open_encoder

            encoder = open_encoder(options.index, options.model)
            progress = sys.stderr.isatty() and len(photos) > 1
            described = encoder.extract_files(photos, progress=progress)
            rejected = described.photos.rejected
            cells = classifiers.best_cells(index, options.cells, described.photos)
            matches = index.search(
                described.in_memory(), options.k, within=options.within, cells=cells
            )
            paths = [path.decode() for path in described.photos.paths]
            answers = list(_answers(paths, matches))
    _print(answers, rejected, options.json)
    return 1 if rejected else 0


def _answers(paths: list[str], matches: Matches) -> Iterator[dict[str, Any]]:
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


def _print(
    answers: list[dict[str, Any]], rejected: tuple[RejectedPhoto, ...], as_json: bool
) -> None:
    if as_json:
        failed = [
            {"photo": printable(path), "error": reason} for path, reason in rejected
        ]
        print(json.dumps([*answers, *failed], indent=2))
    else:
        for answer in answers:
            _print_table(answer)
    print_rejected(rejected)


def _print_table(answer: dict[str, Any]) -> None:
    print(answer["photo"])
    if not answer["matches"]:
        print("  no photo of the index lies there")
    for rank, match in enumerate(answer["matches"], 1):
        heading = match["heading_deg"]
        looks = "heading ?" if heading is None else f"heading {heading:.0f}"
        print(
            f"  {rank:2}  similarity {match['similarity']:.3f}  "
            f"{match['latitude']:.5f}, {match['longitude']:.5f}  {looks}  "
            f"{match['timestamp'] or 'time ?'}  {match['key']}"
        )
