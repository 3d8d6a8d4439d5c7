"""The table of all methods, for people and for programs."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.methods_measure import Measured
from vpr_tf.report import BootstrapSettings, bootstrap_percentages, json_ready
from vpr_tf.tables import Column, Interval, Table

_MIB = 1 << 20


def differences(
    methods: Sequence[Measured], baseline: Measured | None
) -> list[Interval]:
    """Returns LR@1 of each method minus that of another, with paired intervals.

    Args:
        methods: On the same queries.
        baseline: What they are compared with; None gives NaN.
    """
    if baseline is None:
        return [Interval(math.nan)] * len(methods)
    pairs = [
        method.found.astype(np.int64) - baseline.found.astype(np.int64)
        for method in methods
    ]
    return bootstrap_percentages(np.stack(pairs, axis=1), BootstrapSettings())


def methods_table(methods: Sequence[Measured], baseline: Measured | None) -> str:
    """Returns a markdown table, one line a method."""
    values = sorted({n for method in methods for n in method.recalls})
    columns = [Column("method", "text"), *(Column(f"LR@{n}") for n in values)]
    for part in ("extract", "classify", "search", "total"):
        columns.append(Column(f"{part} ms", digits=2))
    columns += [Column("held MiB", digits=2), Column("resident MiB")]
    columns.append(Column("LR@1 against retrieval"))
    rows: list[list[Any]] = []
    for method, difference in zip(methods, differences(methods, baseline), strict=True):
        row: list[Any] = [method.label, *(method.recalls.get(n) for n in values)]
        row += [method.extract_ms, method.classify_ms, method.search_ms]
        row += [method.total_ms, method.held_bytes / _MIB]
        row += [method.resident_bytes / _MIB]
        row += ["" if method is baseline else difference]
        rows.append(row)
    return Table("", columns, rows).to_markdown()


def narrowed_table(methods: Sequence[Measured]) -> list[str]:
    """Returns LR@1 by classifier, search and K, as table 2 of Divide&Classify.

    Returns:
        Lines of markdown; none with fewer than two pairs, which the other table shows
        as well.
    """
    pairs: dict[str, dict[str, float]] = {}
    for method in (m for m in methods if m.kind == "narrowed"):
        pair, _, cells = method.label.rpartition(", ")
        pairs.setdefault(pair, {})[cells] = method.recalls[1]
    if len(pairs) < 2:
        return []
    told = {cells for of_pair in pairs.values() for cells in of_pair}
    names = sorted(told, key=lambda text: (text == "K = all", len(text)), reverse=True)
    columns = [Column("LR@1", "text"), *(Column(name) for name in names)]
    rows = [[pair, *(of.get(name) for name in names)] for pair, of in pairs.items()]
    return ["", Table("", columns, rows).to_markdown()]


def write_table(
    folder: Path,
    text: str,
    methods: Sequence[Measured],
    baseline: Measured | None,
    circumstances: Mapping[str, Any],
) -> None:
    """Writes table.md and results.json.

    Args:
        folder: Existing or new folder.
        text: The table and what is said around it.
        methods: Its lines.
        baseline: See `differences`.
        circumstances: The evaluation set, the machine, what was left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.md").write_text(text + "\n")
    entries = []
    for method, difference in zip(methods, differences(methods, baseline), strict=True):
        entry = {
            field.name: getattr(method, field.name)
            for field in dataclasses.fields(method)
            if field.name != "found"
        }
        entry["total_ms"] = method.total_ms
        entry["lr_1_against_retrieval"] = difference
        entries.append(entry)
    content = json_ready({**circumstances, "methods": entries})
    (folder / "results.json").write_text(json.dumps(content, indent=2) + "\n")
