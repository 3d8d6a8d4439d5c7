"""Measures ways to search an index, and lets it use the fastest good one.

Each is compared with exact search: how many of the true nearest photos it finds, how
long one query takes, how many a second of a batch, how much memory and building it
needs. Results, their table and a figure are kept in the folder `tuning` of the index;
an interrupted command continues when it is run again, and the index is as it was until
all is measured.

Without queries, stored photos are searched, each without itself. Photos of your own,
taken as queries will be, tell more: give their descriptors with --queries, or the
photos with --query-photos.

Examples:
  vpr index tune --index city.index
  vpr index tune --index city.index --min-recall 0.95 --recall-at 20
  vpr index tune --index city.index --query-photos holiday_photos --dry-run
  vpr index tune --index city.index --kinds scann milvus --budget-s 600
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np

from vpr_tf.cli.engine_options import add_engine
from vpr_tf.cli.main import Outcome
from vpr_tf.cli.named_photos import describe, named_photos
from vpr_tf.cli.numbers import positive, seconds, seed, share
from vpr_tf.cli.options import add_index, add_json, add_model
from vpr_tf.cli.output import print_rejected
from vpr_tf.paths import shared_path
from vpr_tf.place_index import PlaceIndex
from vpr_tf.place_index.tuning import RECALL_VALUES, TuningReport
from vpr_tf.search import RetrievalError
from vpr_tf.stored_files import read_npy
from vpr_tf.tables import Column, Table

_SAMPLE = 1000
_COLUMNS = (
    Column("  setting", "text"),
    *(Column(f"recall@{n}", digits=4) for n in RECALL_VALUES),
    Column("p50 ms", digits=3),
    Column("p95 ms", digits=3),
    Column("queries/s", digits=0),
    Column("memory", digits=0, unit=" MiB"),
    Column("size", digits=0, unit=" MiB"),
    Column("build", unit=" s"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_index(parser)
    parser.add_argument(
        "--min-recall",
        type=share,
        default=0.99,
        help="share of the true nearest photos that must be found; default: 0.99",
    )
    parser.add_argument(
        "--recall-at",
        type=int,
        default=1,
        choices=RECALL_VALUES,
        help="of how many nearest photos; default: 1",
    )
    queries = parser.add_mutually_exclusive_group()
    queries.add_argument("--queries", metavar="FILE.npy", help="descriptors of queries")
    queries.add_argument("--query-photos", metavar="DIR", help="photos as queries")
    queries.add_argument(
        "--sample",
        type=positive,
        default=_SAMPLE,
        metavar="N",
        help=f"how many stored photos to search otherwise; default: {_SAMPLE}",
    )
    add_model(parser, "the encoder, if the index keeps none")
    add_engine(parser)
    parser.add_argument("--seed", type=seed, default=0, help="of --sample; default: 0")
    parser.add_argument(
        "--kinds",
        nargs="+",
        default=["scann"],
        choices=("exact", "scann", "milvus"),
        help="what to try besides exact search (milvus: embedded); default: scann",
    )
    parser.add_argument(
        "--budget-s",
        type=seconds,
        help="begin nothing new after so many seconds; default: no limit",
    )
    parser.add_argument("--output", help="folder of the results; default: INDEX/tuning")
    parser.add_argument(
        "--dry-run", action="store_true", help="measure, but leave the index as it is"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Tunes an index."""
    queries, name = _queries(options)
    report = PlaceIndex(options.index).tune(
        queries,
        min_recall=options.min_recall,
        recall_at=options.recall_at,
        kinds=options.kinds,
        sample=options.sample,
        seed=options.seed,
        budget_s=options.budget_s,
        dry_run=options.dry_run,
        queries_name=name,
        output=options.output,
    )
    content = {
        "chosen": dataclasses.asdict(report.chosen),
        "changed": report.changed,
        "folder": str(report.folder),
        "measurements": [dataclasses.asdict(one) for one in report.measurements],
    }
    return Outcome(content, f"{_table(report)}\n{_conclusion(report, options)}")


def _queries(options: argparse.Namespace) -> tuple[np.ndarray | None, str | None]:
    """Returns descriptors and what they are."""
    if options.query_photos:
        return _described(options)
    if not options.queries:
        return None, None
    try:
        queries = read_npy(Path(options.queries), mapped=False)
    except (OSError, ValueError) as error:
        raise RetrievalError(f"{options.queries} cannot be read: {error}") from error
    return queries, f"{len(queries)} of {Path(options.queries).name}"


def _described(options: argparse.Namespace) -> tuple[np.ndarray, str]:
    photos = named_photos([options.query_photos])
    if not len(photos):
        raise RetrievalError(f"{options.query_photos} has no photos. Name another.")
    described = describe(
        photos, PlaceIndex.open(options.index).extractor(options.model)
    )
    print_rejected(described.photos.rejected)
    found = described.in_memory()
    return found, f"{len(found)} photos of {shared_path(options.query_photos)}"


def _table(report: TuningReport) -> str:
    """Returns the measurements as text, fastest first; the chosen one is marked."""
    fast = sorted(report.measurements, key=lambda one: -one.queries_per_s)
    rows = [
        (
            f"{'*' if one == report.chosen else ' '} {one.name}",
            *(one.recalls[n] for n in RECALL_VALUES),
            one.p50_ms,
            one.p95_ms,
            one.queries_per_s,
            one.memory_mib,
            one.size_mib,
            one.build_s,
        )
        for one in fast
    ]
    return Table("", _COLUMNS, rows).to_text()


def _conclusion(report: TuningReport, options: argparse.Namespace) -> str:
    chosen = report.chosen
    nearest = "nearest" if options.recall_at == 1 else f"{options.recall_at} nearest"
    wanted = f"{options.min_recall:.1%} of the true {nearest}"
    if chosen.kind == "exact":
        text = f"No other setting is faster and finds {wanted}: exact search is kept."
    else:
        text = f"Fastest that finds {wanted}: {chosen.name}."
    if report.changed:
        text += " The index uses it now."
    elif not options.dry_run:
        text += " The index used it already."
    else:
        text += " The index was not changed."
    return f"{text}\nResults and figure: {report.folder}"
