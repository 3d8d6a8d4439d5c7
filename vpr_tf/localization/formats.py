"""Localizations as a table, JSON and GeoJSON."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from vpr_tf.localization.calibration import Calibration
from vpr_tf.localization.errors import LocalizationError
from vpr_tf.localization.localization import LOCALIZED, Localization
from vpr_tf.localization.track_formats import Track, gpx_of, track_feature
from vpr_tf.tables import Column, Table, told_apart

_DECIMALS_DEG = 7  # 1 cm


@dataclass(frozen=True)
class LocalizationResult:
    """Localizations of some photos, and what to know of them.

    Attributes:
        source: What localized: folder of the index or the classifier, encoder, sizes;
            JSON-ready.
        calibration: What confidences come from; None without.
        notes: What to know of all localizations.
        localizations: One for each photo that could be read.
        unreadable: Path and reason of each other photo.
        track: Of a sequence; None of photos that have nothing to do with each other.
    """

    source: dict[str, Any]
    calibration: Calibration | None
    notes: list[str]
    localizations: list[Localization]
    unreadable: list[tuple[str, str]]
    track: Track | None = None


def as_table(result: LocalizationResult) -> str:
    """Returns a table for people, with what to know of it below.

    A sequence is in the order of its times.
    """
    what = "groups" if "classifier" in result.source else "matches"
    columns = [
        Column("photo", "name"),
        Column("latitude", digits=6),
        Column("longitude", digits=6),
        Column("within about", "metres"),
        Column("confidence", digits=2),
        Column(f"{what} that agree", "text"),
    ]
    found = result.localizations
    if result.track is not None:
        found = [found[number] for number in result.track.order]
    best = told_apart(one.matches[0].key for one in found if one.matches)
    rows = [_row(one, best) for one in found]
    return Table("", columns, rows, "\n".join(result.notes)).to_text()


def as_json(result: LocalizationResult) -> str:
    """Returns all that is known, unknown values as null."""
    calibration = result.calibration
    track = {} if result.track is None else {"track": dataclasses.asdict(result.track)}
    content = {
        **result.source,
        "calibration": None if calibration is None else calibration.summary(),
        "notes": result.notes,
        "localizations": [dataclasses.asdict(one) for one in result.localizations],
        "unreadable": _unreadable(result),
        **track,
    }
    return json.dumps(content, indent=2, allow_nan=False)


def as_geojson(result: LocalizationResult) -> str:
    """Returns a point for each localization, its matches and its other candidates.

    A sequence has a line as well. What to know of all is beside the features.

    Photos that are not localized are features without geometry.

    Reference:
        RFC 7946.
    """
    localizations = map(dataclasses.asdict, result.localizations)
    features = [feature for one in localizations for feature in features_of(one)]
    if result.track is not None:
        features.append(track_feature(result.track, result.localizations))
    collection = {
        "type": "FeatureCollection",
        "notes": result.notes,
        "unreadable": _unreadable(result),
        "features": features,
    }
    return json.dumps(collection, indent=2, allow_nan=False)


def as_gpx(result: LocalizationResult) -> str:
    """Returns the track of a sequence as GPX.

    Raises:
        LocalizationError: There is none, or its positions are local coordinates.
    """
    if result.track is None:
        raise LocalizationError("GPX is of a track. Received: photos of no sequence")
    return gpx_of(result.track, result.localizations, result.notes)


def features_of(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the GeoJSON features of a localization, JSON-ready.

    Args:
        found: The fields of a `Localization`, and more if more is known.
    """
    properties = dict(found)
    matches, photo = properties.pop("matches"), properties["photo"]
    candidates = properties.pop("candidates", [])
    properties["num_matches"] = len(matches)
    features = [_feature("localization", properties)]
    if properties["status"] != LOCALIZED:
        features[0]["geometry"] = None
        return features
    # The first cell is the localization itself.
    for rank, candidate in enumerate(candidates[1:], start=2):
        of_photo = {"photo": photo, "rank": rank}
        features.append(_feature("candidate", of_photo | candidate))
    return features + [_feature("match", {"photo": photo} | one) for one in matches]


def _unreadable(result: LocalizationResult) -> list[dict[str, str]]:
    return [{"photo": photo, "reason": reason} for photo, reason in result.unreadable]


def _row(one: Localization, best: dict[str, str]) -> tuple[Any, ...]:
    """Returns the values of a table's row."""
    if not one.is_localized:
        reason = f"{one.status}: {one.reason}"
        return (one.photo, None, None, None, one.confidence, reason)
    agreeing = None
    if one.matches:
        first = best[one.matches[0].key]
        agreeing = f"{len(one.matches)} of {one.num_candidates}, best: {first}"
    elif one.num_groups is not None:
        agreeing = f"{one.num_agreeing} of {one.num_groups}"
    place = (one.latitude, one.longitude)
    return (one.photo, *place, one.expected_error_m, one.confidence, agreeing)


def _feature(kind: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Returns a GeoJSON feature, without geometry if the place is not known."""
    latitude, longitude = properties.pop("latitude"), properties.pop("longitude")
    geometry = None
    if latitude is not None:
        degrees = [round(value, _DECIMALS_DEG) for value in (longitude, latitude)]
        geometry = {"type": "Point", "coordinates": degrees}
    return {
        "type": "Feature",
        "geometry": geometry,
        "properties": {"kind": kind, **properties},
    }
