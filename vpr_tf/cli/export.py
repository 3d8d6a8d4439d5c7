"""Writes a model as a SavedModel that stock TF Serving loads, or for other engines.

The folder is OUTPUT/NAME/<version>/, of other formats and precisions
OUTPUT/NAME-<format>[-<precision>]/<version>/, one version more than there is. With
evaluation.method=classification the heads of a run are exported with its encoder,
as a SavedModel. A run and the name of a released encoder need no --config.

Other formats are compared with Keras on photos: those of --photos, or the val queries
of the config's dataset. int8 of openvino measures the range of activations on photos:
those of --calibration, or the train split; and R@1 on val before and after.

Example:
  vpr export --model runs/sf_xs_dark/<time> --output savedmodels --name city
  vpr export --model runs/sf_xs_dark/<time> --format openvino --precision int8
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from vpr_tf.cli.main import Outcome
from vpr_tf.cli.named_photos import named_photos
from vpr_tf.cli.numbers import positive
from vpr_tf.cli.options import (
    add_config,
    add_json,
    add_model,
    config_of_model,
    folder_name,
)
from vpr_tf.export.formats import FORMATS, what_is_exported

if TYPE_CHECKING:
    from vpr_tf.extraction.export_record import ExportRecord


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_model(parser, "without it the config's encoder")
    add_config(parser, required=False)
    parser.add_argument(
        "--output", metavar="DIR", help="default: savedmodels_dir of the config"
    )
    parser.add_argument(
        "--name", type=folder_name, help="of the model; default: that of the model"
    )
    parser.add_argument(
        "--num-places",
        type=positive,
        default=20,
        metavar="N",
        help="places that heads give for each photo; default: 20",
    )
    parser.add_argument("--format", choices=FORMATS, default=FORMATS[0])
    parser.add_argument(
        "--precision",
        choices=("float32", "bfloat16", "float16", "int8"),
        default="float32",
        help="of weights and computation; default: float32",
    )
    for option, what in (
        ("--photos", "to compare with Keras on"),
        ("--calibration", "for the ranges of int8, 100 or more"),
    ):
        parser.add_argument(
            option,
            action="append",
            metavar="PHOTOS",
            help=f"file, folder or pattern of photos {what}; may be given again",
        )
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Exports."""
    what = what_is_exported(options.format, options.precision)
    config = config_of_model(options)
    if options.output:
        config = dataclasses.replace(config, savedmodels_dir=options.output)
    photos, calibration = (
        words and named_photos(words) for words in (options.photos, options.calibration)
    )
    from vpr_tf.export.exported_model import export_model

    made = export_model(
        config,
        options.model,
        name=options.name,
        num_places=options.num_places,
        model_format=options.format,
        precision=options.precision,
        photos=photos,
        calibration=calibration,
    )
    is_saved_model = made.record is None
    lines = [
        f"Model: {made.model}",
        f"Images: {made.preprocessing}",
        f"{'SavedModel' if is_saved_model else options.format}: {made.version}, "
        f"{made.descriptor_dim} dimensions",
    ]
    lines += [made.heads] if made.heads else []
    content: dict[str, Any] = {options.format: str(made.version)}
    if made.record is not None:
        lines += [f"Contents: {what}", *_findings(made.record)]
        content["record"] = dataclasses.asdict(made.record)
    return Outcome(content, "\n".join(lines))


def _findings(record: ExportRecord) -> Iterator[str]:
    """Yields what was measured, a line each."""
    parity = record.parity
    is_other = parity.computed_in != record.preprocessing.precision
    computed = f", computed in {parity.computed_in}" if is_other else ""
    yield (
        f"Compared with Keras: largest difference {parity.max_difference:.1e}, "
        f"smallest cosine {parity.min_cosine:.6f}{computed}, on {parity.images}"
    )
    if record.calibration is not None:
        yield f"Calibrated on {record.calibration.images}"
    if record.recall is not None:
        yield (
            f"R@1 of {record.recall.num_queries:,} queries of {record.recall.images}: "
            f"{record.recall.before:.1f} before, {record.recall.after:.1f} after"
        )
    elif record.precision == "int8":
        yield (
            "R@1 was not checked: there is no dataset with a val set. Pass --config, "
            "or measure it by vpr evaluate."
        )
