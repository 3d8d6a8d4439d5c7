"""Measures recall@N and errors in metres of a model on a dataset.

Examples:
  vpr evaluate --config configs/sf_xs_dark.yaml --model runs/sf_xs_dark/<time>
  vpr evaluate --config configs/sf_xs_dark.yaml --model runs/sf_xs_dark/<time> \\
      --set val --report
"""

from __future__ import annotations

import argparse

from vpr_tf.cli.engine_options import add_engine
from vpr_tf.cli.main import Outcome
from vpr_tf.cli.milvus_options import add_milvus, check_address_given
from vpr_tf.cli.options import (
    add_config,
    add_json,
    add_model,
    add_ray,
    add_sets,
    config_with_dataset,
    existing_model,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_config(parser)
    add_model(parser, "without it the config's encoder")
    parser.add_argument(
        "--query-model",
        type=existing_model,
        metavar="MODEL",
        help="describes the queries: a student of --model, or what `vpr adapt` made of "
        "it",
    )
    add_engine(parser)
    add_ray(parser, "describe images")
    add_sets(parser, "val or a test set; may be repeated; default: all test sets")
    parser.add_argument(
        "--report",
        action="store_true",
        help="also write figures, errors, confidence and intervals: report.html",
    )
    parser.add_argument("--output", metavar="DIR", help="folder of the results")
    add_milvus(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Evaluates."""
    config = config_with_dataset(options)
    check_address_given(config)
    where = {"set_names": options.set, "output_dir": options.output}
    if options.report and options.query_model:
        from vpr_tf.config import ConfigError

        raise ConfigError(
            "`--report` is of one encoder. Leave it out, or `--query-model`."
        )
    if options.report:
        from vpr_tf.report import headline_table, run_report

        reports = run_report(config, options.model, **where)
        texts = [
            f"{headline_table(report).to_markdown()}\n\n"
            f"Report: {folder / 'report.html'}"
            for folder, report in reports.items()
        ]
        content = [report.to_dict() for report in reports.values()]
        return Outcome(content, "\n\n".join(texts))
    from vpr_tf.evaluation.command import run_evaluation

    results = run_evaluation(
        config, options.model, query_model=options.query_model, **where
    )
    return Outcome({result.name: result.summary() for result in results})
