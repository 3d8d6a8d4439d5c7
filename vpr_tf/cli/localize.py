"""Finds where photos were taken, by an index or by heads that know places.

Photos are files, folders or patterns such as "trip/*.jpg". The exit status is 1 when
a photo could not be read; the others are localized.

Examples:
  vpr localize --index city.index photo.jpg
  vpr localize --index city.index trip/ --geojson --output trip.geojson
  vpr localize --index city.index drive/ --sequence --gpx --output drive.gpx
  vpr localize --index city.index --rerank always --photos-root street_photos photo.jpg
  vpr localize --classifier savedmodels/city photo.jpg
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from pathlib import Path

from vpr_tf.cli.engine_options import add_engine
from vpr_tf.cli.main import DONE, PARTLY, Outcome, UsageError
from vpr_tf.cli.numbers import positive
from vpr_tf.cli.options import (
    add_cells,
    add_index,
    add_json,
    add_model,
    add_public_key,
    add_within,
    existing_model,
)
from vpr_tf.cli.rerank_options import RERANK_OPTIONS, add_rerank, rerank_of
from vpr_tf.cli.sequence_options import add_sequence, check_sequence
from vpr_tf.printable import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("photos", nargs="+", metavar="PHOTO")
    what = parser.add_mutually_exclusive_group(required=True)
    add_index(parser, what)
    what.add_argument(
        "--classifier",
        type=existing_model,
        metavar="MODEL",
        help="run or SavedModel whose heads know places, without photos",
    )
    add_model(parser, "the encoder, if it is not kept there")
    add_engine(parser)
    parser.add_argument("--k", type=positive, help="matches that vote; places listed")
    add_within(parser, "search only inside this circle")
    add_cells(parser)
    parser.add_argument(
        "--heading", type=float, metavar="DEG", help="where the photos look"
    )
    parser.add_argument(
        "--min-confidence", type=float, metavar="P", help="withhold what is below"
    )
    add_public_key(parser)
    add_rerank(parser)
    parser.add_argument(
        "--photos-root",
        metavar="DIR",
        help="folder of photos that the index was built of, for re-ranking",
    )
    add_json(parser)
    parser.add_argument("--geojson", action="store_true", help="print GeoJSON")
    parser.add_argument(
        "--output", metavar="FILE", help="file to write instead of the screen"
    )
    add_sequence(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Localizes photos; status 1 when a photo could not be read."""
    from vpr_tf.cli.localize_photos import locate_photos
    from vpr_tf.cli.sequences import SequenceOptions
    from vpr_tf.localization import as_geojson, as_gpx, as_json, as_table
    from vpr_tf.place_index.localizing import LocalizationOptions

    if options.key and not options.index:
        raise UsageError("--key says who must have signed an index: pass --index DIR.")
    check_sequence(options)
    how = LocalizationOptions(
        options.k,
        options.within,
        options.heading,
        options.min_confidence,
        options.cells,
    )
    if options.classifier:
        _check_no_rerank(options)
        from vpr_tf.cli.localize_by_classifier import locate_by_classifier

        found = locate_by_classifier(
            options.classifier, options.photos, options.model, how
        )
    else:
        rerank = functools.partial(
            rerank_of, options, photos_root=options.photos_root, option="--photos-root"
        )
        found = locate_photos(
            options.index,
            options.photos,
            options.model,
            how,
            key=options.key,
            sequence=SequenceOptions.of(options) if options.sequence else None,
            rerank=None if options.sequence else rerank,
        )
    for photo, reason in found.unreadable:
        print(printable(f"{photo}: {reason}"), file=sys.stderr)
    status = PARTLY if found.unreadable else DONE
    show = as_json if options.json else as_geojson if options.geojson else as_table
    show = as_gpx if options.gpx else show
    text = show(found)
    if options.output is None:
        return Outcome(json.loads(text) if options.json else None, text, status)
    from vpr_tf.atomic_files import replace_file

    with replace_file(Path(options.output)) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return Outcome({"output": options.output}, status=status)


def _check_no_rerank(options: argparse.Namespace) -> None:
    """Refuses what compares photos with those of an index."""
    for name in RERANK_OPTIONS:
        if getattr(options, name) is not None:
            raise UsageError(
                f"--{name.replace('_', '-')} compares photos with those of an index: "
                "pass --index DIR. Received: --classifier"
            )
