"""Trains an encoder: `python train_keras.py --config FILE` is `vpr train ...`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from vpr_tf import cli


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains and returns the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    return cli.main(["train", *words])


if __name__ == "__main__":
    sys.exit(main())
