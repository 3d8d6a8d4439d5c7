"""Which candidates of photos in a row fit how fast a camera can move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vpr_tf.geo import Positions, ecef
from vpr_tf.localization.errors import LocalizationError

FASTEST_KMH = 1000.0
# Photos of which a step knows the candidates, before and after, for those that are
# not recognised themselves: a lorry in front of the camera, a blurred photo.
_NEIGHBOURS = (-2, -1, 1, 2)
_BORROWED = 8  # of the likeliest candidates of each neighbour
# Of the photos that no candidate explains, so many are of places of the map.
_MISSED = 0.6
_NOWHERE = (0.1, 0.9)  # least and largest share of all photos
_LEAVES = 0.05  # chance that a short step leads from a candidate to neither
_JUMPS = 0.001  # chance of a step that no speed explains: times or order are wrong
# Two photos in a row often look like one wrong place, as they look like each other.
_RESEMBLANCE = 0.08
_MAP_SAMPLE = 1000  # photos
_ONE_PLACE_M = 50.0
_FAR_M = 1e9


@dataclass(frozen=True)
class MotionModel:
    """How a camera moves.

    Attributes:
        max_speed_kmh: It hardly moves faster.
        slack_m: A match is about as near as this to where the photo was taken.
        tail_m: A step that is longer than what speed and slack allow by this is less
            likely by a factor e.

    Raises:
        LocalizationError: A value cannot be.
    """

    max_speed_kmh: float = 60.0
    slack_m: float = 25.0
    tail_m: float = 25.0

    def __post_init__(self) -> None:
        if not 0 < self.max_speed_kmh <= FASTEST_KMH:
            raise LocalizationError(
                f"`max_speed_kmh` must be above 0 and at most {FASTEST_KMH:,.0f}. "
                f"Received: {self.max_speed_kmh}"
            )
        if not (self.slack_m > 0 and self.tail_m > 0):
            raise LocalizationError(
                "`slack_m` and `tail_m` must be above 0. Received: "
                f"{self.slack_m} and {self.tail_m}"
            )

    def reach_m(self, seconds: np.ndarray | float) -> np.ndarray:
        """Returns how far two matches may be apart, of photos so far apart in time."""
        return np.asarray(seconds) * self.max_speed_kmh / 3.6 + self.slack_m


@dataclass(frozen=True, eq=False)
class TrackShares:
    """How likely each photo was taken where a candidate lies, given all photos.

    Attributes:
        shares: Of the photo's own candidates, then of borrowed ones, float64
            `(num_photos, n + num_borrowed)`; the rest to 1 is for anywhere else.
        photo: Whose candidate each borrowed one is, int64
            `(num_photos, num_borrowed)`; -1 where there is none.
        column: Which of its candidates, same shape.
    """

    shares: np.ndarray
    photo: np.ndarray
    column: np.ndarray


def map_distances_m(positions: Positions) -> np.ndarray:
    """Returns how far photos of a map are from each other, ascending.

    Args:
        positions: Of the photos; at most 1,000 known ones are compared.
    """
    known = np.flatnonzero(positions.known)
    count = min(len(known), _MAP_SAMPLE)
    some = known[np.linspace(0, len(known) - 1, count).astype(np.int64)]
    points = ecef.from_positions(positions.take(some))
    first, second = np.triu_indices(count, 1)
    distances_m = np.linalg.norm(points[first] - points[second], axis=1)
    return np.sort(distances_m[np.isfinite(distances_m)])


def track_shares(
    points: np.ndarray,
    shares: np.ndarray,
    seconds_between: np.ndarray,
    map_m: np.ndarray,
    motion: MotionModel,
) -> TrackShares:
    """Weighs the candidates of photos in a row by those before and after.

    Photos are states of a hidden Markov chain, candidates the values. Between two,
    the camera moves no farther than its speed allows, with a soft tail; that a wrong
    candidate does so by chance is the likelier, the longer the time and the smaller
    the map. A photo may also be nowhere: outside the map, or not recognised. For the
    latter it borrows candidates of its neighbours. Equal photos count once.

    Args:
        points: Of the candidates of one photo or more, metres `(num_photos, n, 3)`.
        shares: How likely the photo alone says that each is right, `(num_photos, n)`,
            at most 1 in sum; 0 where there is none.
        seconds_between: At most so long after a photo the next was taken, inf where
            unknown, `(num_photos - 1,)`.
        map_m: See `map_distances_m`.
        motion: How the camera moves.
    """
    new = np.ones(len(shares), bool)
    new[1:] = (shares[1:] != shares[:-1]).any(axis=1)
    new[1:] |= (points[1:] != points[:-1]).any(axis=(1, 2))
    # Nothing found twice is nothing known twice: such photos are no copies.
    new |= ~shares.any(axis=1)
    firsts = np.flatnonzero(new)
    steps = np.asarray(seconds_between, np.float64)[firsts[1:] - 1]
    reach_m = motion.reach_m(steps)
    reached = (np.searchsorted(map_m, reach_m, side="right") + 1) / (len(map_m) + 1)
    chance = _RESEMBLANCE + (1 - _RESEMBLANCE) * reached
    found, places = _borrow(points[firsts], shares[firsts], chance)
    states = np.concatenate([points[firsts], places], axis=1)
    nowhere = np.maximum(1 - shares[firsts].sum(axis=1), 1e-9)
    # As many come back from nowhere as go there: its share is what the photos say.
    share = float(np.clip(nowhere.mean(), *_NOWHERE))
    emissions = np.concatenate([found.shares, nowhere[:, None]], axis=1)
    # What was before says the less, the more of the map is within reach.
    leaves = _LEAVES + (share - _LEAVES) * reached
    step = _steps(states, share, reach_m, chance, leaves, motion.tail_m)
    posterior = forward_backward(emissions, step)
    posterior[:, shares.shape[1] : -1] *= _nearness(found.photo, reach_m, motion)
    copies = np.cumsum(new) - 1
    photo = np.where(found.photo >= 0, firsts[np.maximum(found.photo, 0)], -1)
    return TrackShares(posterior[copies, :-1], photo[copies], found.column[copies])


def _borrow(
    points: np.ndarray, shares: np.ndarray, chance: np.ndarray
) -> tuple[TrackShares, np.ndarray]:
    """Adds the likeliest candidates of neighbours, for photos not recognised.

    Such a photo says nothing of where it was taken: all places are as likely for it.

    Returns:
        What each photo alone says of its own candidates and of these, and where these
        lie, `(num_photos, num_borrowed, 3)`.
    """
    num_photos, n = shares.shape
    best = np.argsort(-shares, axis=1, kind="stable")[:, : min(_BORROWED, n)]
    of = np.arange(num_photos)[:, None] + np.array(_NEIGHBOURS)
    inside = (of >= 0) & (of < num_photos)
    of = np.where(inside, of, 0)
    photo = np.repeat(of, best.shape[1], axis=1)
    column = best[of].reshape(num_photos, -1)
    value = np.where(np.repeat(inside, best.shape[1], 1), shares[photo, column], 0.0)
    places = points[photo, column]
    most = _MISSED * np.maximum(1 - shares.sum(axis=1), 0)  # of all places together
    chances = np.append(chance, chance[-1:] if len(chance) else 1.0)[:num_photos]
    missed = most * chances
    for number in range(num_photos):
        here = places[number]
        apart_m = np.linalg.norm(here[:, None] - here[None], axis=2)
        crowd = (apart_m <= _ONE_PLACE_M) @ value[number]
        value[number] *= missed[number] / np.where(crowd > 0, crowd, 1.0)
        total = value[number].sum()
        value[number] *= min(1.0, most[number] / total) if total else 1.0
    photo = np.where(value > 0, photo, -1)
    return TrackShares(np.hstack([shares, value]), photo, column), places


def _nearness(
    photo: np.ndarray, reach_m: np.ndarray, motion: MotionModel
) -> np.ndarray:
    """Returns how likely each photo was taken near a place of its neighbour.

    Args:
        photo: See `TrackShares`.
        reach_m: Of each step.
        motion: How the camera moves.
    """
    travelled_m = np.concatenate([[0.0], np.cumsum(np.minimum(reach_m, _FAR_M))])
    away_m = np.abs(travelled_m[photo] - travelled_m[:, None])
    return np.minimum(1.0, (2 * motion.slack_m / np.maximum(away_m, 1.0)) ** 2)


def _steps(
    states: np.ndarray,
    nowhere: float,
    reach_m: np.ndarray,
    chance: np.ndarray,
    leaves: np.ndarray,
    tail_m: float,
) -> Callable[[int], np.ndarray]:
    """Returns a function of a photo's number that gives the step to the next.

    How many times likelier a state is, coming from another, than without knowing it.

    Args:
        states: Places, `(num_photos, m, 3)`; behind them comes nowhere.
        nowhere: Share of the photos that are there.
        reach_m: Of each step, `(num_photos - 1,)`.
        chance: That two places of the map are within reach, same shape.
        leaves: That a place is followed by nowhere, same shape.
        tail_m: See `MotionModel`.
    """
    returns = leaves * (1 - nowhere) / nowhere  # so that the share stays

    def step(number: int) -> np.ndarray:
        here, there = states[number], states[number + 1]
        apart_m = np.linalg.norm(here[:, None] - there[None], axis=2)
        beyond_m = np.maximum(apart_m - reach_m[number], 0)
        stays = 1 - leaves[number] - _JUMPS
        moved = stays * np.exp(-beyond_m / tail_m) / chance[number]
        matrix = np.empty((len(here) + 1, len(there) + 1))
        matrix[:-1, :-1] = (moved + _JUMPS) / (1 - nowhere)
        matrix[:-1, -1] = leaves[number] / nowhere
        matrix[-1, :-1] = returns[number] / (1 - nowhere)
        matrix[-1, -1] = (1 - returns[number]) / nowhere
        return matrix

    return step


def forward_backward(
    emissions: np.ndarray, step: Callable[[int], np.ndarray]
) -> np.ndarray:
    """Returns how likely each state of a hidden Markov chain is, given all of it.

    Args:
        emissions: How likely each link alone says that each state is, 0 or more and
            not all 0, `(num_links, num_states)`.
        step: Gives the factors from the states of a link to those of the next,
            `(num_states, num_states)`, not all 0 in a row.

    Returns:
        Shares, same shape, 1 in sum for each link.

    Reference:
        Rabiner, "A Tutorial on Hidden Markov Models and Selected Applications in
        Speech Recognition", Proceedings of the IEEE 77, 1989.
    """
    forward = np.empty_like(emissions)
    for number, here in enumerate(emissions):
        reached = forward[number - 1] @ step(number - 1) if number else 1.0
        forward[number] = here * reached
        forward[number] /= forward[number].sum()
    backward = np.ones(emissions.shape[1])
    for number in range(len(emissions) - 2, -1, -1):
        there = step(number) @ (emissions[number + 1] * backward)
        backward = there / there.max()
        forward[number] *= backward
        forward[number] /= forward[number].sum()
    return forward
