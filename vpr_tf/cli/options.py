"""Options that several commands have, each declared once."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from vpr_tf.cli.milvus_options import add_milvus, give_address_of
from vpr_tf.cli.numbers import positive
from vpr_tf.cli.words import told_to_user
from vpr_tf.cluster import check_address

if TYPE_CHECKING:
    from vpr_tf.config import (
        ExperimentConfig,
    )
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


@told_to_user
def _released(text: str) -> str:
    from vpr_tf.models import released_encoder

    return released_encoder(text).name


@told_to_user
def folder_name(text: str) -> str:
    """Reads the name of a folder in another: no path."""
    from vpr_tf.config import check_name

    check_name("NAME", text)
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


def add_ray(parser: argparse.ArgumentParser, what: str) -> None:
    """Adds `--ray`; what it says is seen to by `main`.

    Args:
        parser: Of the command.
        what: What is done on the cluster.
    """
    parser.add_argument(
        "--ray",
        type=told_to_user(check_address),
        metavar="auto|HOST:PORT",
        help=f"{what} on a Ray cluster: the one that this machine is in, or by its "
        "head; see docs/cluster.md",
    )


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


def add_changed_encoder(parser: argparse.ArgumentParser) -> None:
    """Adds what commands take that change an encoder by a sample of images."""
    parser.add_argument(
        "--images",
        type=positive,
        default=10_000,
        help="size of the sample; default: 10000",
    )
    parser.add_argument(
        "--output", required=True, metavar="FILE", help="the .keras file to write"
    )
