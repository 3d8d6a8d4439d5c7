"""Which Milvus cluster a command line names: no other is connected to."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpr_tf.cli.words import told_to_user
from vpr_tf.milvus_address import give_address, given_address

if TYPE_CHECKING:
    from vpr_tf.config import ExperimentConfig


def add_milvus(parser: argparse.ArgumentParser) -> None:
    """Adds `--milvus-uri`."""
    parser.add_argument(
        "--milvus-uri",
        type=_address,
        metavar="URI",
        help="connect to the Milvus cluster there; without it an address that an index "
        "or a stored config names is not used",
    )


@told_to_user
def _address(text: str) -> str:
    give_address(text)
    return text


def give_address_of(options: argparse.Namespace, config: ExperimentConfig) -> None:
    """Takes the address of a config as given, if the command line names it.

    It does by an override, or by a file that the user wrote. The `config.yaml` of a run
    or an export may come from others: it is not the user's word.
    """
    uri = config.evaluation.milvus_uri
    if uri is None or getattr(options, "milvus_uri", None):
        return
    from vpr_tf.extraction.model_source import RUN_CONFIG

    is_written = options.config and Path(options.config).name != RUN_CONFIG
    names = [override.partition("=")[0] for override in options.overrides]
    if is_written or "evaluation.milvus_uri" in names:
        give_address(uri)


def check_address_given(config: ExperimentConfig) -> None:
    """Refuses a search that would not connect, before anything that takes time.

    Raises:
        MilvusAddressError: The config names a cluster, and the command line does not.
    """
    if config.evaluation.milvus_uri is not None:
        given_address(config.evaluation.milvus_uri)


def give_address_of_settings(
    options: argparse.Namespace, settings: dict[str, Any] | None
) -> None:
    """Takes the address of `--setting uri=...` as given, but for `--milvus-uri`."""
    uri = (settings or {}).get("uri")
    if isinstance(uri, str) and not options.milvus_uri:
        give_address(uri)
