"""Texts of tables, names and EXIF data to metadata, and one position to the other."""

from __future__ import annotations

import math
import re
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, InvalidOperation

import numpy as np

from vpr_tf.geo import (
    UNKNOWN_HEADING_DEG,
    lat_lon_to_utm,
    utm_to_lat_lon,
)
from vpr_tf.photos.errors import InvalidEntryError
from vpr_tf.photos.schema import ImageMetadata

_LARGEST_POSITION_CM = 10**10  # 100,000 km: no UTM position is further
_BELOW_360 = math.nextafter(360.0, 0.0)
_TIMESTAMP = re.compile(r"(\d{4}(\d{2}(\d{2}(_\d{2}(\d{2}(\d{2})?)?)?)?)?)?")


def complete_positions(table: list[ImageMetadata]) -> list[ImageMetadata]:
    """Computes missing UTM positions from degrees, and missing degrees from UTM."""
    table = list(table)
    no_utm = [i for i, row in enumerate(table) if row.utm_zone is None]
    if no_utm:
        degrees = [(table[i].latitude_e7, table[i].longitude_e7) for i in no_utm]
        east, north, zones = lat_lon_to_utm(*(np.array(degrees).T / 1e7))
        for i, row_east, row_north, zone in zip(
            no_utm, east, north, zones, strict=True
        ):
            table[i] = table[i]._replace(
                utm_east_cm=math.floor(row_east * 100),
                utm_north_cm=math.floor(row_north * 100),
                utm_zone=int(zone),
            )
    no_degrees = [
        i
        for i, row in enumerate(table)
        if row.latitude_e7 is None or row.longitude_e7 is None
    ]
    if no_degrees:
        utm = np.array([table[i][:3] for i in no_degrees], np.int64)
        degrees_e7 = utm_to_lat_lon(utm[:, 0] / 100, utm[:, 1] / 100, utm[:, 2])
        for i, latitude, longitude in zip(no_degrees, *degrees_e7, strict=True):
            table[i] = table[i]._replace(
                latitude_e7=round(latitude * 1e7), longitude_e7=round(longitude * 1e7)
            )
    return table


def parse_centimetres(text: str, field_name: str) -> int:
    """Reads metres and returns the centimetre at or below them.

    Raises:
        InvalidEntryError: Not a number, or further than any UTM position.
    """
    number = _parse_decimal(text, field_name)
    centimetres = int(number.scaleb(2).to_integral_value(ROUND_FLOOR))
    if abs(centimetres) > _LARGEST_POSITION_CM:
        raise InvalidEntryError(f"{field_name} {text} is out of range")
    return centimetres


def parse_degrees_e7(text: str, field_name: str, largest: int) -> int | None:
    """Reads a latitude or longitude; an empty field is None.

    Raises:
        InvalidEntryError: Not a number, or beyond `largest` degrees.
    """
    if not text:
        return None
    number = _parse_decimal(text, field_name)
    if abs(number) > largest:
        raise InvalidEntryError(f"{field_name} {text} is beyond {largest} degrees")
    return int(number.scaleb(7).to_integral_value(ROUND_HALF_EVEN))


def parse_heading_deg(text: str) -> float:
    """Reads a heading into [0, 360] as a float32 number; an empty field is -1.

    360 itself is kept: whether it is 0 is for the partition to say. A heading that
    float32 would round up to the next whole degree stays below it, so that its bin is
    that of the number in the text.

    Raises:
        InvalidEntryError: Not a finite number.
    """
    if not text:
        return UNKNOWN_HEADING_DEG
    number = float(_parse_decimal(text, "heading"))
    if number == 360:
        return number
    heading = min(number % 360.0, _BELOW_360)
    stored = np.float32(heading)
    if math.floor(stored) > math.floor(heading):
        stored = np.nextafter(stored, np.float32(0))
    return float(stored)


def parse_timestamp(text: str) -> str:
    """Checks a timestamp of the form YYYY[MM[DD[_hh[mm[ss]]]]].

    Raises:
        InvalidEntryError: Another form.
    """
    if not _TIMESTAMP.fullmatch(text):
        raise InvalidEntryError(
            f"timestamp must have the form YYYY[MM[DD[_hh[mm[ss]]]]], not {text!r}"
        )
    return text


def _parse_decimal(text: str, field_name: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise InvalidEntryError(f"{field_name} is not a number: {text!r}") from None
    if not number.is_finite() or number.adjusted() > 15:
        raise InvalidEntryError(f"{field_name} is not a usable number: {text!r}")
    return number
