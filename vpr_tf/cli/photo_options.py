"""Options of commands that read photos: how, and which of them."""

from __future__ import annotations

import argparse
import dataclasses
import os
from typing import TYPE_CHECKING

from vpr_tf.cli.numbers import share, workers
from vpr_tf.cli.options import config_of

if TYPE_CHECKING:
    from vpr_tf.config import (
        BuildConfig,
        ExperimentConfig,
        QualityConfig,
        ReadingConfig,
    )


def build_config_of(
    options: argparse.Namespace, *, only_build: bool = False
) -> BuildConfig:
    """Returns `build` of the config, or defaults with the overrides over them.

    Args:
        options: Of a command whose `--config` is not required.
        only_build: Takes overrides of `build` alone; others are of the model's config.

    Raises:
        ConfigError: The config or an override is wrong.
    """
    from vpr_tf.config import config_from_values

    if options.config is not None:
        return config_of(options).build
    overrides = [
        override
        for override in options.overrides
        if override.startswith("build.") or not only_build
    ]
    values = {"name": "photos", "dataset": {"path": "none"}}
    return config_from_values(values, overrides).build


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Adds how tables of photos are read; `reading_of` returns it."""
    parser.add_argument(
        "--delimiter",
        metavar="CHARACTER",
        help="between the fields of a CSV file, such as ';' or tab; default: what its "
        "header has",
    )
    parser.add_argument(
        "--columns",
        metavar="FIELD=NAME,...",
        help="columns of a CSV file with unusual names, e.g. latitude=breite",
    )
    parser.add_argument(
        "--zone", metavar="ZONE", help="UTM zone of a CSV file without one, e.g. 10S"
    )
    parser.add_argument(
        "--photo-folder",
        metavar="DIR",
        help="what the paths in a CSV file are relative to; default: its own folder",
    )


def add_without_positions(parser: argparse.ArgumentParser) -> None:
    """Adds `--without-positions`."""
    parser.add_argument(
        "--without-positions",
        action="store_true",
        help="take photos whose position is not known as well: `vpr query` finds them",
    )


def reading_of(
    options: argparse.Namespace, reading: ReadingConfig | None = None
) -> ReadingConfig:
    """Returns how photos are read: what the config says, with the options over it.

    Raises:
        ConfigError: An option is malformed.
    """
    from vpr_tf.config import DEFAULT_READING, ConfigError

    fields = {"delimiter": "delimiter", "zone": "zone", "photo_folder": "folder"}
    given = {
        field: value
        for name, field in fields.items()
        if (value := getattr(options, name)) is not None
    }
    if options.columns is not None:
        pairs = [pair.partition("=") for pair in options.columns.split(",")]
        if not all(name and equals and column for name, equals, column in pairs):
            raise ConfigError(
                "--columns must look like latitude=breite,longitude=laenge. Received: "
                f"{options.columns!r}"
            )
        given["columns"] = {name: column for name, _, column in pairs}
    return dataclasses.replace(reading or DEFAULT_READING, **given)


def with_reading(
    options: argparse.Namespace, config: ExperimentConfig
) -> ExperimentConfig:
    """Returns a config whose `build.reading` has the options over it."""
    reading = reading_of(options, config.build.reading)
    build = dataclasses.replace(config.build, reading=reading)
    return dataclasses.replace(config, build=build)


def add_exclude(parser: argparse.ArgumentParser) -> None:
    """Adds `--exclude`, which `quality_of` returns, and `--workers`."""
    parser.add_argument(
        "--exclude",
        metavar="FLAG,...",
        help="leave out photos with these flags, such as damaged,duplicate: of the "
        "column `flags` of a table by `vpr photos check`; else the photos are checked",
    )
    add_workers(parser, "processes that check photos for --exclude")


def add_workers(parser: argparse.ArgumentParser, purpose: str = "processes") -> None:
    """Adds `--workers`."""
    parser.add_argument(
        "--workers",
        type=workers,
        default=os.cpu_count() or 1,
        help=f"{purpose}; default: one a core",
    )


def quality_of(
    options: argparse.Namespace, quality: QualityConfig | None = None
) -> QualityConfig:
    """Returns which photos are left out: what the config says, or `--exclude`.

    Raises:
        ConfigError: There is no such flag.
    """
    from vpr_tf.config import DEFAULT_QUALITY

    known = quality or DEFAULT_QUALITY
    if options.exclude is None:
        return known
    return dataclasses.replace(known, exclude=options.exclude.split(","))


def add_max_rejected(parser: argparse.ArgumentParser) -> None:
    """Adds `--max-rejected-fraction`."""
    parser.add_argument(
        "--max-rejected-fraction",
        type=share,
        default=0.1,
        metavar="SHARE",
        help="stops when more of the photos cannot be used; default: 0.1",
    )
