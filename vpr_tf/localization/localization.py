"""Where one photo was taken, and what says so."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from vpr_tf.config import LocalizationConfig
from vpr_tf.localization.calibration import Calibration
from vpr_tf.localization.candidates import Candidates
from vpr_tf.localization.estimates import Estimates, estimate_positions
from vpr_tf.localization.features import SAME_PLACE_M
from vpr_tf.localization.matched_points import InlierPoints
from vpr_tf.localization.second_look import LookedAt, SecondLook, wide_config
from vpr_tf.photos import PhotoTable

LOCALIZED, WITHHELD, OUTSIDE = "localized", "withheld", "outside"
NUM_CANDIDATES = 5
# Cells of different groups lie beside each other: those that see the same place name
# different centres.
_AGREE_M = 2 * SAME_PLACE_M


@dataclass(frozen=True)
class Match:
    """A photo of an index that a position rests on.

    Attributes:
        key: Its name.
        latitude: Degrees; None if unknown.
        longitude: Likewise.
        heading_deg: Where it looks; None if unknown.
        timestamp: When it was taken, `YYYY[MM[DD[_hh[mm[ss]]]]]`; empty if unknown.
        distance: Squared distance of the descriptors.
        similarity: Cosine similarity of the descriptors.
        inliers: Key points that it shares with the photo; None if they were not
            compared point by point.
        inlier_points: Where they lie; None where that was not asked for.
    """

    key: str
    latitude: float | None
    longitude: float | None
    heading_deg: float | None
    timestamp: str
    distance: float
    similarity: float
    inliers: int | None = None
    inlier_points: InlierPoints | None = None


@dataclass(frozen=True)
class Candidate:
    """A cell of a classifier that a photo was probably taken in.

    Attributes:
        latitude: Degrees.
        longitude: Degrees.
        heading_deg: Where photos of the class look; None if it has no heading.
        score: The higher the likelier; of a regression always 0.
    """

    latitude: float | None
    longitude: float | None
    heading_deg: float | None
    score: float


@dataclass(frozen=True)
class Localization:
    """Where a photo was taken; fields are None when they are not known.

    Attributes:
        photo: Name of the photo.
        status: `localized`; `withheld`, when the confidence is too low, though the
            position is there; `outside`, when nothing is known to lie there.
        reason: Why it is not localized; empty if it is.
        latitude: Degrees.
        longitude: Degrees, -180 to 180.
        utm_east: Metres.
        utm_north: Metres.
        utm_zone: Signed, negative in the south.
        heading_deg: Where the photo looks.
        expected_error_m: Two of three such positions are at least this near.
        confidence: Probability of an error of at most the calibration's threshold.
        min_confidence: What it was judged by: positions below are withheld. Of a
            re-ranked photo that of the calibration of re-ranked ones.
        num_candidates: Photos or cells that the position could have rested on.
        candidates: Of a classifier: cells, likeliest first.
        matches: Of an index: the photos that the position rests on, most similar
            first.
        spread_m: How far the best cells of a classifier's groups lie from each other.
        num_groups: Groups of a classifier that have cells of their own.
        num_agreeing: Those whose best cell is within 50 m of the position.
        reranked: Whether the photo was compared with its candidates point by point.
        warning: Why it was not, though it was to be, or not with all of them; empty
            otherwise.
    """

    photo: str
    status: str
    reason: str
    latitude: float | None
    longitude: float | None
    utm_east: float | None
    utm_north: float | None
    utm_zone: int | None
    heading_deg: float | None
    expected_error_m: float | None
    confidence: float | None
    num_candidates: int
    candidates: list[Candidate]
    matches: list[Match]
    spread_m: float | None = None
    num_groups: int | None = None
    num_agreeing: int | None = None
    reranked: bool = False
    min_confidence: float | None = None
    warning: str = ""

    @property
    def is_localized(self) -> bool:
        """Whether the position is known and not withheld."""
        return self.status == LOCALIZED


class Localizer(Protocol):
    """Says where photos were taken: an index, a classifier, or both."""

    def localize(
        self, photos: Sequence[Any], *, min_confidence: float | None = None
    ) -> list[Localization]:
        """Localizes photos.

        Args:
            photos: Paths, bytes, PIL images and arrays.
            min_confidence: Positions below are withheld; None for what the calibration
                says.
        """


def localize_matches(
    names: Sequence[str],
    distances: np.ndarray,
    rows: np.ndarray,
    photos: PhotoTable,
    config: LocalizationConfig,
    *,
    calibration: Calibration | None = None,
    query_heading_deg: np.ndarray | None = None,
    min_confidence: float | None = None,
    second_look: SecondLook | None = None,
) -> list[Localization]:
    """Localizes photos by their matches.

    Args:
        names: Of the photos.
        distances: See `Candidates.from_matches`.
        rows: Same.
        photos: Same.
        config: How matches become a position.
        calibration: Gives confidences and expected errors.
        query_heading_deg: See `Candidates.from_matches`.
        min_confidence: Positions below are withheld; None for what the calibration
            says.
        second_look: Compares photos of low confidence with their candidates; None
            does not.

    Raises:
        LocalizationError: The arrays do not fit each other, or a calibration is of
            other settings.
    """
    matches = distances, rows, photos
    candidates = Candidates.from_matches(*matches, config, query_heading_deg)
    estimates = estimate_positions(
        candidates, config, calibration=calibration, min_confidence=min_confidence
    )
    found = localizations(names, estimates)
    if second_look is None:
        return found
    config = dataclasses.replace(config, rerank=second_look.config)
    wide = Candidates.from_matches(*matches, wide_config(config), query_heading_deg)
    looked_at = LookedAt.of(wide, second_look.wanted(estimates), second_look, config)
    second = looked_at.estimates(config, second_look.calibration, min_confidence)
    queries = looked_at.queries.tolist()
    again = localizations([names[query] for query in queries], second)
    for query, one in zip(queries, again, strict=True):
        found[query] = _with_points(one, query, looked_at)
    warnings = {
        **{query: f"not re-ranked: {why}" for query, why in looked_at.problems.items()},
        **{
            query: f"re-ranked without some candidates: {why}"
            for query, why in looked_at.left_out.items()
        },
    }
    for query, warning in warnings.items():
        found[query] = dataclasses.replace(found[query], warning=warning)
    return found


def _with_points(one: Localization, query: int, looked_at: LookedAt) -> Localization:
    """Returns a localization whose matches say where key points lie, if it is kept."""
    if not looked_at.points:
        return one
    matches = []
    for match in one.matches:
        points = looked_at.points.get((query, match.key.encode()))
        if points is not None:
            match = dataclasses.replace(match, inlier_points=InlierPoints.of(points))
        matches.append(match)
    return dataclasses.replace(one, matches=matches)


def localizations(
    names: Sequence[str], estimates: Estimates, *, num_candidates: int = NUM_CANDIDATES
) -> list[Localization]:
    """Returns the localization of each photo.

    Args:
        names: Of the photos.
        estimates: Their positions.
        num_candidates: Cells that are listed for each photo.
    """
    candidates = estimates.candidates
    groups = candidates.group_rows
    spread_m, agreeing = candidates.spread_m, _num_agreeing(candidates)
    found = []
    for query, name in enumerate(names):
        status, reason = _status(estimates, query)
        has_position = status != OUTSIDE
        matches: list[Match] = []
        cells: list[Candidate] = []
        if candidates.photos is None:
            cells = _cells(candidates, query, num_candidates)
        else:
            voted = np.flatnonzero(estimates.members[query])
            rows, distances = candidates.rows[query], -candidates.scores[query]
            matches = matches_of(candidates.photos, rows[voted], distances[voted])
            if candidates.inliers is not None:
                counts = candidates.inliers[query][voted]
                matches = [
                    dataclasses.replace(match, inliers=_count(count))
                    for match, count in zip(matches, counts, strict=True)
                ]
        found.append(
            Localization(
                photo=name,
                status=status,
                reason=reason,
                latitude=_known(estimates.latitude_deg[query]),
                longitude=_known(estimates.longitude_deg[query]),
                utm_east=_known(estimates.utm_east_m[query]),
                utm_north=_known(estimates.utm_north_m[query]),
                utm_zone=int(estimates.utm_zone[query]) if has_position else None,
                heading_deg=_heading(estimates.heading_deg[query]),
                expected_error_m=_known(estimates.expected_error_m[query]),
                confidence=_known(estimates.confidence[query]),
                num_candidates=int(estimates.num_votes[query]),
                candidates=cells,
                matches=matches,
                spread_m=None if spread_m is None else _known(spread_m[query]),
                num_groups=None if groups is None else groups.shape[1],
                num_agreeing=None if agreeing is None else int(agreeing[query]),
                reranked=candidates.inliers is not None,
                min_confidence=estimates.min_confidence,
            )
        )
    return found


def _status(estimates: Estimates, query: int) -> tuple[str, str]:
    """Returns status and reason."""
    if estimates.localized[query]:
        return LOCALIZED, ""
    votes, confidence = estimates.num_votes[query], estimates.confidence[query]
    if math.isnan(estimates.utm_east_m[query]):
        of_cells = estimates.candidates.photos is None
        return OUTSIDE, "no cell" if of_cells else "no match of known position"
    if math.isnan(confidence):
        return WITHHELD, (
            f"{votes} matches, fewer than any query of the calibration had "
            "(a least confidence of 0 gives the position nevertheless)"
        )
    return WITHHELD, (
        f"confidence {confidence:.2f} is below {estimates.min_confidence:.2f}"
    )


def matches_of(
    photos: PhotoTable, rows: np.ndarray, distances: np.ndarray
) -> list[Match]:
    """Returns some photos as matches.

    Args:
        photos: Those that were searched.
        rows: Which of them, `(num_matches,)`.
        distances: Squared distances of the descriptors, same shape.
    """
    positions = photos.positions.take(rows)
    latitude, longitude = (
        np.where(positions.known, degrees, np.nan)
        for degrees in (positions.latitude_deg, positions.longitude_deg)
    )
    return [
        Match(
            key=photos.keys[row].decode(errors="replace"),
            latitude=_known(latitude[number]),
            longitude=_known(longitude[number]),
            heading_deg=_heading(photos.heading_deg[row]),
            timestamp=photos.timestamps[row].decode(errors="replace"),
            distance=distance,
            similarity=1 - distance / 2,
        )
        for number, (row, distance) in enumerate(
            zip(rows, distances.tolist(), strict=True)
        )
    ]


def _cells(candidates: Candidates, query: int, num_cells: int) -> list[Candidate]:
    rows, scores = candidates.rows[query], candidates.scores[query]
    return [
        Candidate(
            _known(candidates.places.latitude_deg[row]),
            _known(candidates.places.longitude_deg[row]),
            _heading(candidates.heading_deg[row]),
            float(score),
        )
        for row, score in zip(rows[:num_cells], scores[:num_cells], strict=True)
        if row >= 0
    ]


def _num_agreeing(candidates: Candidates) -> np.ndarray | None:
    """Counts the groups whose best cell is near the first of all."""
    if candidates.group_rows is None:
        return None
    points = candidates.points
    offset_m = points[candidates.group_rows] - points[candidates.rows[:, :1]]
    return np.asarray((np.linalg.norm(offset_m, axis=2) <= _AGREE_M).sum(axis=1))


def _known(value: Any) -> float | None:
    return None if math.isnan(value) else float(value)


def _count(value: Any) -> int | None:
    return None if math.isnan(value) else int(value)


def _heading(heading_deg: Any) -> float | None:
    return None if heading_deg < 0 else float(heading_deg)
