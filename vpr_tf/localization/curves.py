"""Curves over the score of a position: odds of being right, and metres of error."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

_SMALLEST_ERROR_M = 0.01
_FEWEST_IN_WINDOW = 10


@dataclass(frozen=True)
class Curve:
    """A piecewise linear function, constant beyond its ends.

    Attributes:
        at_scores: Ascending.
        values: One for each of them.
    """

    at_scores: list[float]
    values: list[float]

    def at(self, scores: np.ndarray) -> np.ndarray:
        """Returns the values at some scores."""
        return np.interp(scores, self.at_scores, self.values)


def isotonic_log_odds(
    scores: np.ndarray, right: np.ndarray, counts: np.ndarray
) -> Curve:
    """Fits log odds that rise with the score and have any shape.

    One more wrong position at the highest score and one more right one at the lowest
    keep the odds finite: after n right ones and no wrong one they are about n to 1.
    Between the middles of the steps of isotonic regression the curve is linear.

    Args:
        scores: `(num_queries,)`, at least one.
        right: Whether each position is right.
        counts: How many queries each stands for.

    Reference:
        Zadrozny and Elkan, "Transforming Classifier Scores into Accurate Multiclass
        Probability Estimates", KDD 2002; Oron and Flournoy, arXiv:1701.05964 (linear
        between the middles of the steps).
    """
    from sklearn.isotonic import IsotonicRegression

    scores = np.concatenate([scores, [scores.min(), scores.max()]])
    outcome = np.concatenate([right.astype(float), [1.0, 0.0]])
    counts = np.concatenate([counts, [1.0, 1.0]])
    fitted = IsotonicRegression().fit_transform(scores, outcome, sample_weight=counts)
    steps, step = np.unique(fitted, return_inverse=True)
    middles = np.bincount(step, counts * scores) / np.bincount(step, counts)
    return Curve(middles.tolist(), np.log(steps / (1 - steps)).tolist())


def logistic_log_odds(
    scores: np.ndarray, right: np.ndarray, counts: np.ndarray
) -> Curve:
    """Fits log odds that are linear in the score, for few queries.

    Args:
        scores: `(num_queries,)`, at least one.
        right: Whether each position is right.
        counts: How many queries each stands for.

    Reference:
        Platt, "Probabilistic Outputs for Support Vector Machines", 1999; with its
        softened outcomes, which keep the odds finite.
    """
    from sklearn.linear_model import LogisticRegression

    num_right, num_wrong = counts[right].sum(), counts[~right].sum()
    target = np.where(right, (num_right + 1) / (num_right + 2), 1 / (num_wrong + 2))
    mean = float(np.average(target, weights=counts))
    ends = np.array([scores.min(), scores.max()])
    log_odds = np.full(2, math.log(mean / (1 - mean)))
    if scores.std() > 0:
        standard = (scores - scores.mean()) / scores.std()
        model = LogisticRegression(C=1e6, solver="newton-cholesky").fit(
            np.tile(standard, 2)[:, None],
            np.repeat([True, False], len(scores)),
            sample_weight=np.concatenate([counts * target, counts * (1 - target)]),
        )
        if model.coef_[0, 0] > 0:
            at_ends = (ends - scores.mean()) / scores.std()
            log_odds = model.decision_function(at_ends[:, None])
    return Curve(ends.tolist(), log_odds.tolist())


CONFIDENCE_CURVES = {"isotonic": isotonic_log_odds, "platt": logistic_log_odds}


def error_curve(scores: np.ndarray, errors_m: np.ndarray, quantile: float) -> Curve:
    """Fits the error that a share of the positions of a score stays below.

    Quantiles of windows of positions of similar score, made to fall with the score.
    A few hundred queries are too few for the far tail, so windows are a fifth of them.

    Args:
        scores: `(num_queries,)`, at least one.
        errors_m: Metres, same shape.
        quantile: The share, 0 to 1.
    """
    from sklearn.isotonic import IsotonicRegression

    order = np.argsort(scores, kind="stable")
    scores, errors_m = scores[order], errors_m[order]
    length = min(len(scores), max(_FEWEST_IN_WINDOW, len(scores) // 5))
    starts = np.unique(
        np.append(
            np.arange(0, len(scores) - length, max(1, length // 4)),
            len(scores) - length,
        )
    )
    windows = starts[:, None] + np.arange(length)
    # Of one more position, which is as likely to be the worst as any: with few the
    # next one stays below the quantile as often as it should.
    rank = min(length, math.ceil((length + 1) * quantile)) - 1
    metres = np.sort(errors_m[windows], axis=1)[:, rank]
    middles = scores[windows].mean(axis=1)
    regression = IsotonicRegression(increasing=False)
    fitted = regression.fit_transform(middles, np.log(metres.clip(_SMALLEST_ERROR_M)))
    middles, first = np.unique(middles, return_index=True)
    return Curve(middles.tolist(), np.exp(fitted[first]).tolist())
