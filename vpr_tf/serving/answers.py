"""What the service answers: the types are the documentation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, Field

from vpr_tf.localization import Localization, Match


class InlierPointsAnswer(BaseModel):
    """Where key points lie that a photo shares with a match.

    Pixels are counted from the upper left corner of the upright photos.
    """

    photo_xy: list[tuple[float, float]] = Field(
        description="In the photo as it was sent: pixels to the right, and down"
    )
    match_xy: list[tuple[float, float]] = Field(
        description="In the database photo; the same point of the scene has the same "
        "place in both lists"
    )
    photo_width: int = Field(description="Pixels of the photo")
    photo_height: int = Field(description="Pixels of the photo")
    match_width: int = Field(description="Pixels of the database photo")
    match_height: int = Field(description="Pixels of the database photo")


class MatchAnswer(BaseModel):
    """A database photo that a position rests on."""

    key: str = Field(description="Name of the database photo")
    latitude: float | None = Field(description="Degrees; null if unknown")
    longitude: float | None = Field(description="Degrees, -180 to 180")
    heading_deg: float | None = Field(description="Degrees clockwise from north")
    timestamp: str = Field(description="YYYY[MM[DD[_hh[mm[ss]]]]]; empty if unknown")
    distance: float = Field(description="Squared distance of the descriptors")
    similarity: float = Field(description="Cosine similarity of the descriptors")
    inliers: int | None = Field(
        None,
        description="Key points that it shares with the photo; null if they were not "
        "compared",
    )
    inlier_points: InlierPointsAnswer | None = Field(
        None,
        description="Where these lie, if the request asks for `inlier_points`",
    )
    thumbnail: str | None = Field(
        None, description="Path of a small picture of it, if the service shows photos"
    )
    attribution: str | None = Field(None, description="Whom the photo is from")
    licence: str | None = Field(None, description="Under which it may be used")


class LocalizationAnswer(BaseModel):
    """Where a photo was taken; fields are null when they are not known."""

    photo: str = Field(description="Name of the photo, as sent")
    status: Literal["localized", "withheld", "outside"] = Field(
        description="`withheld`: the confidence is too low, though the position is "
        "there; `outside`: nothing is known to lie there"
    )
    reason: str = Field(description="Why it is not localized; empty if it is")
    latitude: float | None = Field(description="Degrees")
    longitude: float | None = Field(description="Degrees, -180 to 180")
    utm_east: float | None = Field(description="Metres")
    utm_north: float | None = Field(description="Metres")
    utm_zone: int | None = Field(description="Negative in the south")
    heading_deg: float | None = Field(description="Where the photo looks")
    expected_error_m: float | None = Field(description="Same as `accuracy_radius_m`")
    accuracy_radius_m: float | None = Field(
        description="Metres within which the true position lies with the probability "
        "`accuracy_probability`"
    )
    accuracy_probability: float | None = Field(description="Of `accuracy_radius_m`")
    confidence: float | None = Field(
        description="Probability of an error of at most the calibration's threshold"
    )
    num_candidates: int = Field(
        description="Photos that the position could have rested on"
    )
    reranked: bool = Field(
        False, description="Whether it was compared with its candidates point by point"
    )
    min_confidence: float | None = Field(
        None,
        description="What its confidence was judged by: positions below are withheld. "
        "Re-ranked photos are judged by a calibration of their own",
    )
    matches: list[MatchAnswer] = Field(
        description="Photos that the position rests on, most similar first"
    )

    @classmethod
    def of(
        cls,
        found: Localization,
        error_quantile: float | None,
        known_of_match: Callable[[Match], dict[str, Any]] = lambda match: {},
    ) -> LocalizationAnswer:
        """Returns the answer for a localization.

        Args:
            found: The localization.
            error_quantile: Of its calibration; None without.
            known_of_match: What else is known of a match, e.g. its `licence`.
        """
        known = dataclasses.asdict(found)
        fields = {name: known[name] for name in cls.model_fields if name in known}
        fields["matches"] = [
            MatchAnswer(**one, **known_of_match(match))
            for one, match in zip(known["matches"], found.matches, strict=True)
        ]
        radius_m = found.expected_error_m
        return cls(
            **fields,
            accuracy_radius_m=radius_m,
            accuracy_probability=None if radius_m is None else error_quantile,
        )


class UnreadablePhoto(BaseModel):
    """A photo of a request that could not be read."""

    photo: str = Field(description="Its name, as sent")
    reason: str = Field(description="What is wrong with it")


class Timings(BaseModel):
    """Where the time of a request went, in milliseconds."""

    decode_ms: float
    describe_ms: float = Field(description="With the wait for the encoder")
    search_ms: float
    total_ms: float


class LocalizeAnswer(BaseModel):
    """Localizations of the photos of one request."""

    request_id: str
    index: str = Field(description="Name of the index that was searched")
    index_generation: int = Field(description="Number of its changes so far")
    model: str = Field(description="The encoder of its descriptors")
    threshold_m: float | None = Field(
        description="Of the errors that a confidence is about; null if not calibrated"
    )
    min_confidence: float | None = Field(
        description="Positions of the first look below were withheld; each photo says "
        "what it was judged by"
    )
    notes: list[str] = Field(description="What to know of confidence and error")
    warnings: list[str] = Field(description="What to know of this request")
    localizations: list[LocalizationAnswer]
    unreadable: list[UnreadablePhoto]
    timings: Timings


class TrackAnswer(BaseModel):
    """Which localizations of a sequence one movement joins."""

    order: list[int] = Field(
        description="Numbers of the localizations, from 0, in the order of their times"
    )
    times: list[str] = Field(
        description="When each of that order was taken, ISO 8601 by the camera's "
        "clock; empty if unknown"
    )
    segments: list[list[int]] = Field(
        description="Numbers of localized photos that one movement joins, each a line "
        "of a map"
    )


class SequenceAnswer(LocalizeAnswer):
    """Localizations of photos that one camera took one after the other."""

    track: TrackAnswer


class IndexAnswer(BaseModel):
    """What an index holds."""

    name: str
    num_photos: int
    generation: int
    model: str
    descriptor_dim: int
    search: str = Field(description="Kind of its search structure")
    is_exact: bool = Field(description="Whether every true neighbour is found")
    is_calibrated: bool
    bounds: list[float] | None = Field(
        description="West, south, east, north in degrees; null without positions"
    )
    years: dict[str, int] = Field(description="Photos of each year")
    num_without_position: int
    recall_at_1: float | None = Field(description="Of the search, against exact search")
    calibration: dict[str, Any] | None
    attribution: str | None
    licence: str | None


class IndexesAnswer(BaseModel):
    """The indexes of a service, the one that is searched by default first."""

    indexes: list[IndexAnswer]
    unusable: dict[str, str] = Field(
        description="By name: why others cannot be used now"
    )


class ChangeAnswer(BaseModel):
    """What an index is after a change, or would lose by one."""

    request_id: str
    index: str = Field(description="Its name")
    index_generation: int = Field(description="Number of its changes so far")
    num_photos: int = Field(description="Photos that can be found")
    num_changed: int = Field(description="Photos that were added or removed")
    keys: list[str] = Field(description="Of these, the first thousand")
    is_dry_run: bool = Field(False, description="Whether nothing was changed")
