"""Adds photos to an index; the next query finds them.

They are described by the encoder that the index keeps. An interrupted command
continues when it is run again, and the index is as it was until it is done.

Examples:
  vpr index add --index city.index --photos new_photos
  vpr index add --index city.index --photos march.csv --prefix march/
  vpr index add --index city.index --photos all_photos --existing skip
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from vpr_tf.cli.engine_options import add_engine
from vpr_tf.cli.index.build import rejected_table
from vpr_tf.cli.index.build_sources import (
    check_usable,
    photos_of,
    without_flagged,
)
from vpr_tf.cli.index.work_folder import (
    delete_work,
    is_of_request,
    locked_work,
    work_folder,
)
from vpr_tf.cli.main import Outcome
from vpr_tf.cli.options import (
    add_exclude,
    add_index,
    add_json,
    add_max_rejected,
    add_model,
    add_without_positions,
    quality_of,
)
from vpr_tf.cli.output import change_outcome, report_rejected
from vpr_tf.cli.reading_options import add_reading, reading_of
from vpr_tf.photos import PhotoFiles
from vpr_tf.place_index import PlaceIndex
from vpr_tf.place_index.joined import SelectedDescriptors
from vpr_tf.printable import printable
from vpr_tf.search import RetrievalError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_index(parser)
    parser.add_argument(
        "--photos", required=True, metavar="DIR_OR_CSV", help="as for `build`"
    )
    parser.add_argument(
        "--prefix", default="", help="put before the keys, which are paths in --photos"
    )
    parser.add_argument(
        "--existing",
        choices=("error", "skip", "replace"),
        default="error",
        help="what to do with photos whose keys the index has; default: error",
    )
    add_model(parser, "the encoder, if the index keeps none")
    add_engine(parser)
    add_reading(parser)
    add_exclude(parser)
    add_without_positions(parser)
    add_max_rejected(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Adds photos."""
    index = Path(options.index)
    work = work_folder(index, "adding")
    request = {**vars(options), "photos": str(Path(options.photos).resolve())}
    del request["milvus_uri"]  # not what is added
    with PlaceIndex.open(index) as opened:
        present, manifest = np.array(opened.photos.keys), opened.manifest
    photos = photos_of(options, reading_of(options)).with_key_prefix(options.prefix)
    known = np.isin(photos.photos.keys, present)
    was_killed = is_of_request(work, request)
    if known.all() and (was_killed or options.existing == "skip"):
        if was_killed:
            delete_work(work)
        text = f"All {len(known):,} photos are in the index already."
        return change_outcome(manifest, text)
    photos = _choose(photos, known, options)
    with locked_work(work, request):
        return _add(options, photos, work)


def _choose(
    photos: PhotoFiles, known: np.ndarray, options: argparse.Namespace
) -> PhotoFiles:
    """Leaves out photos that the index has, before they are described."""
    if options.existing == "skip":
        return photos.take(np.flatnonzero(~known))
    if known.any() and options.existing == "error":
        examples = [printable(key) for key in photos.photos.keys[known][:3]]
        raise RetrievalError(
            f"The index {options.index} already has {known.sum():,} of these photos: "
            f"{', '.join(examples)}{', ...' if known.sum() > 3 else ''}. Pass "
            "--existing skip or --existing replace, or another --prefix."
        )
    return photos


def _add(options: argparse.Namespace, photos: PhotoFiles, work: Path) -> Outcome:
    photos = without_flagged(
        *(photos, options, reading_of(options), quality_of(options)), work / "measures"
    )
    index = PlaceIndex.open(options.index)
    extractor = index.extractor(options.model)
    described = extractor.extract_files(photos, work / "descriptors")
    files = described.photos
    check_usable(files, options.max_rejected_fraction, options.photos)
    report_rejected(files, rejected_table(Path(options.index)))
    descriptors: Any = SelectedDescriptors(described.descriptors, described.rows)
    state = index.add(
        descriptors,
        photos=files.photos,
        replace_existing=options.existing == "replace",
    )
    return change_outcome(state, f"Added: {len(files):,} photos of {options.photos}")
