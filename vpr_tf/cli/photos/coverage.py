"""Shows where photos of an area are missing, old or few.

The area is cut into square cells. Nothing is known of streets but where photos are: a
cell is missing if it lies in a gap of a line of photos that goes on behind the gap, in
the same direction, within six cells.

Examples:
  vpr photos coverage photos/ --output coverage
  vpr photos coverage --index city.index --old-before 2020
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpr_tf.cli.main import Outcome
from vpr_tf.cli.numbers import positive
from vpr_tf.cli.options import add_json
from vpr_tf.cli.reading_options import add_reading, reading_of
from vpr_tf.photos.coverage import (
    DEFAULT_CELL_SIZE_M,
    DEFAULT_FEW,
    Coverage,
    measure_coverage,
)

if TYPE_CHECKING:
    from vpr_tf.photos import PhotoTable

GEOJSON_NAME = "coverage.geojson"
_PRINTED_REJECTED = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("photos", nargs="?", help="folder or CSV table of photos")
    parser.add_argument("--index", metavar="DIR", help="the photos of an index instead")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="writes coverage.png, a map, and coverage.geojson, the cells",
    )
    parser.add_argument(
        "--cell-size",
        type=float,
        default=DEFAULT_CELL_SIZE_M,
        metavar="METRES",
        help="side of a cell; default: %(default)g, within which two photos show one "
        "place",
    )
    parser.add_argument(
        "--few",
        type=positive,
        default=DEFAULT_FEW,
        metavar="COUNT",
        help="a cell with fewer photos has few; default: %(default)s, one in each "
        "direction",
    )
    parser.add_argument(
        "--old-before",
        type=positive,
        metavar="YEAR",
        help="a cell without a photo of this year or later is old; default: five "
        "years before the newest photo",
    )
    add_reading(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Measures coverage, and draws it."""
    if (options.photos is None) == (options.index is None):
        raise ValueError("Pass either a folder or CSV table of photos, or --index DIR.")
    photos, num_unusable = _photos(options)
    coverage = measure_coverage(
        photos,
        cell_size_m=options.cell_size,
        few_below=options.few,
        old_before=options.old_before,
    )
    numbers = coverage.summary()
    numbers["num_without_position"] = len(photos) - numbers["num_photos"]
    numbers["num_unusable"] = num_unusable
    facts = _facts(coverage, numbers)
    if options.output is not None:
        facts += _write(coverage, options.output)
    from vpr_tf.cli.output import facts_text

    return Outcome(numbers, facts_text(facts))


def _photos(options: argparse.Namespace) -> tuple[PhotoTable, int]:
    """Returns the photos, and how many files cannot be used."""
    if options.index is not None:
        from vpr_tf.place_index import PlaceIndex

        with PlaceIndex.open(options.index) as index:
            return index.photos, 0
    from vpr_tf.cli.output import print_left_out, print_rejected
    from vpr_tf.photos import scan_photos

    files = scan_photos(
        options.photos, needs_position=False, reading=reading_of(options)
    )
    print_left_out(files)
    print_rejected([*files.rejected, *files.dropped][:_PRINTED_REJECTED])
    return files.photos, len(files.rejected)


def _facts(coverage: Coverage, numbers: dict[str, Any]) -> list[tuple[str, str]]:
    share = numbers["mean_heading_share"]
    covered = numbers["num_covered"]

    def of_covered(count: int) -> str:
        return f"{count:,} cells ({count / covered:.0%} of those with photos)"

    facts = [
        ("Photos", _photos_text(numbers)),
        (
            "Covered",
            f"{covered:,} cells of {coverage.cell_size_m:g} m "
            f"({numbers['covered_km2']:.3g} km2), median "
            f"{numbers['median_photos']:g} photos",
        ),
        (
            "Missing",
            f"{numbers['num_missing']:,} empty cells in gaps of lines of photos",
        ),
        (f"Fewer than {coverage.few_below}", of_covered(numbers["num_few"])),
    ]
    if numbers["newest_year"] is None:
        facts.append(("Old", "no photo has a year"))
    else:
        facts.append(
            (f"None since {coverage.old_before}", of_covered(numbers["num_old"]))
        )
    if share is None:
        facts.append(("Headings", "none is known"))
    else:
        facts.append(
            ("Headings", f"{share:.0%} of the directions of a cell, on average")
        )
    return facts


def _photos_text(numbers: dict[str, Any]) -> str:
    others = [
        f"{numbers[name]:,} {what}"
        for name, what in (
            ("num_without_position", "without a position"),
            ("num_unusable", "that cannot be used"),
        )
        if numbers[name]
    ]
    left_out = f"; left out: {', '.join(others)}" if others else ""
    return f"{numbers['num_photos']:,} with a position{left_out}"


def _write(coverage: Coverage, folder: Path) -> list[tuple[str, str]]:
    from vpr_tf.atomic_files import write_json
    from vpr_tf.report.coverage_map import draw_coverage

    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / GEOJSON_NAME, coverage.geojson())
    picture, num_left_out = draw_coverage(coverage, folder)
    left_out = f" ({num_left_out:,} cells of other cities are not on it)"
    return [
        ("Map", f"{picture}{left_out if num_left_out else ''}"),
        ("Cells", str(folder / GEOJSON_NAME)),
    ]
