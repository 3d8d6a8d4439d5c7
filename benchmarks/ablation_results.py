"""Table and figure of an ablation, as figure 6 of Divide&Classify.

Reference:
    Trivigno et al., "Divide&Classify: Fine-Grained Classification for City-Wide Visual
    Geo-Localization", ICCV 2023, arXiv:2307.08417.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.ablation_plan import Choice
from vpr_tf.report import (
    COLOURS,
    BootstrapSettings,
    Drawing,
    bootstrap_percentages,
    json_ready,
    wilson_percentages,
)
from vpr_tf.tables import Column, Interval, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEAD_NAMES = {
    "angular_margin": "ArcFace",
    "cosine_margin": "CosFace",
    "cross_entropy": "cross-\nentropy",
}


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one variant reached.

    Attributes:
        name: Name of its config.
        choice: M, N, head, s and m.
        num_classes: Classes of all groups.
        recalls: LR@N in percent.
        found: Whether the first place of each query is right, bool.
    """

    name: str
    choice: Choice
    num_classes: int
    recalls: dict[int, float]
    found: np.ndarray

    @property
    def lr_1(self) -> Interval:
        """LR@1 with its interval."""
        return wilson_percentages(self.found[:, None], BootstrapSettings().level)[0]

    def above(self, other: Outcome) -> Interval:
        """LR@1 minus that of another, with a paired interval."""
        pairs = self.found.astype(np.int64) - other.found.astype(np.int64)
        return bootstrap_percentages(pairs[:, None], BootstrapSettings())[0]


def ablation_table(outcomes: Sequence[Outcome], base: Outcome | None) -> str:
    """Returns a markdown table, one line a variant.

    Args:
        outcomes: All variants.
        base: The one that the others are compared with; None if it is missing.
    """
    values = sorted({n for outcome in outcomes for n in outcome.recalls if n > 1})
    columns = [Column("run", "text"), Column("M (m)"), Column("stride N")]
    columns += [Column("head", "text"), Column("s", digits=0), Column("m", digits=2)]
    columns += [Column("classes"), Column("LR@1 [95%]")]
    columns += [Column(f"LR@{n}") for n in values]
    rows: list[list[Any]] = []
    for outcome in outcomes:
        row: list[Any] = [outcome.name, *dataclasses.astuple(outcome.choice)]
        row += [outcome.num_classes, outcome.lr_1]
        row += [outcome.recalls.get(n) for n in values]
        compared = base is not None and outcome is not base
        row += [outcome.above(base) if compared and base else ""]
        rows.append(row)
    columns.append(Column("LR@1 against the first"))
    return Table("", columns, rows).to_markdown()


def ablation_figure(outcomes: Sequence[Outcome], base: Outcome) -> Drawing:
    """Draws LR@1 over each thing that varies; the others are the base's."""
    own = base.choice
    labels = {
        "cell_size_m": f"M (m), N = {own.stride}",
        "stride": f"N, M = {own.cell_size_m} m",
        "head": f"head, M = {own.cell_size_m} m, N = {own.stride}",
        "scale": f"s, m = {own.margin:g}" if own.margin is not None else "s",
        "margin": f"m, s = {own.scale:g}" if own.scale is not None else "m",
    }
    panels = {name: _varied(outcomes, base, name) for name in labels}
    panels = {name: members for name, members in panels.items() if len(members) > 1}

    def draw(figure: Figure) -> None:
        grid = figure.subplots(1, max(1, len(panels)), sharey=True, squeeze=False)
        for axes, (name, members) in zip(grid[0], panels.items(), strict=False):
            values = [getattr(outcome.choice, name) for outcome in members]
            is_head = name == "head"
            texts = [_HEAD_NAMES.get(v, v) if is_head else f"{v:g}" for v in values]
            _panel(axes, members, texts, base)
            axes.set_xlabel(labels[name])
            if not is_head:
                lr_1 = [outcome.lr_1.value for outcome in members]
                axes.plot(range(len(lr_1)), lr_1, color=COLOURS["good"], lw=1.2)
        grid[0][0].set_ylabel("LR@1 (%), 95% intervals")

    title = "Cells, groups and heads of Divide&Classify"
    return Drawing("ablation", title, draw, (2.4 * max(1, len(panels)) + 0.6, 3.2))


def _varied(outcomes: Sequence[Outcome], base: Outcome, field: str) -> list[Outcome]:
    """Returns those that differ from the base in one field alone, and the base."""
    own = base.choice
    if getattr(own, field) is None:
        return [base]
    members = []
    for outcome in outcomes:
        value = getattr(outcome.choice, field)
        if value is not None and outcome.choice == own.varied(field, value):
            members.append(outcome)
    if field == "head":
        return members
    return sorted(members, key=lambda outcome: float(getattr(outcome.choice, field)))


def _panel(
    axes: Axes, members: Sequence[Outcome], names: Sequence[str], base: Outcome
) -> None:
    for place, outcome in enumerate(members):
        measured = outcome.lr_1
        axes.plot(
            [place, place],
            [measured.low, measured.high],
            color=COLOURS["tint"],
            lw=5,
            zorder=2,
        )
        fill = COLOURS["good"] if outcome is base else COLOURS["paper"]
        axes.plot(
            place,
            measured.value,
            "o",
            color=COLOURS["good"],
            markerfacecolor=fill,
            ms=6,
            zorder=3,
        )
        axes.annotate(
            f"{measured.value:.1f}",
            (place, measured.value),
            xytext=(5, 8),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
        )
    axes.set_xticks(range(len(names)), names)
    axes.set_xlim(-0.5, len(names) - 0.3)
    axes.grid(axis="x", visible=False)


def write_ablation(
    folder: Path,
    text: str,
    outcomes: Sequence[Outcome],
    base: Outcome | None,
    circumstances: dict[str, Any],
) -> None:
    """Writes ablation.md, ablation.json and, with a base, ablation.png."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ablation.md").write_text(text + "\n")
    entries = [
        {
            "name": outcome.name,
            **dataclasses.asdict(outcome.choice),
            "num_classes": outcome.num_classes,
            "recalls": outcome.recalls,
            "lr_1": outcome.lr_1,
        }
        for outcome in outcomes
    ]
    content = json_ready({**circumstances, "variants": entries})
    (folder / "ablation.json").write_text(json.dumps(content, indent=2) + "\n")
    if base is not None:
        ablation_figure(outcomes, base).write_png(folder)
