"""The file that all commands of keys are about."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_key_file(parser: argparse.ArgumentParser) -> None:
    """Adds the file of keys."""
    parser.add_argument(
        "--file", required=True, type=Path, metavar="FILE", help="of the hashed keys"
    )
