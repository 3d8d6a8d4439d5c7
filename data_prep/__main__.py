"""`python -m data_prep COMMAND` is `vpr data COMMAND`."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit status."""
    from vpr_tf import cli

    words = sys.argv[1:] if arguments is None else arguments
    return cli.main(["data", *words])


if __name__ == "__main__":
    sys.exit(main())
