"""Measures ways to search an index and tells it to use the fastest good one.

Each is compared with exact search: how many of the true nearest photos it finds, how
long one query takes, how many a second of a batch, how much memory and building it
needs. Results, their table and a figure are kept in the folder `tuning` of the index;
an interrupted command continues when it is run again, and the index is as it was until
all is measured.

Without queries, stored photos are searched, each without itself. Photos of your own,
taken as queries will be, tell more: give their descriptors with --queries, or the
photos with --query-photos.

Examples:
  python -m vpr_tf.place_index tune city.index
  python -m vpr_tf.place_index tune city.index --min-recall 0.95 --recall-at 20
  python -m vpr_tf.place_index tune city.index --query-photos holiday_photos --dry-run
  python -m vpr_tf.place_index tune city.index --kinds scann milvus --budget-s 600
"""

from __future__ import annotations

import argparse
import sys

from vpr_tf.cli.index.output import print_rejected
from vpr_tf.photos.photo_folder import scan_named_photos
from vpr_tf.place_index.tuning.campaign import TuningOptions, TuningReport, tune
from vpr_tf.place_index.tuning.database import TunedDatabase
from vpr_tf.place_index.tuning.measurement import RECALL_VALUES, Measurement
from vpr_tf.place_index.tuning.queries import TuningQueries
from vpr_tf.search import RetrievalError

_SAMPLE = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("index", help="folder of the index")
    parser.add_argument(
        "--min-recall",
        type=float,
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
        type=int,
        default=_SAMPLE,
        metavar="N",
        help=f"how many stored photos to search otherwise; default: {_SAMPLE}",
    )
    parser.add_argument("--model", help="the encoder, if the index keeps none")
    parser.add_argument("--seed", type=int, default=0, help="of --sample; default: 0")
    parser.add_argument(
        "--kinds",
        nargs="+",
        default=["scann"],
        choices=("exact", "scann", "milvus"),
        help="what to try besides exact search (milvus: embedded); default: scann",
    )
    parser.add_argument(
        "--budget-s",
        type=float,
        help="begin nothing new after so many seconds; default: no limit",
    )
    parser.add_argument("--output", help="folder of the results; default: INDEX/tuning")
    parser.add_argument(
        "--dry-run", action="store_true", help="measure, but leave the index as it is"
    )


def run(options: argparse.Namespace) -> int:
    """Tunes an index; returns the exit status."""
    told = TuningOptions(
        min_recall=options.min_recall,
        recall_at=options.recall_at,
        kinds=tuple(options.kinds),
        budget_s=options.budget_s,
        change_index=not options.dry_run,
    )
    report = tune(
        options.index,
        lambda database: _queries(options, database),
        told,
        output=options.output,
    )
    print(_table(report))
    print(_conclusion(report, told))
    return 0


def _queries(options: argparse.Namespace, database: TunedDatabase) -> TuningQueries:
    descriptors = database.descriptors
    if options.queries:
        return TuningQueries.from_file(options.queries, descriptors.shape[1])
    if options.query_photos:
        return _photos(options)
    return TuningQueries.from_database(descriptors, options.sample, options.seed)


def _photos(options: argparse.Namespace) -> TuningQueries:
    from vpr_tf.place_index.photo_source import open_encoder

    photos = scan_named_photos([options.query_photos])
    if not len(photos):
        raise RetrievalError(f"{options.query_photos} has no photos. Name another.")
    encoder = open_encoder(options.index, options.model)
    described = encoder.extract_files(photos, progress=sys.stderr.isatty())
    print_rejected(described.photos.rejected)
    found = described.in_memory()
    origin = f"{len(found)} photos of {options.query_photos}"
    return TuningQueries.from_descriptors(found, origin)


def _table(report: TuningReport) -> str:
    """Returns the measurements as text, fastest first; the chosen one is marked."""
    width = max(len(one.name) for one in report.measurements)
    head = (
        f"{'':2}{'setting':<{width}}{'recall@1':>10}{'@10':>8}{'@20':>8}{'p50 ms':>9}"
        f"{'p95 ms':>9}{'queries/s':>11}{'memory':>10}{'size':>10}{'build':>9}"
    )
    fast = sorted(report.measurements, key=lambda one: -one.queries_per_s)
    return "\n".join([head, *(_row(one, width, one == report.chosen) for one in fast)])


def _row(one: Measurement, width: int, chosen: bool) -> str:
    recalls = [one.recalls[n] for n in RECALL_VALUES]
    return (
        f"{'*' if chosen else '':2}{one.name:<{width}}{recalls[0]:>10.4f}"
        f"{recalls[1]:>8.4f}{recalls[2]:>8.4f}{one.p50_ms:>9.3f}{one.p95_ms:>9.3f}"
        f"{one.queries_per_s:>11,.0f}{one.memory_mib:>6,.0f} MiB"
        f"{one.size_mib:>6,.0f} MiB{one.build_s:>7,.1f} s"
    )


def _conclusion(report: TuningReport, told: TuningOptions) -> str:
    chosen = report.chosen
    nearest = "nearest" if told.recall_at == 1 else f"{told.recall_at} nearest"
    wanted = f"{told.min_recall:.1%} of the true {nearest}"
    if chosen.kind == "exact":
        text = f"No other setting is faster and finds {wanted}: exact search is kept."
    else:
        text = f"Fastest that finds {wanted}: {chosen.name}."
    if report.changed:
        text += " The index uses it now."
    elif told.change_index:
        text += " The index used it already."
    else:
        text += " The index was not changed."
    return f"{text}\nResults and figure: {report.folder}"
