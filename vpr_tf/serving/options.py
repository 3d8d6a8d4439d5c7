"""How the photos of a request are to be localized: the names and bounds of options."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from vpr_tf.geo import GeoCircle
from vpr_tf.place_index.localizing import LocalizationOptions
from vpr_tf.printable import printable

# Beyond, votes change nothing, and the matches of each photo are compared in pairs.
MOST_TOP_K = 100
MOST_NAME = 200
# Half of the way around the earth.
_MOST_RADIUS_M = 20_100_000


class LocalizeOptions(BaseModel):
    """How photos are localized."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    index: str | None = Field(
        None, max_length=MOST_NAME, description="Which index; the first if left out"
    )
    within: str | None = Field(
        None,
        max_length=MOST_NAME,
        description="Search only inside this circle: LAT,LON,RADIUS_M; not with "
        "`exif_radius_m`",
        examples=["37.7749,-122.4194,500"],
    )
    heading_deg: float | None = Field(
        None, ge=0, le=360, description="Where the photos look, clockwise from north"
    )
    top_k: int | None = Field(
        None, ge=1, le=MOST_TOP_K, description="Matches that vote; the index's if none"
    )
    min_confidence: float | None = Field(
        None, ge=0, le=1, description="Positions below are withheld"
    )
    exif_radius_m: float | None = Field(
        None,
        gt=0,
        le=_MOST_RADIUS_M,
        description="Read the EXIF position of the photos, which is not read "
        "otherwise, and search within so many metres of it",
    )

    @field_validator("within")
    @classmethod
    def _is_circle(cls, text: str | None) -> str | None:
        if text is not None:
            read_circle(text)
        return text

    @model_validator(mode="after")
    def _has_one_circle(self) -> Self:
        if self.within is not None and self.exif_radius_m is not None:
            raise ValueError("pass either `within` or `exif_radius_m`")
        return self

    @property
    def circle(self) -> GeoCircle | None:
        """What `within` says."""
        return None if self.within is None else read_circle(self.within)

    def of_photo(self, circle: GeoCircle | None) -> LocalizationOptions:
        """Returns the options of a photo that is searched inside a circle."""
        return LocalizationOptions(
            self.top_k, circle, self.heading_deg, self.min_confidence
        )


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
