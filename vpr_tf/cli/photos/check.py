"""Flags photos that are blurred, damaged, copies of others, at a wrong place, ...

Nothing is deleted. A CSV table gives every photo its flags, a page shows some photos of
each. `vpr index build` and `vpr data build` read the table and leave out by
--exclude or `build.quality.exclude`. An interrupted check continues when the same
command is run again. The exit status is 1 when a photo has a flag or cannot be read.

Examples:
  vpr photos check photos/
  vpr photos check march.csv --output checked/march.csv build.quality.min_side_px=300
  vpr photos check photos/ --model cosplace_resnet50_512
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpr_tf.cli.main import DONE, PARTLY, Outcome
from vpr_tf.cli.options import (
    add_config,
    add_json,
    add_model,
    add_ray,
    config_of_model,
)
from vpr_tf.cli.photo_options import add_workers, build_config_of
from vpr_tf.cli.reading_options import add_reading, reading_of
from vpr_tf.printable import printable

if TYPE_CHECKING:
    from vpr_tf.photos import PhotoFiles
    from vpr_tf.photos.quality import FlaggedPhotos, MeasuredPhotos


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("photos", metavar="DIR_OR_CSV", help="folder or CSV table")
    add_config(parser, required=False)
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="the CSV table; the page lies beside it, as .html; default: beside the "
        "photos, as DIR.checked.csv",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an existing table and page"
    )
    add_model(parser, "an encoder, to find photos that look like none near them")
    add_workers(parser)
    add_ray(parser, "check and describe")
    add_reading(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Checks photos, and writes the table and the page."""
    build = build_config_of(options)
    reading = reading_of(options, build.reading)
    table = _table_of(options)
    page, rejected = table.with_suffix(".html"), table.with_suffix(".rejected.csv")
    if not options.overwrite:
        _refuse_existing(table, page, rejected)
    from vpr_tf.cli.index.work_folder import locked_work, work_folder
    from vpr_tf.cli.output import report_rejected
    from vpr_tf.photos import scan_photos
    from vpr_tf.photos.quality import RULES, flag_photos, measure_photos, write_flags
    from vpr_tf.report.photo_quality import write_quality_page

    files = scan_photos(options.photos, needs_position=False, reading=reading)
    _warn_of_blank_ends(files)
    table.parent.mkdir(parents=True, exist_ok=True)
    work = work_folder(table, "checking")
    with locked_work(work, {"photos": str(Path(options.photos).resolve())}):
        photos = measure_photos(files, work / "measures", workers=options.workers)
        photos = _described(photos, options, work / "descriptors")
        flagged = flag_photos(photos, RULES, build.quality)
        write_flags(flagged, table, reading)
        write_quality_page(flagged, str(options.photos), page)
        report_rejected(flagged.files, rejected)
    return _outcome(flagged, table, page)


def _table_of(options: argparse.Namespace) -> Path:
    """Returns where the table is written; never over the photos' own.

    Raises:
        ValueError: `--output` is no name of a table, or names the table that is read.
    """
    source = Path(options.photos)
    name = source.resolve().name.removesuffix(".csv")
    default = source.resolve().with_name(f"{name}.checked.csv")
    table = Path(options.output) if options.output else default
    if table.suffix.lower() != ".csv" or table.resolve() == source.resolve():
        raise ValueError(
            "--output must be a new file whose name ends with .csv. Received: "
            f"{options.output or table}"
        )
    return table


def _refuse_existing(*files: Path) -> None:
    """Keeps what is there: a table may have been edited.

    Raises:
        ValueError: One of the files exists.
    """
    existing = [str(file) for file in files if file.exists()]
    if existing:
        raise ValueError(
            f"Already there: {printable(', '.join(existing))}. Pass another --output, "
            "or --overwrite to replace them."
        )


def _warn_of_blank_ends(files: PhotoFiles) -> None:
    names = [path.decode() for path in files.paths.tolist()]
    blank = [name for name in names if name != name.rstrip()]
    if blank:
        print(
            f"{len(blank):,} names end with a blank, such as "
            f"{printable(repr(blank[0]))}: rename the files, or these photos will be "
            "missed when the table is read.",
            file=sys.stderr,
        )


def _described(
    photos: MeasuredPhotos, options: argparse.Namespace, folder: Path
) -> MeasuredPhotos:
    """Adds descriptors, if there is an encoder; photos that it cannot read go."""
    if options.model is None:
        return photos
    from vpr_tf.extraction import load_extractor
    from vpr_tf.photos.quality import MeasuredPhotos

    extractor = load_extractor(config_of_model(options), options.model)
    described = extractor.extract_files(photos.files, folder)
    measures = photos.measures[described.rows]
    return MeasuredPhotos(described.photos, measures, described.in_memory())


def _outcome(flagged: FlaggedPhotos, table: Path, page: Path) -> Outcome:
    from vpr_tf.cli.output import facts_text
    from vpr_tf.report.photo_quality import counts_table

    num_photos, num_rejected = len(flagged.flags), len(flagged.files.rejected)
    num_flagged = int((flagged.flags != 0).sum())
    content: dict[str, Any] = {
        "num_photos": num_photos,
        "num_flagged": num_flagged,
        "num_rejected": num_rejected,
        "flags": flagged.counts(),
        "not_checked": list(flagged.not_checked),
        "table": str(table),
        "page": str(page),
    }
    share = f" ({num_flagged / num_photos:.1%})" if num_photos else ""
    facts = [("Photos", f"{num_photos:,}"), ("Flagged", f"{num_flagged:,}{share}")]
    if flagged.not_checked:
        facts.append(("Not looked for", ", ".join(flagged.not_checked)))
    facts += [("Table", str(table)), ("Page", str(page))]
    text = f"{counts_table(flagged).to_text()}\n{facts_text(facts)}"
    return Outcome(content, text, PARTLY if num_flagged or num_rejected else DONE)
