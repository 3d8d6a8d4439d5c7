"""What a calibration says, for people."""

from __future__ import annotations

from vpr_tf.localization.calibration import Calibration
from vpr_tf.localization.features import CELLS, feature_set


def explain_confidence(calibration: Calibration) -> str:
    """Returns what expected error and confidence are, for people."""
    return (
        f"Within about: {calibration.error_quantile:.0%} of such positions are at "
        "least as near. Confidence: probability of an error of at most "
        f"{calibration.threshold_m:g} m. Calibrated on {calibration.fitted_on}, "
        f"{calibration.num_queries:,} queries."
    )


def describe_calibration(calibration: Calibration) -> str:
    """Returns what was fitted and how far it can be trusted, for people."""
    lines = [
        f"Calibrated ({calibration.kind}) on {calibration.fitted_on}: "
        f"{calibration.num_right:,} of {calibration.num_queries:,} positions are "
        f"right, within {calibration.threshold_m:g} m."
    ]
    held_out = calibration.reliability
    if held_out is not None:
        lines += [
            "",
            f"On held-out queries ({held_out.num_folds} folds):",
            "",
            held_out.table(),
            "",
            "Expected calibration error: "
            f"{held_out.expected_calibration_error:.3f}. Positions within their "
            f"expected error: {held_out.share_within_expected_error:.0%}, wanted "
            f"{calibration.error_quantile:.0%}.",
        ]
    lines += ["", _describe_threshold(calibration)]
    return "\n".join(lines)


def _describe_threshold(calibration: Calibration) -> str:
    text = (
        f"Photos of confidence {calibration.min_confidence:.3f} and more are "
        f"localized: {calibration.coverage:.1%} of the queries, "
        f"{calibration.precision:.1%} of them right."
    )
    if not calibration.reaches_wanted_precision:
        text += (
            f" No threshold reaches the wanted {calibration.wanted_precision:.1%} on "
            "these queries; this one comes nearest."
        )
    if calibration.outside_answered is not None:
        of_cells = feature_set(calibration.feature_weights) is CELLS
        text += (
            f" Without the {'cells' if of_cells else 'photos'} near them "
            f"{calibration.outside_answered:.1%} are localized, all of them wrong; "
            "a larger localization.outside_share withholds more."
        )
    held_out = calibration.reliability
    if held_out is not None:
        right = "-" if held_out.precision is None else f"{held_out.precision:.1%}"
        text += f" Held out: {held_out.coverage:.1%}, {right} right."
    return text
