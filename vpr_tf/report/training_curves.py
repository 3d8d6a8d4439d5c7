"""Loss and recall on val over the epochs of runs, from their metrics.json."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpr_tf.report.errors import ReportError
from vpr_tf.report.figure_style import RUN_COLOURS, Drawing
from vpr_tf.stored_paths import inside
from vpr_tf.stored_values import from_stored, read_json
from vpr_tf.tables import told_apart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LONGEST_LABEL = 24
_LINE_IN = 0.16  # height of a name in the legend


@dataclass(frozen=True)
class _Epoch:
    epoch: int
    mean_loss: float
    val_recalls: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Metrics:
    epochs: list[_Epoch]


@dataclass(frozen=True)
class TrainingCurve:
    """The epochs of a run.

    Attributes:
        name: Of the run's row in the table of runs; seeds of a row share it.
        losses: Mean loss of each epoch.
        recalls: Epoch, from 1 on, and R@1 on val in percent, where it was validated.
    """

    name: str
    losses: list[float]
    recalls: list[tuple[int, float]]


def read_training_curve(name: str, run: Path) -> TrainingCurve | None:
    """Reads the epochs of a run folder; None of a run that wrote none.

    Raises:
        ReportError: Its metrics.json is damaged.
    """
    try:
        content = read_json(inside(run, "metrics.json"))
        epochs = from_stored(_Metrics, content, more=True).epochs
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ReportError(
            f"Cannot read {run / 'metrics.json'}: {error}. Put it back from a copy."
        ) from error
    recalls = [
        (number, each.val_recalls.get("1", math.nan))
        for number, each in enumerate(epochs, start=1)
    ]
    known = [pair for pair in recalls if math.isfinite(pair[1])]
    losses = [each.mean_loss for each in epochs]
    return TrainingCurve(name, losses, known) if epochs else None


def training_figure(curves: Sequence[TrainingCurve]) -> Drawing:
    """Draws the loss and R@1 on val of each run; seeds of a row have one colour."""
    names = list(dict.fromkeys(curve.name for curve in curves))
    labels = told_apart(names, _LONGEST_LABEL)
    colours = {n: RUN_COLOURS[i % len(RUN_COLOURS)] for i, n in enumerate(names)}

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for curve in curves:
            epochs = range(1, len(curve.losses) + 1)
            style: dict[str, Any] = {"color": colours[curve.name], "marker": "."}
            left.plot(epochs, curve.losses, lw=1.2, **style)
            validated = [epoch for epoch, _ in curve.recalls]
            recalls = [recall for _, recall in curve.recalls]
            right.plot(validated, recalls, lw=1.2, **style)
        _finish(left, "mean loss")
        _finish(right, "R@1 on val (%)")
        lines = [_line(right, colours[name]) for name in names]
        figure.legend(
            lines, [labels[name] for name in names], loc="outside lower center", ncols=2
        )

    height = 2.4 + _LINE_IN * math.ceil(len(names) / 2)
    return Drawing("training", "Training", draw, (6.3, height))


def _line(axes: Axes, colour: str) -> Any:
    (line,) = axes.plot([], [], color=colour)
    return line


def _finish(axes: Axes, label: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epoch")
    axes.set_ylabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
