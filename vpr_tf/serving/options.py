"""How the photos of a request are to be localized: the names and bounds of options."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Self

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from vpr_tf.geo import GeoCircle
from vpr_tf.localization import FASTEST_KMH, MotionModel, PhotoSequence, PhotoTimes
from vpr_tf.photos import clock_seconds
from vpr_tf.place_index.localizing import LocalizationOptions
from vpr_tf.printable import printable

# Beyond, votes change nothing, and the matches of each photo are compared in pairs.
MOST_TOP_K = 100
MOST_NAME = 200
# Half of the way around the earth.
_MOST_RADIUS_M = 20_100_000
_MOST_SECONDS = 86_400.0


class SharedOptions(BaseModel):
    """How photos are localized, alone or as a sequence."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    index: str | None = Field(
        None, max_length=MOST_NAME, description="Which index; the first if left out"
    )
    within: str | None = Field(
        None,
        max_length=MOST_NAME,
        description="Search only inside this circle: LAT,LON,RADIUS_M",
        examples=["37.7749,-122.4194,500"],
    )
    top_k: int | None = Field(
        None, ge=1, le=MOST_TOP_K, description="Matches that vote; the index's if none"
    )
    min_confidence: float | None = Field(
        None, ge=0, le=1, description="Positions below are withheld"
    )

    @field_validator("within")
    @classmethod
    def _is_circle(cls, text: str | None) -> str | None:
        if text is not None:
            read_circle(text)
        return text

    @property
    def circle(self) -> GeoCircle | None:
        """What `within` says."""
        return None if self.within is None else read_circle(self.within)

    @property
    def is_sequence(self) -> bool:
        """Whether one camera took the photos."""
        return False

    @property
    def reads_position(self) -> bool:
        """Whether the position in a photo is read."""
        return False

    @property
    def reads_time(self) -> bool:
        """Whether it is read when a photo was taken."""
        return False

    def circle_of(self, position_deg: tuple[float, float] | None) -> GeoCircle | None:
        """Returns where a photo is searched; None for everywhere.

        Args:
            position_deg: What stands in the photo, if it was read.

        Raises:
            ValueError: There is nothing at that position.
        """
        return self.circle

    def sequence(
        self, numbers: Sequence[int], taken: Sequence[str]
    ) -> PhotoSequence | None:
        """Returns when photos of one camera were taken; None of others.

        Args:
            numbers: Which photos of the request can be read.
            taken: When these were taken, `YYYY[MM[DD[_hh[mm[ss]]]]]`; empty if unknown.

        Raises:
            LocalizationError: No photo says it.
        """
        return None

    def of_photo(self, circle: GeoCircle | None) -> LocalizationOptions:
        """Returns the options of a photo that is searched inside a circle."""
        return LocalizationOptions(
            self.top_k, circle, min_confidence=self.min_confidence
        )


class LocalizeOptions(SharedOptions):
    """How photos are localized that have nothing to do with each other."""

    heading_deg: float | None = Field(
        None, ge=0, le=360, description="Where the photos look, clockwise from north"
    )
    inlier_points: bool = Field(
        False,
        description="Say where the key points lie that re-ranked photos share with "
        "their matches",
    )
    exif_radius_m: float | None = Field(
        None,
        gt=0,
        le=_MOST_RADIUS_M,
        description="Read the EXIF position of the photos, which is not read "
        "otherwise, and search within so many metres of it; not with `within`",
    )

    @model_validator(mode="after")
    def _has_one_circle(self) -> Self:
        if self.within is not None and self.exif_radius_m is not None:
            raise ValueError("pass either `within` or `exif_radius_m`")
        return self

    @property
    def reads_position(self) -> bool:
        """See `SharedOptions`."""
        return self.exif_radius_m is not None

    def circle_of(self, position_deg: tuple[float, float] | None) -> GeoCircle | None:
        """See `SharedOptions`."""
        if position_deg is None or self.exif_radius_m is None:
            return self.circle
        return GeoCircle(*position_deg, self.exif_radius_m)

    def of_photo(self, circle: GeoCircle | None) -> LocalizationOptions:
        """See `SharedOptions`."""
        return dataclasses.replace(
            super().of_photo(circle),
            heading_deg=self.heading_deg,
            inlier_points=self.inlier_points,
        )


class SequenceOptions(SharedOptions):
    """How photos are localized that one camera took one after the other."""

    seconds_between: float | None = Field(
        None,
        ge=0,
        le=_MOST_SECONDS,
        description="From each photo to the next, in the order in which they are sent; "
        "null reads when they were taken in their EXIF data, and orders them by it",
    )
    max_speed_kmh: float = Field(
        MotionModel.max_speed_kmh,
        gt=0,
        le=FASTEST_KMH,
        description="The camera hardly moves faster",
    )

    @property
    def is_sequence(self) -> bool:
        """See `SharedOptions`."""
        return True

    @property
    def reads_time(self) -> bool:
        """See `SharedOptions`."""
        return self.seconds_between is None

    def sequence(self, numbers: Sequence[int], taken: Sequence[str]) -> PhotoSequence:
        """See `SharedOptions`."""
        motion = MotionModel(self.max_speed_kmh)
        if self.seconds_between is None:
            texts = np.array([text.encode() for text in taken], "S15")
            return PhotoSequence(PhotoTimes.of_clock(*clock_seconds(texts)), motion)
        times = PhotoTimes.evenly(len(numbers), self.seconds_between, numbers)
        return PhotoSequence(times, motion)


class RawOptions(LocalizeOptions):
    """How one photo is localized, as query parameters beside it as the body."""

    name: Annotated[str | None, Field(max_length=MOST_NAME)] = Field(
        None, description="What the photo is called in the answer"
    )


def read_circle(text: str) -> GeoCircle:
    """Reads `LAT,LON,RADIUS_M`.

    Raises:
        ValueError: It is no circle.
    """
    try:
        latitude, longitude, radius_m = map(float, text.split(","))
    except ValueError:
        raise ValueError(
            "must be latitude, longitude and metres with commas between, such as "
            "37.7749,-122.4194,500"
        ) from None
    if radius_m > _MOST_RADIUS_M:
        raise ValueError(f"the radius must be at most {_MOST_RADIUS_M} metres")
    return GeoCircle(latitude, longitude, radius_m)


def photo_label(name: str | bytes | None, number: int) -> str:
    """Returns what a photo is called in the answer: what it was sent as, harmless."""
    return printable(name)[:MOST_NAME] if name else f"photo {number}"
