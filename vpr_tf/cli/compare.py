"""Puts the reports of runs into one table, and tests them against a baseline.

They were written by `vpr evaluate --report`; neither models nor data are needed. Of two
runs it also lists the queries that changed, with pictures in comparison.html.

With --sets it shows how evaluation sets differ, e.g. val and test, of one dataset or of
several, each named by its config or its folder: years, light, headings, density, and
how far queries are from the database. No model is needed.

Examples:
  vpr compare runs/a/2026-11-21_15-31-43 runs/b/2026-11-22_09-10-11
  vpr compare runs/gem/* runs/mixvpr/* --group-seeds --set val --set test --output table
  vpr compare runs/gem/* runs/mixvpr/* --group-seeds --output paper --latex-report
  vpr compare --sets configs/sf_xs_dark.yaml datasets/tokyo_xs --output sets
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from vpr_tf.cli.main import Outcome
from vpr_tf.cli.options import add_json, add_sets

if TYPE_CHECKING:
    from vpr_tf.data.prepared_dataset import PreparedDataset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="run, or another folder with reports; of --sets config or dataset",
    )
    parser.add_argument(
        "--sets",
        action="store_true",
        help="show how sets of datasets differ, instead of runs",
    )
    add_sets(
        parser,
        "evaluation set; may be repeated, in the order of the columns; default: all",
    )
    parser.add_argument(
        "--baseline",
        metavar="RUN",
        help="what the others are tested against, the first row; default: the first",
    )
    parser.add_argument(
        "--group-seeds",
        action="store_true",
        help="one row, mean and deviation, of runs whose configs differ only in `seed`",
    )
    parser.add_argument(
        "--anyway",
        action="store_true",
        help="also where protocols or datasets of runs differ; the table says so",
    )
    parser.add_argument("--output", metavar="DIR", help="folder of the results")
    parser.add_argument(
        "--latex-report",
        action="store_true",
        help="also write report.tex to DIR, a paper to be filled in, with its figures",
    )
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Compares."""
    if options.sets:
        return _compare_sets(options)
    if options.latex_report and options.output is None:
        raise ValueError("--latex-report needs a folder to write to: --output DIR.")
    from vpr_tf.report import (
        compare_runs,
        comparison_markdown,
        run_table_markdown,
        tabulate_runs,
        write_latex_report,
        write_run_table,
    )

    runs = _baseline_first([Path(run) for run in options.runs], options.baseline)
    table = tabulate_runs(
        runs,
        set_names=options.set,
        group_seeds=options.group_seeds,
        anyway=options.anyway,
    )
    comparisons = {}
    if len(runs) == len(table.rows) == 2 and table.has_pairs:
        comparisons = compare_runs(
            *runs,
            set_names=options.set,
            output_dir=options.output,
            anyway=options.anyway,
        )
    texts = [run_table_markdown(table)]
    if options.latex_report:
        skeleton, *_ = write_latex_report(table, options.output)
        texts += [f"Paper to be filled in: {skeleton}\n"]
    elif options.output is not None:
        texts += [f"Table: {write_run_table(table, options.output)[0]}\n"]
    texts += [
        f"{comparison_markdown(comparison, max_changed=10)}\n"
        f"Comparison: {folder / 'comparison.html'}"
        for folder, comparison in comparisons.items()
    ]
    content = {
        "table": table.to_dict(),
        "comparisons": [comparison.to_dict() for comparison in comparisons.values()],
    }
    return Outcome(content, "\n".join(texts))


def _compare_sets(options: argparse.Namespace) -> Outcome:
    """Shows how evaluation sets differ."""
    for name in ("baseline", "group_seeds", "anyway", "latex_report"):
        if getattr(options, name):
            raise ValueError(
                f"--{name.replace('_', '-')} is of runs, and --sets compares what is "
                "in datasets. Leave one of the two out."
            )
    opened = [_opened(path) for path in dict.fromkeys(map(Path, options.runs))]
    from vpr_tf.report import (
        SetSource,
        measure_sets,
        sets_content,
        sets_markdown,
        write_sets,
    )

    sources = [SetSource(*each) for each in opened]
    sets = measure_sets(sources, options.set, progress=not options.json)
    text = sets_markdown(sets)
    if options.output is not None:
        text += f"\nTable: {write_sets(sets, options.output)[0]}\n"
    return Outcome(sets_content(sets), text)


def _opened(path: Path) -> tuple[PreparedDataset, float, float]:
    """Opens the dataset of a config or of a folder; see `SetSource`."""
    from vpr_tf.config import EvaluationConfig, ReportConfig, load_config
    from vpr_tf.data.prepared_dataset import PreparedDataset

    folder, evaluation, report = path, EvaluationConfig(), ReportConfig()
    if path.is_file():
        config = load_config(path)
        folder = Path(config.dataset.path)
        evaluation, report = config.evaluation, config.report
    return (
        PreparedDataset(folder),
        evaluation.positive_dist_threshold_m,
        report.dark_luma_below,
    )


def _baseline_first(runs: list[Path], baseline: str | None) -> list[Path]:
    """Returns the runs in their order, behind the one that was named as baseline."""
    if baseline is None:
        return runs
    first = Path(baseline)
    others = [run for run in runs if run.resolve() != first.resolve()]
    return [first, *others]
