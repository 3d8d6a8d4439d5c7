"""From the features of a position to the probability that it is right."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from vpr_tf.config import ConfigError, LocalizationConfig, RerankConfig
from vpr_tf.config.rules import MOST_PREDICTIONS
from vpr_tf.localization.errors import LocalizationError
from vpr_tf.localization.features import calibrated_settings, feature_set
from vpr_tf.localization.reliability import Reliability
from vpr_tf.stored_values import StoredValueError, from_stored

_FORMAT_VERSION = 1


@dataclass(frozen=True)
class _Settings:
    """What `calibrated_settings` may give, of matches or of cells."""

    method: str
    num_predictions: int
    cluster_radius_m: float = 1.0
    similarity_scale: float = 1.0
    heading_tolerance_deg: float | None = None
    matched_by: str = ""
    score: str = ""
    log_scores: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.num_predictions <= MOST_PREDICTIONS:
            raise StoredValueError(
                f"`settings.num_predictions` must be 1 to {MOST_PREDICTIONS:,}"
            )


@dataclass(frozen=True)
class Calibration:
    """Confidence and expected error of positions, as numbers that JSON holds.

    Attributes:
        kind: `isotonic` or `platt`.
        settings: What the features depend on, see `calibrated_settings`.
        encoder_fingerprint: Encoder of the descriptors.
        fitted_on: Evaluation set, for people.
        dataset_fingerprint: Dataset of that set.
        num_queries: Queries that it was fitted on.
        num_right: Those within `threshold_m`.
        threshold_m: Largest error of a right position.
        feature_weights: The score of a query is the sum of its features, each times
            its weight; none is negative.
        scores: Ascending; the score at each entry of `log_odds`.
        log_odds: Log odds of a right position, ascending; between two of them linear,
            beyond them constant.
        error_scores: Ascending; the score at each entry of `error_m`.
        error_m: Descending; `error_quantile` of them are at least that near.
        error_quantile: 0 to 1.
        min_votes: Fewest candidates of a query that it was fitted on; a query with
            fewer has no confidence.
        wanted_precision: What `min_confidence` was chosen for.
        min_confidence: Positions below are withheld.
        precision: Share of right positions among those not withheld, on the queries
            that it was fitted on.
        coverage: Share of these queries that are localized.
        outside_answered: Share of these queries that are localized when the photos or
            cells near them are left out, so that none is right; None if not known.
        reliability: On queries that were held out, fold by fold; None if there were
            too few.
    """

    kind: str
    settings: dict[str, Any]
    encoder_fingerprint: str
    fitted_on: str
    dataset_fingerprint: str
    num_queries: int
    num_right: int
    threshold_m: float
    feature_weights: dict[str, float]
    scores: list[float]
    log_odds: list[float]
    error_scores: list[float]
    error_m: list[float]
    error_quantile: float
    min_votes: int
    wanted_precision: float
    min_confidence: float
    precision: float
    coverage: float
    outside_answered: float | None = None
    reliability: Reliability | None = None

    def __post_init__(self) -> None:
        curves = ((self.scores, self.log_odds), (self.error_scores, self.error_m))
        for at, values in curves:
            finite = all(map(math.isfinite, (*at, *values)))
            if not (at and len(at) == len(values) and finite and sorted(at) == at):
                raise LocalizationError(
                    "A calibration's curves must be finite numbers at ascending "
                    f"scores. Received: {values} at {at}. Calibrate again."
                )
        shares = (self.error_quantile, self.wanted_precision, self.min_confidence)
        if not all(0 <= share <= 1 for share in shares) or min(self.error_m) < 0:
            raise LocalizationError(
                "A calibration's shares must lie in [0, 1], and its errors must not be "
                f"below 0. Received: {shares}, {min(self.error_m)}. Calibrate again."
            )
        feature_set(self.feature_weights)

    @property
    def reaches_wanted_precision(self) -> bool:
        """Whether some threshold did, on the queries that it was fitted on."""
        return self.precision >= self.wanted_precision

    def apply(
        self, features: np.ndarray, num_votes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns confidence, 0 to 1, and expected error in metres.

        Args:
            features: See `match_features` and `cell_features`.
            num_votes: Candidates of each query that count `(num_queries,)`.

        Returns:
            Two arrays `(num_queries,)`; NaN where a feature is NaN or there are fewer
            candidates than `min_votes`.
        """
        scores = weighted_score(features, self.feature_weights)
        scores = np.where(num_votes >= self.min_votes, scores, np.nan)
        confidence = probability(np.interp(scores, self.scores, self.log_odds))
        return confidence, self._errors_m(scores, confidence)

    def errors_at(self, confidence: np.ndarray) -> np.ndarray:
        """Returns the expected errors of positions of some confidence, metres.

        For confidences that come from more than the features.
        """
        share = np.clip(confidence, 1e-9, 1 - 1e-9)
        scores = np.interp(np.log(share / (1 - share)), self.log_odds, self.scores)
        return self._errors_m(scores, confidence)

    def _errors_m(self, scores: np.ndarray, confidence: np.ndarray) -> np.ndarray:
        error_m = np.interp(scores, self.error_scores, self.error_m)
        # Both say how many positions are within the threshold: they agree.
        return np.where(
            confidence < self.error_quantile,
            np.maximum(error_m, self.threshold_m),
            np.minimum(error_m, self.threshold_m),
        )

    def check_settings(self, settings: dict[str, Any]) -> None:
        """Compares what the features depend on; see `calibrated_settings`.

        Raises:
            LocalizationError: The calibration is of other settings.
        """
        for name, value in settings.items():
            if self.settings.get(name) != value:
                raise LocalizationError(
                    f"The calibration was fitted with {name}="
                    f"{self.settings.get(name)}. Received: {value}. Calibrate again."
                )

    def check_encoder(self, encoder_fingerprint: str) -> None:
        """Compares the encoder that descriptors are computed with.

        Raises:
            LocalizationError: The calibration is of another encoder.
        """
        if self.encoder_fingerprint != encoder_fingerprint:
            raise LocalizationError(
                "The calibration is of another encoder: its fingerprint must be "
                f"{encoder_fingerprint[:12]}. Received: "
                f"{self.encoder_fingerprint[:12]}. Calibrate again."
            )

    def summary(self) -> dict[str, Any]:
        """Returns what users of confidences want to know, plain JSON values."""
        names = (
            "kind",
            "fitted_on",
            "num_queries",
            "threshold_m",
            "error_quantile",
            "wanted_precision",
            "min_confidence",
            "precision",
            "coverage",
        )
        return {name: getattr(self, name) for name in names}

    def to_dict(self) -> dict[str, Any]:
        """Returns plain JSON values."""
        return {"format_version": _FORMAT_VERSION, **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Calibration:
        """Reads what `to_dict` returned.

        Raises:
            LocalizationError: A field is missing or cannot be.
        """
        fields = dict(content) if isinstance(content, dict) else {}
        version = fields.pop("format_version", None)
        if version != _FORMAT_VERSION:
            raise LocalizationError(
                f"A calibration must have format_version {_FORMAT_VERSION}. Received: "
                f"{version!r}. Calibrate again."
            )
        try:
            from_stored(_Settings, fields.get("settings"), "settings", more=True)
            return from_stored(cls, fields)
        except StoredValueError as error:
            raise LocalizationError(
                f"The calibration is damaged: {error}. Calibrate again."
            ) from error


def to_stored(
    config: LocalizationConfig,
    calibration: Calibration | None,
    reranked: Calibration | None = None,
) -> dict[str, Any]:
    """Returns what `set_localization` stores, plain JSON values.

    Args:
        config: How matches become a position.
        calibration: Of matches as they were found.
        reranked: Of re-ranked matches.
    """
    settings = dataclasses.asdict(config)
    # A path of this machine means nothing on another.
    rerank = dataclasses.replace(config.rerank, weights=None)
    settings["rerank"] = dataclasses.asdict(rerank)
    if rerank == RerankConfig():  # as before there was any
        del settings["rerank"]
    stored = {
        "settings": settings,
        "calibration": None if calibration is None else calibration.to_dict(),
    }
    return stored | ({"reranked": reranked.to_dict()} if reranked else {})


def read_stored(
    stored: dict[str, Any] | None, encoder_fingerprint: str
) -> tuple[LocalizationConfig, Calibration | None]:
    """Returns the settings and the calibration of an index; defaults if it has none.

    Args:
        stored: What `to_stored` returned, as a manifest keeps it.
        encoder_fingerprint: The encoder of the index.

    Raises:
        LocalizationError: They are damaged, or of another encoder.
    """
    if stored is None:
        return LocalizationConfig(), None
    try:
        config = from_stored(LocalizationConfig, stored["settings"], "settings")
        content = stored["calibration"]
        calibration = None if content is None else Calibration.from_dict(content)
    except (ConfigError, LocalizationError, StoredValueError, KeyError) as error:
        raise LocalizationError(
            f"The index's localization settings cannot be used: {error}. Calibrate it "
            "again by `vpr index calibrate`."
        ) from error
    if calibration is None:
        return config, None
    calibration.check_encoder(encoder_fingerprint)
    calibration.check_settings(calibrated_settings(config))
    return config, calibration


def read_reranked(
    stored: dict[str, Any] | None, encoder_fingerprint: str
) -> Calibration | None:
    """Returns the calibration of re-ranked matches; None without.

    Args:
        stored: See `read_stored`.
        encoder_fingerprint: Same.

    Raises:
        LocalizationError: It is damaged, or of another encoder.
    """
    config, _ = read_stored(stored, encoder_fingerprint)
    if stored is None or "reranked" not in stored:
        return None
    calibration = Calibration.from_dict(stored["reranked"])
    calibration.check_encoder(encoder_fingerprint)
    calibration.check_settings(calibrated_settings(config))
    return calibration


def weighted_score(features: np.ndarray, weights: dict[str, float]) -> np.ndarray:
    """Returns the score of each query; NaN without features."""
    names = feature_set(weights).names
    return features @ np.array([weights[name] for name in names])


def probability(log_odds: np.ndarray) -> np.ndarray:
    """Returns the probabilities of log odds."""
    return 1 / (1 + np.exp(-log_odds))
