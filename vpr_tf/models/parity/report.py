"""Comparison of two arrays, and the table of many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from vpr_tf.models.parity.layer_outputs import LayerOutput


@dataclass(frozen=True)
class Comparison:
    """One line of the report.

    Attributes:
        module: Name of the official value.
        layer: Name of what it is compared with.
        shape: Shape of ours.
        error: Largest absolute difference over the largest official value; infinite
            when shapes differ or a value is not finite.
        note: What is wrong, if it is not just the error.
    """

    module: str
    layer: str
    shape: tuple[int, ...]
    error: float
    note: str = ""


def compare(output: LayerOutput, official: np.ndarray) -> Comparison:
    """Compares the output of a layer with that of its torch module.

    Args:
        output: Ours, channels last.
        official: The torch module's; maps are `(batch, channels, height, width)`.
    """
    ours = output.values
    theirs = _channels_last(official, ours.shape)
    if theirs is None:
        note = f"official shape {official.shape}"
        return Comparison(output.module, output.layer, ours.shape, float("inf"), note)
    if output.activation is not None:
        theirs = keras.ops.convert_to_numpy(output.activation(theirs))
    error, note = _relative_error(ours, theirs)
    return Comparison(output.module, output.layer, ours.shape, error, note)


def report_table(comparisons: Sequence[Comparison], tolerance: float) -> str:
    """Returns the lines, the first above the tolerance marked."""
    headers = ("torch module", "Keras layer", "shape", "error")
    rows = [
        (c.module, c.layer, "x".join(map(str, c.shape)), f"{c.error:.1e}")
        for c in comparisons
    ]
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    lines = [
        _line(headers, widths).rstrip(),
        _line(["-" * width for width in widths], widths),
    ]
    is_first = True
    for comparison, row in zip(comparisons, rows, strict=True):
        mark = comparison.note
        if not comparison.error <= tolerance:
            mark = f"<- {'first ' if is_first else ''}above {tolerance:g} {mark}"
            is_first = False
        lines.append(f"{_line(row, widths)}  {mark}".rstrip())
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(
        cell.ljust(width) for cell, width in zip(cells, widths, strict=True)
    )


def _channels_last(official: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """Brings a torch array to our shape; None if it cannot be."""
    if official.ndim == 4 and len(shape) == 4:
        official = official.transpose(0, 2, 3, 1)
    elif official.ndim != len(shape) and official.size == np.prod(shape):
        # A map of one location, or patches in a row.
        official = official.reshape(shape)
    return official if official.shape == shape else None


def _relative_error(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, str]:
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        return float("inf"), "not finite"
    difference = np.abs(ours.astype(np.float64) - theirs).max(initial=0.0)
    largest = np.abs(theirs).max(initial=0.0)
    if largest == 0:
        return (0.0, "") if difference == 0 else (float("inf"), "official is all 0")
    return float(difference / largest), ""
