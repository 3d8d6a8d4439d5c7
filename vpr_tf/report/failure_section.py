"""The section of the worst failures, with pictures."""

from __future__ import annotations

from vpr_tf.data.errors import DamagedRecordError
from vpr_tf.data.prepared_dataset import EvaluationSet, PreparedDataset, SplitIndex
from vpr_tf.report.failures import Failure, Shot, failures, picture_uri
from vpr_tf.report.page_template import Section, missing
from vpr_tf.report.page_text import breakable, metres, number, safe
from vpr_tf.report.report import Report

_OF_PHOTOS = "similarity of the descriptors."
_OF_PLACES = (
    "score of the place. Places have no picture: the database photo nearest to each is "
    "shown."
)
_NO_PHOTOS = "There is no database photo of known position to show."


def failure_section(
    report: Report,
    dataset: PreparedDataset,
    evaluation_set: EvaluationSet,
    *,
    most: int,
) -> Section:
    """Returns the queries that were answered wrongly and most surely."""
    title, short = "Worst failures", "Failures"
    photos = dataset.split(evaluation_set.database).photo_table()
    if not photos.positions.known.any():
        return Section("failures", title, missing(_NO_PHOTOS), short)
    found = failures(report, dataset, evaluation_set, most=most)
    if not found:
        reason = "No query with a positive was answered wrongly."
        return Section("failures", title, missing(reason), short)
    of_places = report.identity.of_places
    order = "the highest score" if of_places else "the most similar first prediction"
    if report.confidence is not None:
        order = "the highest confidence"
    html = (
        f'<p class="lead">Wrong answers with {order} first. A solid blue line below a '
        f"photo: within {report.positive_dist_threshold_m:g} m of the query; dashed "
        "orange: farther away. Distances are on the ground; the number behind is the "
        f"{_OF_PLACES if of_places else _OF_PHOTOS}</p>"
    )
    splits = (
        dataset.split(evaluation_set.queries),
        dataset.split(evaluation_set.database),
    )
    html += "\n".join(_case(report, failure, *splits) for failure in found)
    return Section("failures", title, html, short)


def _case(
    report: Report, failure: Failure, queries: SplitIndex, database: SplitIndex
) -> str:
    columns = report.per_query
    facts = [f"error {metres(float(columns['error_m'][failure.row]))}"]
    confidence = float(columns["confidence"][failure.row])
    if confidence == confidence:
        facts.append(f"confidence {number(confidence, 2)}")
    if not columns["answered"][failure.row]:
        facts.append("withheld")
    shots = [
        shot_figure(queries, failure.row, "query", failure.key, "query"),
        *(
            _shot_figure(
                database, shot, f"{rank}.", "hit" if shot.is_positive else "miss"
            )
            for rank, shot in enumerate(failure.predictions, start=1)
        ),
        _shot_figure(database, failure.nearest, _nearest_name(report, failure), "hit"),
    ]
    heading = f'<span class="name">{breakable(failure.key)}</span>'
    heading += f"<span>{', '.join(facts)}</span>"
    return (
        f'<div class="case"><h3>{heading}</h3><div class="strip">{"".join(shots)}'
        "</div></div>"
    )


def _nearest_name(report: Report, failure: Failure) -> str:
    if report.identity.of_places:
        if failure.nearest_rank:
            return f"right place at rank {failure.nearest_rank}; nearest photo:"
        return "no right place predicted; nearest photo:"
    if failure.nearest_rank:
        return f"nearest positive, rank {failure.nearest_rank}:"
    return f"nearest positive, not in the first {failure.num_predictions}:"


def _shot_figure(split: SplitIndex, shot: Shot, name: str, kind: str) -> str:
    if shot.row < 0:
        return shot_figure(split, -1, f"{name} none", "", "miss")
    caption = f"{name} {metres(shot.distance_m)}"
    if shot.similarity == shot.similarity:
        caption += f", {shot.similarity:.3f}"
    return shot_figure(split, shot.row, caption, shot.key, kind)


def shot_figure(split: SplitIndex, row: int, caption: str, key: str, kind: str) -> str:
    """Returns one picture with its caption, plain text; its name is the tooltip.

    Args:
        split: Index of the split.
        row: Record; -1 for none.
        caption: Below the picture.
        key: Name of the record.
        kind: Classes of page.css: `query`, `hit`, `miss`.
    """
    picture = '<div class="none">no photo</div>'
    if row >= 0:
        try:
            uri = picture_uri(split, row)
            picture = f'<img src="{uri}" alt="{safe(caption)}" title="{safe(key)}">'
        except DamagedRecordError:
            picture = '<div class="none">unreadable</div>'
    return (
        f'<figure><div class="shot {kind}">{picture}</div>'
        f"<figcaption>{safe(caption)}</figcaption></figure>"
    )
