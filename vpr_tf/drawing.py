"""What all figures have in common: their text says what it says."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any


@contextlib.contextmanager
def plain_text(style: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Around the making and saving of a figure: no text is read as a formula.

    Names of folders, splits and models come from outside, and matplotlib ends with an
    error at `$x^$`. Logarithmic axes need formatters of their own in it: matplotlib's
    write formulas.

    Args:
        style: Further settings, as `matplotlib.rc_context` takes them.
    """
    import matplotlib as mpl

    with mpl.rc_context({**(style or {}), "text.parse_math": False}):
        yield
