"""report.html: everything about one evaluation in one file, and its figures as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vpr_tf.atomic_files import replace_file
from vpr_tf.data.prepared_dataset import EvaluationSet, PreparedDataset
from vpr_tf.report import number_sections, query_sections
from vpr_tf.report.failure_section import failure_section
from vpr_tf.report.figure_style import write_figures
from vpr_tf.report.page_tables import facts
from vpr_tf.report.page_template import Section, missing, page
from vpr_tf.report.page_text import breakable, safe
from vpr_tf.report.report import Identity, Report

_NO_DATASET = "The prepared dataset is not at hand, so there are no places to draw."
_NO_PICTURES = "The prepared dataset is not at hand, so there are no pictures."


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
        max_failures: Wrongly answered queries that are shown with pictures.

    Returns:
        The page.

    Raises:
        OSError: A file cannot be written.
    """
    folder = Path(folder)
    drawings = number_sections.drawings_of(report)
    write_figures(list(drawings.values()), folder / "figures")
    sections = [
        number_sections.summary(report, drawings),
        number_sections.thresholds(report, drawings),
        number_sections.errors(report, drawings),
        number_sections.confidence(report, drawings),
        number_sections.strata(report, drawings),
        number_sections.smoothness(report, drawings),
        *_dataset_sections(report, dataset, evaluation_set, max_failures),
        query_sections.without_positives(report),
        query_sections.all_queries(report),
    ]
    identity = report.identity
    html = page(
        "Evaluation of place recognition",
        f"{dataset.path.name}: {identity.set_name}" if dataset else identity.set_name,
        facts(identity_facts(identity)),
        sections,
        _footer(report),
    )
    path = folder / "report.html"
    with replace_file(path) as temporary:
        temporary.write_text(html, encoding="utf-8")
    return path


def _dataset_sections(
    report: Report,
    dataset: PreparedDataset | None,
    evaluation_set: EvaluationSet | None,
    max_failures: int,
) -> Sequence[Section]:
    if dataset is None or evaluation_set is None:
        return [
            Section("map", "Map", missing(_NO_DATASET)),
            Section("failures", "Worst failures", missing(_NO_PICTURES), "Failures"),
        ]
    return [
        query_sections.map_section(report, dataset, evaluation_set),
        failure_section(report, dataset, evaluation_set, most=max_failures),
    ]


def identity_facts(identity: Identity) -> list[tuple[str, str]]:
    """Returns what was measured on what, for the head of a page."""
    return [
        ("Encoder", breakable(identity.encoder)),
        ("Queries", f"{identity.num_queries:,}"),
        ("Database photos", _known(identity)),
        ("Search", safe(identity.search)),
        ("Preprocessing", safe(identity.preprocessing)),
        ("Encoder fingerprint", _short(identity.encoder_fingerprint)),
        ("Dataset fingerprint", _short(identity.dataset_fingerprint)),
    ]


def _known(identity: Identity) -> str:
    if identity.of_places:
        return f"none; the heads know {identity.known}"
    return f"{identity.num_database:,}"


def _short(fingerprint: str) -> str:
    return f'<code title="{safe(fingerprint)}">{safe(fingerprint[:12])}</code>'


def _footer(report: Report) -> str:
    identity, settings = report.identity, report.bootstrap
    return (
        f"<p>Intervals: {100 * settings.level:g}% percentile bootstrap over queries, "
        f"{settings.num_resamples:,} resamples, seed {settings.seed}.<br>"
        f"Dataset <code>{safe(identity.dataset_fingerprint)}</code><br>"
        f"Encoder <code>{safe(identity.encoder_fingerprint)}</code><br>"
        "The numbers are in metrics.json, table.md and per_query.csv beside this page; "
        "the figures are in figures/ as PNG.</p>"
    )
