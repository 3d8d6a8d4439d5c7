"""Where photos of one camera were taken, each by its matches and by the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vpr_tf.config import LocalizationConfig
from vpr_tf.localization.calibration import Calibration
from vpr_tf.localization.candidates import Candidates, match_weights
from vpr_tf.localization.errors import LocalizationError
from vpr_tf.localization.estimates import Estimates, estimate_positions
from vpr_tf.localization.localization import OUTSIDE, Localization, localizations
from vpr_tf.localization.motion import MotionModel, map_distances_m, track_shares
from vpr_tf.localization.photo_times import PhotoTimes
from vpr_tf.photos import PhotoTable
from vpr_tf.search import MISSING_ID

OFF_TRACK = "no match fits the photos before and after"
# A step compares so many candidates of two photos with each other.
_MOST_CANDIDATES = 100
# Of what a photo alone does not say to be right, so much is for its other candidates.
_OTHERS = 0.4
_OUTSIDE = 0.9  # share of a photo that is nowhere
_SMALLEST_SHARE = 1e-9
_LEAST_SIMILAR = 4.0  # squared distance of two descriptors


@dataclass(frozen=True, eq=False)
class PhotoSequence:
    """Photos of one camera.

    Attributes:
        times: When they were taken.
        motion: How the camera moves.
    """

    times: PhotoTimes
    motion: MotionModel


def localize_track(
    names: Sequence[str],
    distances: np.ndarray,
    rows: np.ndarray,
    photos: PhotoTable,
    config: LocalizationConfig,
    sequence: PhotoSequence,
    *,
    calibration: Calibration | None = None,
    query_heading_deg: np.ndarray | None = None,
    min_confidence: float | None = None,
) -> list[Localization]:
    """Localizes the photos of one camera by their matches and by each other.

    Args:
        names: See `localize_matches`.
        distances: Same.
        rows: Same.
        photos: Same.
        config: Same.
        sequence: When the photos were taken, and how the camera moves.
        calibration: See `localize_matches`.
        query_heading_deg: Same.
        min_confidence: Same.

    Raises:
        LocalizationError: See `localize_matches`, or there is another number of times.
    """
    candidates = Candidates.from_matches(
        distances, rows, photos, config, query_heading_deg
    )
    estimates = estimate_track(
        candidates,
        config,
        sequence,
        map_distances_m(photos.positions),
        calibration=calibration,
        min_confidence=min_confidence,
    )
    found = localizations(names, estimates)
    has_match = np.asarray(candidates.valid.any(axis=1)).tolist()
    return [
        dataclasses.replace(one, reason=OFF_TRACK)
        if one.status == OUTSIDE and matched
        else one
        for one, matched in zip(found, has_match, strict=True)
    ]


def estimate_track(
    candidates: Candidates,
    config: LocalizationConfig,
    sequence: PhotoSequence,
    map_m: np.ndarray,
    *,
    calibration: Calibration | None = None,
    min_confidence: float | None = None,
) -> Estimates:
    """Estimates where photos of one camera were taken.

    Each photo alone shares its confidence among its candidates; without a calibration
    it is the share of the votes that agree. `track_shares` weighs them by the other
    photos; the position is that of the largest cluster by these weights, and the
    confidence the weight of the cluster. A photo that is almost certainly nowhere has
    no position. Of a single photo, the confidence is as without a track.

    Args:
        candidates: Matches of each photo; the first 100 count.
        config: How they become a position.
        sequence: When the photos were taken, and how the camera moves.
        map_m: See `map_distances_m`.
        calibration: Gives confidences and expected errors.
        min_confidence: Positions below are withheld; None for what the calibration
            says.

    Raises:
        LocalizationError: The calibration is of other settings, or there is another
            number of times.
    """
    times = sequence.times
    if len(times) != len(candidates):
        raise LocalizationError(
            f"There must be as many times as photos, {len(candidates)}. Received: "
            f"{len(times)}"
        )
    alone = estimate_positions(
        candidates, config, calibration=calibration, min_confidence=min_confidence
    )
    if not len(candidates):
        return alone
    few = candidates.first(_MOST_CANDIDATES)
    order = times.order
    track = track_shares(
        few.candidate_points[order],
        _shares(alone, few, config)[order],
        times.seconds_between,
        map_m,
        sequence.motion,
    )
    back = np.argsort(order)
    weights, photo, column = (
        values[back] for values in (track.shares, track.photo, track.column)
    )
    own = few.rows.shape[1]
    borrowed = few.rows[order[np.maximum(photo, 0)], column]
    rows = np.hstack([few.rows, np.where(photo >= 0, borrowed, MISSING_ID)])
    # What a photo is likely not at has no part in its position.
    rows = np.where(weights > _SMALLEST_SHARE, rows, MISSING_ID)
    scores = np.pad(few.scores, ((0, 0), (0, photo.shape[1])))
    scores[:, own:] = -_LEAST_SIMILAR
    states = dataclasses.replace(few, rows=rows, scores=scores)
    found = estimate_positions(states, config, weights=weights)
    inside = np.where(found.members, weights, 0.0).sum(axis=1)
    nowhere = 1 - weights.sum(axis=1)
    states = dataclasses.replace(
        states, rows=np.where((nowhere < _OUTSIDE)[:, None], rows, MISSING_ID)
    )
    found = estimate_positions(states, config, weights=weights)
    return _as_alone(found, alone, few, inside, calibration)


def _shares(
    alone: Estimates, candidates: Candidates, config: LocalizationConfig
) -> np.ndarray:
    """Returns how likely each photo alone says that each candidate is right."""
    valid, members = candidates.valid, alone.members[:, : candidates.rows.shape[1]]
    weights = match_weights(-candidates.scores, valid, config.similarity_scale)
    right = alone.confidence
    if alone.min_confidence is None:
        right = alone.features[:, alone.feature_set.names.index("share")]
    right = np.where(np.isfinite(right), right, 0.0)
    inside, others = np.where(members, weights, 0.0), np.where(members, 0.0, weights)
    shares = np.zeros_like(weights)
    for part, mass in ((inside, right), (others, (1 - right) * _OTHERS)):
        total = part.sum(axis=1)
        shares += part * (mass / np.where(total > 0, total, 1.0))[:, None]
    return shares


def _as_alone(
    found: Estimates,
    alone: Estimates,
    candidates: Candidates,
    inside: np.ndarray,
    calibration: Calibration | None,
) -> Estimates:
    """Returns positions of a track as estimates of the photos' own candidates."""
    located = np.asarray(found.members.any(axis=1))
    confidence = np.full(len(located), np.nan)
    error_m, localized = confidence, located
    if calibration is not None and alone.min_confidence is not None:
        confidence = np.where(located, np.clip(inside, 0.0, 1.0), np.nan)
        error_m = calibration.errors_at(confidence)
        localized = located & (np.nan_to_num(confidence) >= alone.min_confidence)
    return dataclasses.replace(
        found,
        candidates=candidates,
        members=found.members[:, : candidates.rows.shape[1]],
        features=alone.features,
        num_votes=alone.num_votes,
        confidence=confidence,
        expected_error_m=error_m,
        localized=localized,
        min_confidence=alone.min_confidence,
    )
