"""How a benchmark ends that cannot go on: one line and a status."""

from __future__ import annotations

import sys
from collections.abc import Callable

_GOES_ON = "the same command goes on"


def guarded(
    name: str, work: Callable[[], int | None], interrupted: str = _GOES_ON
) -> int:
    """Does the work of a benchmark.

    Args:
        name: Of the benchmark.
        work: Takes nothing and returns a status, or None for 0.
        interrupted: What is said after Ctrl-C.

    Returns:
        The exit status: that of the work, 2 for an error that is explained, or 130.
    """
    try:
        return work() or 0
    except (ValueError, OSError, ImportError) as error:
        print(f"benchmarks.{name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"Interrupted; {interrupted}.", file=sys.stderr)
        return 130
