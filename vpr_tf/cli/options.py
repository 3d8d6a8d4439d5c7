"""Options that several commands have, each declared once."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from vpr_tf.cli.milvus_options import add_milvus, give_address_of
from vpr_tf.cli.numbers import positive, share

if TYPE_CHECKING:
    from vpr_tf.config import ExperimentConfig, QualityConfig, ReadingConfig
    from vpr_tf.geo import GeoCircle
    from vpr_tf.models import GeoLocalizationNet

STORED = "stored"
_INDEX = "folder of the index"
MODEL_KINDS = (
    "run folder, .keras file, SavedModel or another export, or name of a released "
    "encoder"
)


def add_config(
    parser: argparse.ArgumentParser,
    *,
    required: bool = True,
    what: str = "experiment",
    words: type[argparse.Action] | str = "store",
) -> None:
    """Adds `--config`, `--print-config` and overrides.

    Args:
        parser: Of the command.
        required: Whether it needs a config.
        what: What the config is of.
        words: The action of overrides, for commands that take other words among them.
    """
    parser.add_argument(
        "--config", required=required, metavar="FILE", help=f"YAML file of the {what}"
    )
    parser.add_argument(
        "--print-config",
        action="store_true",
        help="print what --config and the overrides come to, and do nothing",
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        action=words,
        metavar="key=value",
        help="another value than the config's, such as train.batch_size=8",
    )


def config_of(options: argparse.Namespace) -> ExperimentConfig:
    """Loads the config of the options.

    Raises:
        ConfigError: There is none, or it is wrong.
    """
    from vpr_tf.config import ConfigError, load_config

    if options.config is None:
        raise ConfigError("Pass --config FILE.")
    config = load_config(options.config, options.overrides)
    give_address_of(options, config)
    return config


def config_text(options: argparse.Namespace) -> str:
    """Returns the config of the options as YAML."""
    from vpr_tf.config import config_yaml

    return config_yaml(config_of(options))


def config_with_dataset(options: argparse.Namespace) -> ExperimentConfig:
    """Loads the config, and sees that its dataset and the sets of `--set` are there.

    This takes no time; what follows may load TensorFlow.

    Raises:
        ConfigError: There is no config, or it is wrong.
        DatasetError: There is no dataset, it is of another version, or lacks a set.
    """
    from vpr_tf.data.prepared_dataset import PreparedDataset

    config = config_of(options)
    dataset = PreparedDataset(config.dataset.path)
    names = getattr(options, "set", None)
    if names:
        dataset.evaluation_sets([names] if isinstance(names, str) else names)
    return config


def config_of_model(options: argparse.Namespace) -> ExperimentConfig:
    """Loads the config of the options, else what the model says itself.

    A run and a SavedModel keep their config; a released encoder and a .keras file say
    how photos are prepared.

    Raises:
        ConfigError: There is none, or it is wrong.
    """
    from vpr_tf.config import ConfigError, config_from_values, load_saved_config
    from vpr_tf.extraction import find_model

    if options.config is not None:
        return config_of(options)
    source = find_model(options.model) if options.model else None
    if source is not None and (file := source.config_file):
        config = load_saved_config(file, options.overrides)
        give_address_of(options, config)
        return config
    if source is not None and source.says_preprocessing:
        values = {"name": "model", "dataset": {"path": "none"}}
        return config_from_values(values, options.overrides)
    raise ConfigError(
        f"{options.model or 'No --model'} does not say how images are prepared. Pass "
        "--config FILE, whose `evaluation` does, or a run folder, a SavedModel or a "
        "released encoder."
    )


def add_encoder_name(parser: argparse.ArgumentParser) -> None:
    """Adds `--name` of a released encoder; another is refused at once."""
    parser.add_argument(
        "--name", type=_released, help="released encoder, see `vpr models list`"
    )


def _released(text: str) -> str:
    from vpr_tf.models import released_encoder

    try:
        return released_encoder(text).name
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def folder_name(text: str) -> str:
    """Reads the name of a folder in another: no path."""
    from vpr_tf.config import ConfigError, check_name

    try:
        check_name("NAME", text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def existing_file(text: str) -> Path:
    """Reads the path of a file that must be there."""
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"no file at {path}. Correct the path")
    return path


def encoder_of(options: argparse.Namespace) -> GeoLocalizationNet:
    """Builds the encoder that `--name` or `--config` names, with random weights.

    Raises:
        ValueError: Not exactly one of the two is given, or it is malformed.
    """
    encoder = None if options.config is None else config_of(options).encoder
    if (options.name is None) == (encoder is None):
        raise ValueError(
            "Pass either --name (a released encoder) or --config (an experiment's YAML "
            "file with the encoder). Received: "
            + ("neither" if encoder is None else "both")
        )
    from vpr_tf.models.convert import build_named

    return build_named(options.name, encoder)


def add_index(
    parser: argparse.ArgumentParser,
    choices: argparse._MutuallyExclusiveGroup | None = None,
) -> None:
    """Adds `--index`, and where its search may connect to.

    Args:
        parser: Of the command.
        choices: What the index is one of; None if it is required.
    """
    if choices is None:
        parser.add_argument("--index", required=True, metavar="DIR", help=_INDEX)
    else:
        choices.add_argument("--index", metavar="DIR", help=_INDEX)
    add_milvus(parser)


def add_public_key(parser: argparse.ArgumentParser) -> None:
    """Adds `--key`."""
    parser.add_argument(
        "--key",
        metavar="FILE",
        help="public key of whoever must have signed the index; another is refused",
    )


def add_model(
    parser: argparse.ArgumentParser, purpose: str = "", *, required: bool = False
) -> None:
    """Adds `--model`; a model that is not there is refused at once.

    With it comes `--trust-model`, which is also of the models in an index.
    """
    kinds = f"{purpose}: {MODEL_KINDS}" if purpose else MODEL_KINDS
    parser.add_argument(
        "--model", required=required, type=existing_model, metavar="MODEL", help=kinds
    )
    parser.add_argument(
        "--trust-model",
        action="store_true",
        help="load SavedModels and other exports whatever they hold: they may read and "
        "write files and run anything with your rights",
    )


def existing_model(text: str) -> str:
    """Reads a model: a path that is there, or the name of a released encoder."""
    if not Path(text).exists():
        from vpr_tf.models import released_names

        if text not in released_names():
            raise argparse.ArgumentTypeError(
                f"{text} is no model: there is no such file or folder, and no released "
                "encoder of that name; see `vpr models list`"
            )
    return text


def add_json(parser: argparse.ArgumentParser) -> None:
    """Adds `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_sets(parser: argparse.ArgumentParser, purpose: str) -> None:
    """Adds `--set`, which may be repeated."""
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME", help=purpose
    )


def add_within(parser: argparse.ArgumentParser, purpose: str) -> None:
    """Adds `--within LAT,LON,RADIUS_M`."""
    parser.add_argument(
        "--within",
        type=_circle,
        metavar="LAT,LON,RADIUS_M",
        help=f"{purpose}, e.g. 37.7749,-122.4194,500",
    )


def _circle(text: str) -> GeoCircle:
    from vpr_tf.geo import GeoCircle

    try:
        return GeoCircle(*map(float, text.split(",")))
    except (TypeError, ValueError) as error:
        raise argparse.ArgumentTypeError(
            "must be latitude, longitude and metres with commas between, such as "
            f"37.7749,-122.4194,500. Received: {text!r} ({error})"
        ) from error


def add_cells(parser: argparse.ArgumentParser) -> None:
    """Adds `--cells`."""
    parser.add_argument(
        "--cells",
        type=_cells,
        default=STORED,
        metavar="K",
        help="search only the K best cells of the index's classifier, or `all`; "
        "default: as many as the index was built for",
    )


def _cells(text: str) -> int | str | None:
    if text in ("all", STORED):
        return None if text == "all" else STORED
    return positive(text)


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
    """Adds `--exclude`; `quality_of` returns it."""
    parser.add_argument(
        "--exclude",
        metavar="FLAG,...",
        help="leave out photos with these flags, such as damaged,duplicate: of the "
        "column `flags` of a table by `vpr photos check`; else the photos are checked",
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
