"""What an index is built of: photos on disk, or splits of a prepared dataset."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vpr_tf.cli.options import config_of
from vpr_tf.cli.photo_options import build_config_of, quality_of
from vpr_tf.cli.reading_options import reading_of
from vpr_tf.config import ConfigError, QualityConfig, ReadingConfig
from vpr_tf.data.prepared_dataset import DatasetError, PreparedDataset
from vpr_tf.photos import (
    PhotoFiles,
    PhotoSource,
    PhotoSourceError,
    PhotoTable,
    check_rejected_fraction,
    dropped_text,
    scan_photos,
)
from vpr_tf.photos.quality import leave_out_flagged
from vpr_tf.place_index.joined import JoinedDescriptors, SelectedDescriptors
from vpr_tf.search import Descriptors

if TYPE_CHECKING:
    from vpr_tf.extraction import FeatureExtractor


@dataclass(frozen=True)
class SplitSource:
    """Splits of a prepared dataset."""

    dataset: PreparedDataset
    split_names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Described:
    """What an index is made of.

    Attributes:
        descriptors: One a photo.
        photos: Their metadata.
        files: The photo files; None for a prepared dataset.
    """

    descriptors: Descriptors
    photos: PhotoTable
    files: PhotoFiles | None


def scan_source(
    options: argparse.Namespace, quality_work: Path
) -> PhotoFiles | SplitSource:
    """Finds the photos or the splits that the options name.

    Args:
        options: Of the command.
        quality_work: Where it is kept what was measured of photos, if some are left
            out by their flags.

    Raises:
        ConfigError: The options name neither, or both.
        DatasetError: There is no such dataset or split.
        PhotoSourceError: The photos cannot be read, or too few can be used.
    """
    if options.photos is None:
        if options.exclude is not None:
            raise ConfigError(
                "--exclude chooses of --photos. A dataset leaves photos out when it is "
                "built, by `build.quality.exclude`."
            )
        if options.config is None:
            raise ConfigError("Pass --photos DIR, or --config FILE with a dataset.")
        dataset = PreparedDataset(config_of(options).dataset.path)
        return SplitSource(dataset, _split_names(dataset, options))
    if options.set or options.split:
        raise ConfigError("--set and --split choose of a dataset, not of --photos.")
    build = build_config_of(options, only_build=True)
    reading = reading_of(options, build.reading)
    photos = photos_of(options, reading)
    quality = quality_of(options, build.quality)
    return without_flagged(photos, options, reading, quality, quality_work)


def without_flagged(
    photos: PhotoFiles,
    options: argparse.Namespace,
    reading: ReadingConfig,
    quality: QualityConfig,
    work: Path,
) -> PhotoFiles:
    """Leaves out photos by their flags.

    Args:
        photos: Of `photos_of`.
        options: `photos`, `max_rejected_fraction` and `workers`.
        reading: How the photos were read.
        quality: Which flags, and the thresholds.
        work: Where it is kept what was measured.

    Raises:
        PhotoSourceError: None is left, or see `leave_out_flagged`.
    """
    source = PhotoSource(Path(options.photos), not options.without_positions, reading)
    kept = leave_out_flagged(photos, source, quality, work, workers=options.workers)
    check_usable(kept, options.max_rejected_fraction, options.photos)
    return kept


def photos_of(options: argparse.Namespace, reading: ReadingConfig) -> PhotoFiles:
    """Reads what `--photos` names, with or without positions.

    Raises:
        PhotoSourceError: The photos cannot be read, or too few can be used.
    """
    needs_position = not options.without_positions
    try:
        photos = scan_photos(
            options.photos, needs_position=needs_position, reading=reading
        )
        check_usable(photos, options.max_rejected_fraction, options.photos)
    except PhotoSourceError as error:
        if "no position" not in str(error):
            raise
        hint = "--without-positions takes photos whose position is not known as well."
        raise PhotoSourceError(f"{error}\n{hint}") from error
    if photos.dropped:
        print(dropped_text(len(photos.dropped), photos.dropped), flush=True)
    unknown = len(photos) - int(photos.photos.positions.known.sum())
    if unknown:
        print(
            f"{unknown:,} of {len(photos):,} photos have no position: `vpr query` "
            "finds them, `vpr localize` cannot place a photo by them.",
            flush=True,
        )
    return photos


def check_usable(photos: PhotoFiles, largest_fraction: float, source: object) -> None:
    """Stops what would go on with too few of the photos.

    Raises:
        PhotoSourceError: None can be used, or fewer than wanted.
    """
    check_rejected_fraction(photos, len(photos.rejected), largest_fraction, source)
    if not len(photos):
        raise PhotoSourceError(f"No photo of {source} can be described.")


def describe_source(
    source: PhotoFiles | SplitSource,
    extractor: FeatureExtractor,
    options: argparse.Namespace,
    folder: Path,
) -> Described:
    """Computes descriptors, or what an interrupted run left to do.

    Args:
        source: Of `scan_source`.
        extractor: The encoder.
        options: `dtype` and `max_rejected_fraction`.
        folder: Where the descriptors are kept.
    """
    if isinstance(source, SplitSource):
        return _describe_splits(source, extractor, options.dtype, folder)
    described = extractor.extract_files(source, folder, dtype=options.dtype)
    files = described.photos
    check_usable(files, options.max_rejected_fraction, options.photos)
    descriptors = SelectedDescriptors(described.descriptors, described.rows)
    return Described(descriptors, files.photos, files)


def _describe_splits(
    source: SplitSource, extractor: FeatureExtractor, dtype: str, folder: Path
) -> Described:
    parts = [
        extractor.extract_split(source.dataset, name, folder / name, dtype=dtype)
        for name in source.split_names
    ]
    photos = [source.dataset.split(n).photo_table() for n in source.split_names]
    joined = JoinedDescriptors(parts, extractor.descriptor_dim, np.dtype(dtype))
    return Described(joined, PhotoTable.concatenate(photos), None)


def _split_names(
    dataset: PreparedDataset, options: argparse.Namespace
) -> tuple[str, ...]:
    sets = dict(dataset.tests)
    if dataset.val is not None:
        sets["val"] = dataset.val
    chosen = list(options.set)
    if not chosen and not options.split:
        chosen = list(dataset.tests)
        if len(chosen) != 1:
            raise DatasetError(
                f"{dataset.path} has {len(chosen)} test sets. Choose by --set NAME "
                f"({', '.join(sets)}) or --split SPLIT "
                f"({', '.join(dataset.split_names)})."
            )
    chosen_sets = dataset.evaluation_sets(chosen) if chosen else []
    names = [*(chosen_set.database for chosen_set in chosen_sets), *options.split]
    for name in names:
        if not len(dataset.split(name)):
            raise DatasetError(f"The split {name!r} of {dataset.path} has no images.")
    return tuple(dict.fromkeys(names))
