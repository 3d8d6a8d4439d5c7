"""What photos and their tables say: valid inputs with changes, and what must hold."""

from __future__ import annotations

import datetime
import io
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.hostile.inputs import Files
from benchmarks.hostile.mutations import extreme_text, mutated_bytes
from vpr_tf.config import ReadingConfig
from vpr_tf.geo import LOCAL_ZONE, Positions, lat_lon_to_utm
from vpr_tf.geo.positions import great_circle_m
from vpr_tf.photos.csv_table import (
    parse_csv_entry,
    read_csv_metadata,
    walk_csv_table,
)
from vpr_tf.photos.errors import InvalidEntryError
from vpr_tf.photos.exif_position import read_exif_metadata
from vpr_tf.photos.image_headers import image_header_of, read_image_header
from vpr_tf.photos.metadata import complete_positions
from vpr_tf.photos.schema import MAX_PIXELS, UNKNOWN_DEGREES_E7, ImageMetadata
from vpr_tf.photos.sf_xl_names import format_image_name, parse_image_name

_LARGEST_DISAGREEMENT_M = 100.0
_DATE_FORMATS = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 11: "%Y%m%d_%H", 13: "%Y%m%d_%H%M"}
_GPS, _EXIF, _TAKEN = 0x8825, 0x8769, 0x9003


# === Names ===


def make_name(rng: random.Random) -> Files:
    """Returns a file name with its position."""
    fields = format_image_name(**_place(rng), note="a").split("@")
    if rng.random() < 0.7:
        for _ in range(rng.choice((1, 1, 2, 3))):
            place = rng.randrange(len(fields))
            fields[place] = extreme_text(rng)
        return {"name": "@".join(fields).encode("utf-8", "surrogatepass")}
    return {"name": mutated_bytes(rng, "@".join(fields).encode())}


def read_name(folder: Path) -> list[str]:
    """Reads a file name; returns what must not be."""
    text = os.fsdecode((folder / "name").read_bytes())
    return list(metadata_problems(parse_image_name(text)))


def _place(rng: random.Random) -> dict[str, Any]:
    latitude, longitude = rng.uniform(-79, 83), rng.uniform(-180, 180)
    east, north, zone = lat_lon_to_utm(np.array([latitude]), np.array([longitude]))
    bands = "CDEFGHJKLMNPQRSTUVWX"
    return {
        "utm_east_m": float(east[0]),
        "utm_north_m": float(north[0]),
        "zone_number": abs(int(zone[0])),
        "zone_letter": bands[min(int((latitude + 80) // 8), 19)],
        "latitude": latitude,
        "longitude": longitude,
        "heading_deg": rng.randrange(361),
        "timestamp": rng.choice(("", "2023", "202302", "20230228", "20230228_1259")),
    }


def metadata_problems(found: ImageMetadata) -> Iterator[str]:
    """Yields what must not be in the metadata of a photo with a position."""
    heading, zone = found.heading_deg, found.utm_zone
    if not (heading == -1 or 0 <= heading <= 360):
        yield f"heading {heading}"
    if found.timestamp and not _exists(found.timestamp):
        yield f"timestamp {found.timestamp!r}"
    if zone == LOCAL_ZONE:
        if {found.latitude_e7, found.longitude_e7} != {UNKNOWN_DEGREES_E7}:
            yield "a local position has degrees"
        return
    if not (zone and 1 <= abs(zone) <= 60):
        yield f"zone {zone}"
        return
    degrees = [(value or 0) / 1e7 for value in (found.latitude_e7, found.longitude_e7)]
    if not (-80 <= degrees[0] <= 84 and abs(degrees[1]) <= 180):
        yield f"degrees {degrees}"
    metres = [(value or 0) / 100 for value in (found.utm_east_cm, found.utm_north_cm)]
    if not (100_000 <= metres[0] < 1_000_000 and 0 <= metres[1] <= 10_000_000):
        yield f"UTM {metres}"
    place = Positions.from_utm([metres[0]], [metres[1]], [zone])
    apart_m = great_circle_m(place.latitude_deg, place.longitude_deg, *degrees)
    if not apart_m[0] <= _LARGEST_DISAGREEMENT_M:
        yield f"UTM and degrees are {apart_m[0]} m apart"


def _exists(timestamp: str) -> bool:
    """Whether a time has the form of names and is possible."""
    form = _DATE_FORMATS.get(len(timestamp), "%Y%m%d_%H%M%S")
    try:
        time = datetime.datetime.strptime(timestamp, form)
    except ValueError:
        return False
    return time.strftime(form) == timestamp and 1800 <= time.year <= 2100


# === Tables ===


def make_table(rng: random.Random) -> Files:
    """Returns a CSV table of photos."""
    columns = ["path", *rng.choice((["lat", "lon"], ["latitude", "longitude"]))]
    if rng.random() < 0.2:
        columns = ["path", "x_m", "y_m"]
    elif rng.random() < 0.5:
        columns += ["utm_east", "utm_north", "zone"]
    columns += rng.sample(["heading", "yaw", "time", "note"], rng.randint(0, 3))
    delimiter = rng.choice(",,,;\t|")
    lines = [delimiter.join(columns)]
    for number in range(rng.randint(0, 4)):
        lines.append(delimiter.join(_row(rng, number, columns)))
    text = rng.choice(("\n", "\r\n")).join(lines)
    encoding = rng.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252"))
    data = text.encode(encoding, "replace")
    return {"photos.csv": mutated_bytes(rng, data) if rng.random() < 0.5 else data}


def _row(rng: random.Random, number: int, columns: list[str]) -> list[str]:
    place = _place(rng)
    values = {
        "path": f"{number}.jpg",
        "lat": f"{place['latitude']:.7f}",
        "lon": f"{place['longitude']:.7f}",
        "latitude": f"{place['latitude']:.7f}",
        "longitude": f"{place['longitude']:.7f}",
        "utm_east": f"{place['utm_east_m']:.2f}",
        "utm_north": f"{place['utm_north_m']:.2f}",
        "x_m": f"{rng.uniform(-500, 500):.2f}",
        "y_m": f"{rng.uniform(-500, 500):.2f}",
        "zone": f"{place['zone_number']}{place['zone_letter']}",
        "heading": str(place["heading_deg"]),
        "yaw": str(place["heading_deg"] - 180),
        "time": place["timestamp"],
        "note": "é",
    }
    row = [values[name] for name in columns]
    if rng.random() < 0.5:
        row[rng.randrange(len(row))] = extreme_text(rng)
    return row


def read_table(folder: Path) -> list[str]:
    """Reads all rows of a table; returns what must not be."""
    reading, found = ReadingConfig(), []
    for text, _ in walk_csv_table(folder / "photos.csv", folder, True, reading):
        try:
            found.append(read_csv_metadata(parse_csv_entry(text), True, reading))
        except InvalidEntryError:
            continue
    complete = complete_positions(found, reading)
    if found and all(isinstance(row, InvalidEntryError) for row in complete):
        raise InvalidEntryError("all rows are refused")
    return [
        problem
        for row in complete
        if not isinstance(row, InvalidEntryError)
        for problem in metadata_problems(row)
    ]


# === EXIF data ===


def make_exif(rng: random.Random) -> Files:
    """Returns a JPEG with a position in its EXIF data."""
    exif = Image.Exif()
    exif[0x0112] = rng.choice((1, 6, 8))
    exif.get_ifd(_EXIF)[_TAKEN] = rng.choice(
        ("2023:02:28 12:00:00", "2023:02:30 12:00:00", "0000:00:00 00:00:00", " ")
    )
    gps: dict[int, Any] = {
        1: rng.choice("NS"),
        2: _degrees(rng, 80),
        3: rng.choice("EW"),
        4: _degrees(rng, 180),
        9: rng.choice("AAAAAV"),
        17: _rational(rng, 360),
    }
    for tag in rng.sample(sorted(gps), rng.choice((0, 0, 1, 2))):
        del gps[tag]
    exif.get_ifd(_GPS).update(gps)
    file = io.BytesIO()
    _picture(rng).save(file, "JPEG", exif=exif)
    data = file.getvalue()
    if rng.random() < 0.5:  # inside the EXIF data
        start = data.find(b"Exif\0\0") + 6
        stop = start + int.from_bytes(data[start - 8 : start - 6], "big") - 8
        block = mutated_bytes(rng, data[start:stop])[: stop - start]
        data = data[:start] + block.ljust(stop - start, b"\0") + data[stop:]
    return {"photo.jpg": data if rng.random() < 0.85 else mutated_bytes(rng, data)}


def _degrees(rng: random.Random, limit: int) -> tuple[float, ...]:
    """Returns degrees, minutes and seconds; at times with a fraction in each."""
    values = [_rational(rng, limit) for limit in (limit, 60, 60)]
    if rng.random() < 0.9:
        values[:2] = map(int, values[:2])
    return tuple(values)


def _rational(rng: random.Random, limit: float) -> float:
    return rng.choice((0.0, limit, limit + 1, *(rng.uniform(0, limit),) * 40))


def _picture(rng: random.Random) -> Image.Image:
    pixels = np.frombuffer(rng.randbytes(8 * 8 * 3), np.uint8).reshape(8, 8, 3)
    return Image.fromarray(pixels)


def read_exif(folder: Path) -> list[str]:
    """Reads EXIF data; returns what must not be."""
    read = read_exif_metadata(str(folder / "photo.jpg"))
    (found,) = complete_positions([read], ReadingConfig())
    if isinstance(found, InvalidEntryError):
        raise found
    return list(metadata_problems(found))


# === Headers ===


def make_header(rng: random.Random) -> Files:
    """Returns a JPEG or PNG."""
    file = io.BytesIO()
    if rng.random() < 0.5:
        _picture(rng).save(file, "PNG")
    else:
        _picture(rng).save(file, "JPEG", progressive=rng.random() < 0.3)
    data = file.getvalue()
    head = rng.choice((40, 200, len(data)))
    return {"photo": mutated_bytes(rng, data[:head]) + data[head:]}


def read_header(folder: Path) -> list[str]:
    """Reads a header both ways; returns what must not be."""
    path = folder / "photo"
    content = path.read_bytes()
    header = image_header_of(content)
    with path.open("rb") as file:
        of_file = read_image_header(file.fileno(), len(content))
    problems = [] if of_file == header else [f"{header} in memory, {of_file} on disk"]
    sides = header.height, header.width
    if min(sides) < 1 or sides[0] * sides[1] > MAX_PIXELS:
        problems.append(f"size {sides}")
    if not 1 <= header.exif_orientation <= 8:
        problems.append(f"orientation {header.exif_orientation}")
    return problems
