"""What admins send to change an index: its fields and their bounds."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    Json,
    field_validator,
    model_validator,
)

from vpr_tf.geo import NORTHERN_LIMIT_DEG, SOUTHERN_LIMIT_DEG, GeoCircle
from vpr_tf.photos import InvalidEntryError, parse_timestamp
from vpr_tf.serving.options import read_circle
from vpr_tf.stored_paths import is_inside

MOST_KEYS = 10_000
_MOST_CHARACTERS = 500
_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
_Key = Annotated[str, Field(min_length=1, max_length=_MOST_CHARACTERS)]
_Index = Annotated[str | None, Field(max_length=200)]


def _read_time(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return parse_timestamp(text)
    except InvalidEntryError as error:
        raise ValueError(str(error)) from None


class NewPhoto(BaseModel):
    """What is known of a photo that is added."""

    model_config = _STRICT

    latitude: float = Field(
        ge=SOUTHERN_LIMIT_DEG, le=NORTHERN_LIMIT_DEG, description="Degrees"
    )
    longitude: float = Field(ge=-180, le=180, description="Degrees")
    heading_deg: float | None = Field(
        None, ge=0, le=360, description="Where it looks, clockwise from north"
    )
    timestamp: str | None = Field(
        None, max_length=40, description="When it was taken: 2019, 2019-06-30, ..."
    )
    key: _Key | None = Field(
        None, description="What the index calls it; the name of the file if left out"
    )

    _time = field_validator("timestamp")(_read_time)

    @field_validator("key")
    @classmethod
    def _is_key(cls, key: str | None) -> str | None:
        if key is not None:
            check_key(key)
        return key


class AddOptions(BaseModel):
    """How photos are added."""

    model_config = _STRICT

    index: _Index = Field(None, description="Which index; the first if left out")
    replace: bool = Field(
        False, description="Whether photos of the same keys are replaced"
    )


class AddOne(NewPhoto, AddOptions):
    """One photo, whose fields stand beside it."""


class AddSeveral(AddOptions):
    """Several photos, of each of which is a list of fields, in their order."""

    metadata: Json[list[NewPhoto]]


class Removal(BaseModel):
    """Which photos are removed: those of these keys, or that meet all conditions."""

    model_config = _STRICT

    index: _Index = Field(None, description="Which index; the first if left out")
    keys: list[_Key] | None = Field(None, min_length=1, max_length=MOST_KEYS)
    within: str | None = Field(
        None, max_length=200, description="Inside this circle: LAT,LON,RADIUS_M"
    )
    older_than: str | None = Field(
        None, max_length=40, description="Taken before: 2019, 2019-06-30, ..."
    )
    dry_run: bool = Field(False, description="Whether to say only what would go")

    _time = field_validator("older_than")(_read_time)

    @model_validator(mode="after")
    def _says_what(self) -> Removal:
        by_condition = self.within is not None or bool(self.older_than)
        if (self.keys is None) != by_condition:
            raise ValueError(
                "pass either `keys`, or `within` or `older_than` or both of these"
            )
        if self.within is not None:
            read_circle(self.within)
        return self

    @property
    def circle(self) -> GeoCircle | None:
        """What `within` says."""
        return None if self.within is None else read_circle(self.within)


def check_key(key: str) -> None:
    """Checks that a key is a path inside a folder, of characters that can be printed.

    Raises:
        ValueError: It is not.
    """
    if not (key.isprintable() and is_inside(key) and len(key) <= _MOST_CHARACTERS):
        raise ValueError(
            "a key is a relative path without `..`, of characters that can be printed"
        )
