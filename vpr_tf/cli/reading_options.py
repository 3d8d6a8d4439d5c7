"""How names and tables of photos are read: options of several commands."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vpr_tf.config import ExperimentConfig, ReadingConfig


def add_reading(parser: argparse.ArgumentParser, *, has_folder: bool = False) -> None:
    """Adds how tables of photos are read; `reading_of` returns it.

    Args:
        parser: Of the command.
        has_folder: Whether another option says where the photos are.
    """
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
    if has_folder:
        parser.set_defaults(photo_folder=None)
        return
    parser.add_argument(
        "--photo-folder",
        metavar="DIR",
        help="what the paths in a CSV file are relative to; default: its own folder",
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
