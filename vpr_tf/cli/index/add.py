"""Adds photos to an index; the next query finds them.

They are described by the encoder that the index keeps. An interrupted command
continues when it is run again, and the index is as it was until it is done. Of a
config only `build.reading` and `build.quality` are used.

Examples:
  vpr index add --index city.index --photos new_photos
  vpr index add --index city.index --photos march.csv --prefix march/
  vpr index add --index city.index --photos all_photos --existing skip
  vpr index add --index city.index --photos new_photos \\
      --exclude blurred,too_small build.quality.min_side_px=300
"""

from __future__ import annotations

import argparse
from dataclasses import replace
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
from vpr_tf.cli.index.local_features import (
    add_weights_to_add,
    find_local_features,
    matching_to_add,
)
from vpr_tf.cli.index.work_folder import (
    added_by,
    delete_work,
    locked_work,
    note_added,
    without_means,
    work_folder,
)
from vpr_tf.cli.main import Outcome
from vpr_tf.cli.options import (
    add_config,
    add_index,
    add_json,
    add_model,
    add_ray,
)
from vpr_tf.cli.output import change_outcome, report_rejected
from vpr_tf.cli.photo_options import (
    add_exclude,
    add_max_rejected,
    add_without_positions,
    build_config_of,
    quality_of,
)
from vpr_tf.cli.reading_options import add_reading, reading_of
from vpr_tf.config import BuildConfig, ConfigError
from vpr_tf.photos import PhotoFiles
from vpr_tf.place_index import IndexManifest, PlaceIndex
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
    add_ray(parser, "check and describe photos")
    add_config(parser, required=False, what="reading and quality of photos")
    add_weights_to_add(parser)
    add_reading(parser)
    add_exclude(parser)
    add_without_positions(parser)
    add_max_rejected(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Adds photos."""
    build = _build_of(options)
    index = Path(options.index)
    work = work_folder(index, "adding")
    request = {**vars(options), "photos": str(Path(options.photos).resolve())}
    request = without_means(request)
    with PlaceIndex.open(index) as opened:
        present, manifest = np.array(opened.photos.keys), opened.manifest
    added = added_by(work, request)
    # What was replaced is in the index, whether it was killed before or after.
    if added and options.existing != "replace" and _are_in(added, present).all():
        delete_work(work)
        return _nothing_added(manifest, len(added))
    photos = photos_of(options, build.reading).with_key_prefix(options.prefix)
    known = np.isin(photos.photos.keys, present)
    if known.all() and options.existing == "skip":
        return _nothing_added(manifest, len(known))
    photos = _choose(photos, known, options)
    with locked_work(work, request):
        photos = without_flagged(
            photos, options, build.reading, build.quality, work / "measures"
        )
        return _add(options, photos, work, request)


def _build_of(options: argparse.Namespace) -> BuildConfig:
    """Returns how photos are read, and which are left out."""
    other = [text for text in options.overrides if not text.startswith("build.")]
    if other:
        raise ConfigError(
            "`vpr index add` takes values of `build.quality` and `build.reading` alone:"
            f" the index says the rest. Received: {other[0]!r}"
        )
    build = build_config_of(options)
    reading = reading_of(options, build.reading)
    return replace(build, reading=reading, quality=quality_of(options, build.quality))


def _are_in(keys: list[str], present: np.ndarray) -> np.ndarray:
    return np.isin([key.encode() for key in keys], present)


def _nothing_added(manifest: IndexManifest, num_photos: int) -> Outcome:
    text = f"All {num_photos:,} photos are in the index already."
    return change_outcome(manifest, text)


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


def _add(
    options: argparse.Namespace, photos: PhotoFiles, work: Path, request: dict[str, Any]
) -> Outcome:
    index = PlaceIndex.open(options.index)
    extractor = index.extractor(options.model)
    matching = matching_to_add(options, index.manifest, lambda: extractor)
    described = extractor.extract_files(photos, work / "descriptors")
    files = described.photos
    check_usable(files, options.max_rejected_fraction, options.photos)
    report_rejected(files, rejected_table(Path(options.index)))
    descriptors: Any = SelectedDescriptors(described.descriptors, described.rows)
    local = find_local_features(matching, files, work / "key_points")
    note_added(work, request, [key.decode() for key in files.photos.keys.tolist()])
    state = index.add(
        descriptors,
        photos=files.photos,
        replace_existing=options.existing == "replace",
        local_features=local,
    )
    return change_outcome(state, f"Added: {len(files):,} photos of {options.photos}")
