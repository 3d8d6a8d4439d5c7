"""The files of a report: page, figures, tables, numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vpr_tf.atomic_files import replace_file, write_json
from vpr_tf.data.prepared_dataset import EvaluationSet, PreparedDataset
from vpr_tf.report.city_map import CityMap, QueriesOnMap, city_maps
from vpr_tf.report.failures import failures
from vpr_tf.report.figure_style import write_figures
from vpr_tf.report.figures import report_figures
from vpr_tf.report.page import write_page
from vpr_tf.report.per_query import write_per_query
from vpr_tf.report.query_states import query_states
from vpr_tf.report.report import Report
from vpr_tf.report.tables import (
    headline_table,
    lonely_query_table,
    main_recall_table,
    query_table,
    report_tables,
)
from vpr_tf.tables import metres, number

_MOST_CITIES = 4


def write_report(report: Report, folder: Path) -> None:
    """Writes metrics.json, per_query.csv, table.md and tables.tex.

    Args:
        report: The numbers.
        folder: Existing or new folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "metrics.json", report.to_dict())
    write_per_query(report.per_query, folder / "per_query.csv")
    with replace_file(folder / "table.md") as temporary:
        temporary.write_text(report_markdown(report), encoding="utf-8")
    with replace_file(folder / "tables.tex") as temporary:
        temporary.write_text(report_latex(report), encoding="utf-8")


def report_markdown(report: Report) -> str:
    """Returns the content of table.md."""
    tables = [table.to_markdown() for table in report_tables(report).values()]
    parts = [f"# {report.identity.set_name}"]
    parts += [f"Warning: {text}" for text in report.result.warnings]
    return "\n\n".join([*parts, tables[0], _intervals(report), *tables[1:]]) + "\n"


def report_latex(report: Report) -> str:
    """Returns the content of tables.tex, a `table` for each part of the report."""
    tables = [table.to_latex() for table in report_tables(report).values()]
    return "\n\n".join([f"% {_intervals(report)}", *tables]) + "\n"


def _intervals(report: Report) -> str:
    settings = report.bootstrap
    return (
        f"In brackets: {settings.level:.0%} intervals, Wilson's of percentages; of "
        "other numbers percentile bootstrap over the queries, "
        f"{settings.num_resamples:,} resamples, seed {settings.seed}."
    )


def write_html(
    report: Report,
    folder: str | Path,
    *,
    dataset: PreparedDataset | None = None,
    evaluation_set: EvaluationSet | None = None,
    max_failures: int = 20,
) -> Path:
    """Writes report.html and figures/*.png.

    The page holds its styles, figures and pictures and asks for nothing from outside.
    The same report gives the same bytes.

    Args:
        report: The numbers.
        folder: Existing or new folder.
        dataset: What was measured on; None leaves out the map and the pictures.
        evaluation_set: Names of its splits; None as for `dataset`.
        max_failures: Wrongly localized queries that are shown with pictures.

    Returns:
        The page.

    Raises:
        OSError: A file cannot be written.
    """
    folder, name = Path(folder), report.identity.set_name
    figures = report_figures(report)
    write_figures(figures, folder / "figures")
    maps: list[CityMap] = []
    queries = queries_on_map(report)
    off_maps, worst, suspects = 0, None, None
    suspect_rows = np.flatnonzero(report.per_query["is_suspect"])
    if dataset is not None and evaluation_set is not None:
        maps = maps_of(queries, dataset, evaluation_set)
        off_maps = report.identity.num_queries - sum(len(each.rows) for each in maps)
        worst = failures(report, dataset, evaluation_set, most=max_failures)
        suspects = failures(
            report, dataset, evaluation_set, most=max_failures, rows=suspect_rows
        )
    what = "place" if report.identity.predicts_places else "photo"
    return write_page(
        "report.html.j2",
        folder / "report.html",
        title=f"{dataset.path.name}: {name}" if dataset else name,
        report=report,
        drawings={figure.name: figure for figure in figures},
        tables={
            **report_tables(report),
            "headline": headline_table(report),
            "main_recalls": main_recall_table(report),
            "without_positives": lonely_query_table(report, what),
            "queries": query_table(report),
        },
        dataset=dataset,
        maps=maps,
        queries_on_map=queries,
        num_off_maps=off_maps,
        failures=worst,
        suspects=suspects,
        num_suspects=len(suspect_rows),
        num_without_positives=int(np.sum(report.result.num_positives == 0)),
    )


def queries_on_map(report: Report) -> QueriesOnMap:
    """Returns the queries as maps show them."""
    columns = report.per_query
    return QueriesOnMap(
        [_map_name(report, row) for row in range(len(columns["key"]))],
        query_states(report),
        *(
            np.asarray(columns[f"{prefix}{side}_deg"], np.float64)
            for prefix in ("", "predicted_")
            for side in ("latitude", "longitude")
        ),
    )


def maps_of(
    queries: QueriesOnMap, dataset: PreparedDataset, evaluation_set: EvaluationSet
) -> list[CityMap]:
    """Returns a map of queries and photos for each city, the largest first."""
    photos = dataset.split(evaluation_set.database).photo_table().positions
    known = photos.known & ~photos.is_local
    latitude_deg, longitude_deg = (
        photos.latitude_deg[known],
        photos.longitude_deg[known],
    )
    return city_maps(queries, latitude_deg, longitude_deg, most=_MOST_CITIES)


def _map_name(report: Report, row: int) -> str:
    columns = report.per_query
    parts = [columns["key"][row].decode(errors="replace")]
    error_m, confidence = (float(columns[n][row]) for n in ("error_m", "confidence"))
    if np.isfinite(error_m):
        parts.append(f"error {metres(error_m)}")
    if np.isfinite(confidence):
        parts.append(f"confidence {number(confidence, 2)}")
    return ", ".join(parts)
