"""Measures recall@N and errors in metres, and compares two runs.

`python evaluate.py --config FILE` is `vpr evaluate ...`, and `--compare A B` is
`vpr compare A B`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from vpr_tf import cli


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluates or compares, and returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = "evaluate"
    if "--compare" in words:
        command = "compare"
        words.remove("--compare")
    return cli.main([command, *words])


if __name__ == "__main__":
    sys.exit(main())
