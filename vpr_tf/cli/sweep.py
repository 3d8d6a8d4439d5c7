"""Trains every combination of the values behind keys, and ends in one table.

The same command goes on after any stop: what is done is skipped. Brackets or quotation
marks keep commas together. With several seeds the table has means and deviations.

Examples:
  vpr sweep --config configs/quickstart.yaml encoder.aggregation.name=gem,max seed=0,1
  vpr sweep --config configs/quickstart.yaml train.batch_size=8,16 --dry-run
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vpr_tf.cli.main import DONE, PARTLY, Outcome
from vpr_tf.cli.options import add_json

if TYPE_CHECKING:
    from vpr_tf.training.sweep import SweepRun


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument(
        "--config", required=True, metavar="FILE", help="YAML file of the experiment"
    )
    parser.add_argument(
        "overrides",
        nargs="+",
        metavar="key=value[,value...]",
        help="values to combine, such as seed=0,1,2; one value is the same for all",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="folder of the runs and the table; default: <runs_dir>/<name>-sweep",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="list the combinations and what is left to train, measured on ten steps",
    )
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Sweeps."""
    from vpr_tf.training.sweep_combinations import combinations

    folder, found = combinations(options.config, options.overrides, options.output)
    from vpr_tf.training.sweep import find_sweep_run, run_sweep, set_names

    for each in found:
        set_names(each)
    if options.dry_run:
        return _costs([find_sweep_run(each) for each in found])
    from vpr_tf.report import run_table_markdown
    from vpr_tf.training.sweep_process import execute_apart

    print(f"{len(found)} combinations in {folder}", flush=True)
    table, failed = run_sweep(
        found, folder, execute_apart, tell=lambda line: print(line, flush=True)
    )
    texts = []
    if table is not None:
        texts = ["", run_table_markdown(table), f"Table: {folder / 'runs.md'}"]
    if failed:
        texts.append(f"{len(failed)} of {len(found)} failed: {'; '.join(failed)}")
    content = {"table": table.to_dict() if table else None, "failed": failed}
    return Outcome(content, "\n".join(texts), PARTLY if failed else DONE)


def _costs(runs: Sequence[SweepRun]) -> Outcome:
    from vpr_tf.training.sweep_cost import sweep_costs

    costs = sweep_costs(runs)
    lines, rows = [], []
    for cost in costs:
        steps, state = cost.run.steps_left, cost.run.state
        text = state
        if cost.step_s is not None:
            text += f", {steps} steps of {cost.step_s:.3f} s: {_duration(cost.total_s)}"
        lines.append(f"{cost.run.combination.text}: {text}")
        rows.append(
            {
                "overrides": list(cost.run.combination.overrides),
                "state": state,
                "steps_left": steps,
                "step_s": cost.step_s,
            }
        )
    total_s = sum(cost.total_s for cost in costs)
    done = sum(cost.run.is_done for cost in costs)
    lines.append(
        f"{len(costs)} combinations, {done} done; training steps of the others: "
        f"{_duration(total_s)}. Val, tests and reports come on top."
    )
    return Outcome({"combinations": rows, "total_s": total_s}, "\n".join(lines))


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"
