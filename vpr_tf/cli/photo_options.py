"""Which photos are taken: options of several commands."""

from __future__ import annotations

import argparse
import dataclasses
import os
from typing import TYPE_CHECKING

from vpr_tf.cli.numbers import share, workers
from vpr_tf.cli.options import config_of

if TYPE_CHECKING:
    from vpr_tf.config import BuildConfig, QualityConfig


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


def add_without_positions(parser: argparse.ArgumentParser) -> None:
    """Adds `--without-positions`."""
    parser.add_argument(
        "--without-positions",
        action="store_true",
        help="take photos whose position is not known as well: `vpr query` finds them",
    )


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
