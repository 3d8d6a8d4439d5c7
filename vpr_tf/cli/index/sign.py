"""Signs an index as it is, so that others can see whom it is from.

Every file is compared with its checksum first. The signature counts until the next
change of the index. A pair of keys is made by OpenSSL; the public one is handed on:

  openssl genpkey -algorithm ed25519 -out private.pem
  openssl pkey -in private.pem -pubout -out public.pem

Examples:
  vpr index sign --index city.index --key private.pem
  vpr index verify --index city.index --key public.pem
"""

from __future__ import annotations

import argparse
import dataclasses
import getpass
import sys
from pathlib import Path

from vpr_tf.cli.main import Outcome
from vpr_tf.cli.options import add_index, add_json
from vpr_tf.cli.output import read_bar
from vpr_tf.place_index import PassphraseError, PlaceIndex, Signature

_OF_OTHERS = 0o077


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_index(parser)
    parser.add_argument(
        "--key",
        required=True,
        type=Path,
        metavar="FILE",
        help="private Ed25519 key in PEM; its passphrase is asked for",
    )
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Signs an index."""
    key: Path = options.key
    signature = _signed(options.index, key)
    if key.stat().st_mode & _OF_OTHERS:
        print(
            f"Warning: {key} can be read by others on this machine. Forbid it by "
            f"`chmod 600 {key}`.",
            file=sys.stderr,
        )
    text = (
        f"{options.index} is signed at generation {signature.generation} with the key "
        f"{signature.key}"
    )
    return Outcome(dataclasses.asdict(signature), text)


def _signed(index: str, key: Path) -> Signature:
    with read_bar(index) as bar:
        try:
            return PlaceIndex(index).sign(key, progress=bar.update)
        except PassphraseError:
            if not sys.stdin.isatty():
                raise
        bar.clear()
        try:
            passphrase = getpass.getpass(f"Passphrase of {key}: ")
        except EOFError:
            raise PassphraseError(f"{key} is locked, and no passphrase came.") from None
        return PlaceIndex(index).sign(key, passphrase=passphrase, progress=bar.update)
