"""Says where photos were taken, by an index or by heads that know places:

    python -m vpr_tf.cli.localize --index DIR PHOTO...
    python -m vpr_tf.cli.localize --classifier RUN_OR_SAVEDMODEL PHOTO...

Photos are files, folders or patterns such as "trip/*.jpg". Exit status: 0, 1 when a
photo could not be read (the others are answered), 2 when nothing could be done.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from vpr_tf.cli.index.circle import add_within, with_joined_circle
from vpr_tf.cli.index.classifiers import add_cells

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the command line, locates photos, and returns the exit status."""
    parser = _parser()
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_intermixed_args(with_joined_circle(arguments))
    try:
        from vpr_tf.cli.localize_photos import LocalizeOptions, locate_photos
        from vpr_tf.localization.answer_formats import FORMATS, Found

        how = LocalizeOptions(
            options.k,
            options.within,
            options.heading,
            options.min_confidence,
            options.cells,
        )
        found: Found
        if options.classifier:
            from vpr_tf.cli.localize_by_classifier import locate_by_classifier

            found = locate_by_classifier(
                options.classifier, options.photos, options.model, how
            )
        else:
            found = locate_photos(options.index, options.photos, options.model, how)
        _write(FORMATS[options.format](found), options.output)
    except (ValueError, OSError, ImportError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    for photo, reason in found.unreadable:
        print(f"{parser.prog}: {photo}: {reason}", file=sys.stderr)
    return 1 if found.unreadable else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vpr_tf.cli.localize",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("photos", nargs="+", metavar="PHOTO")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--index", help="folder of the index")
    what.add_argument(
        "--classifier", help="run or SavedModel whose heads answer, without photos"
    )
    parser.add_argument("--model", help="the encoder, if it is not kept there")
    formats = ("table", "json", "geojson")
    parser.add_argument("--format", choices=formats, default="table")
    parser.add_argument("--output", help="file to write instead of the screen")
    parser.add_argument("--k", type=int, help="matches that vote; or places listed")
    add_within(parser, "search only inside this circle")
    add_cells(parser)
    parser.add_argument(
        "--heading", type=float, metavar="DEG", help="where the photos look"
    )
    parser.add_argument(
        "--min-confidence", type=float, metavar="P", help="withhold answers below"
    )
    return parser


def _write(text: str, path: str | None) -> None:
    if path is None:
        print(text)
        return
    from vpr_tf.atomic_files import replace_file

    with replace_file(Path(path)) as temporary:
        temporary.write_text(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
