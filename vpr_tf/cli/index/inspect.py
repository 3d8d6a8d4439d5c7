"""Shows what an index holds, and draws a map of its photos.

Examples:
  vpr index inspect --index city.index
  vpr index inspect --index city.index --map city.png
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from vpr_tf.cli.main import Outcome
from vpr_tf.cli.options import add_index, add_json
from vpr_tf.cli.output import (
    classifier_text,
    facts_text,
    preparation_text,
    recall_text,
    settings_text,
    size_text,
)
from vpr_tf.geo import (
    Positions,
    constant_heading_text,
    extent_deg,
    local_text,
    wrap_degrees,
)
from vpr_tf.photos import PhotoTable
from vpr_tf.place_index import IndexManifest, PlaceIndex
from vpr_tf.place_index.kept_features import LOCAL_FOLDER
from vpr_tf.place_index.layout import ONNX_COPY
from vpr_tf.printable import printable

_METRES_PER_DEGREE = 111_195.0
_SHOWN_YEARS = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_index(parser)
    parser.add_argument(
        "--map", metavar="FILE", help="draw where the photos were taken, as PNG"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Describes an index."""
    with PlaceIndex.open(options.index) as index:
        manifest, photos = index.manifest, index.photos
    rows = [("Index", options.index), *_facts(manifest, photos)]
    if options.map:
        from vpr_tf.cli.index.index_map import draw_map

        draw_map(photos, Path(options.map), title=Path(options.index).name)
        rows.append(("Map", options.map))
    text = facts_text(rows) + (f"\n{manifest.advice}" if manifest.advice else "")
    content: dict[str, Any] = dataclasses.asdict(manifest)
    content |= {"num_photos": manifest.num_photos, "num_bytes": _sizes(manifest)}
    content.pop("segments")
    return Outcome(content, text)


def _facts(manifest: IndexManifest, photos: PhotoTable) -> Iterator[tuple[str, str]]:
    encoder = manifest.encoder
    removed = f", {manifest.num_removed:,} removed" if manifest.num_removed else ""
    yield "Photos", f"{manifest.num_photos:,}{removed}"
    yield (
        "State",
        f"generation {manifest.generation}, segments: {len(manifest.segments)}, "
        f"{manifest.unmerged_share:.0%} of the rows not merged",
    )
    yield "Search", settings_text(manifest)
    yield "Recall", recall_text(manifest.recall)
    yield "Descriptors", f"{manifest.descriptor_dim} values, {manifest.dtype}"
    if encoder is None:
        yield "Encoder", "not known; made of descriptors"
    else:
        kept = f"kept as {encoder.file}" if encoder.file else "not kept in the index"
        if ONNX_COPY in manifest.encoder_files:
            kept += f", for queries as {ONNX_COPY}"
        yield "Encoder", f"{encoder.description} ({kept})"
        yield "", f"fingerprint {encoder.fingerprint[:16]}"
        yield "Images", preparation_text(encoder)
    if manifest.classifier is not None:
        yield "Classifier", classifier_text(manifest.classifier)
    if manifest.local_features is not None:
        yield "Key points", f"by {manifest.local_features.identity}"
    if manifest.attribution is not None:
        yield "Photos from", manifest.attribution
    if manifest.licence is not None:
        yield "Licence", manifest.licence
    yield "Localization", "calibrated" if manifest.localization else "not calibrated"
    yield from _photo_facts(photos)
    yield (
        "Disk",
        ", ".join(
            f"{name} {size_text(num_bytes)}"
            for name, num_bytes in _sizes(manifest).items()
        ),
    )


def _photo_facts(photos: PhotoTable) -> Iterator[tuple[str, str]]:
    positions = photos.positions
    known = positions.known & ~positions.is_local
    num_local = int(np.sum(positions.is_local))
    if num_local:
        yield "Extent", _local_extent(positions)
        yield "", local_text(num_local)
    if known.any():
        latitude, longitude = positions.latitude_deg[known], positions.longitude_deg
        west, east = extent_deg(longitude[known])
        north_m = np.ptp(latitude) * _METRES_PER_DEGREE
        east_m = (east - west) * _METRES_PER_DEGREE * np.cos(np.radians(latitude)).max()
        yield (
            "Extent",
            f"latitude {latitude.min():.5f} to {latitude.max():.5f}, longitude "
            f"{west:.5f} to {wrap_degrees(east):.5f} "
            f"({north_m / 1000:.2f} x {east_m / 1000:.2f} km)",
        )
        zones = np.unique(positions.utm_zone[known])
        yield "UTM zones", ", ".join(f"{abs(z)}{'N' if z > 0 else 'S'}" for z in zones)
    if not positions.known.all():
        yield "", f"{np.sum(~positions.known):,} photos of unknown position"
    if len(photos):
        yield "Years", _years_text(photos.timestamps)
        known_deg = photos.heading_deg[photos.heading_deg >= 0]
        yield "Headings", f"known of {len(known_deg):,} photos"
        if remark := _heading_remark(known_deg):
            yield "", remark


def _local_extent(positions: Positions) -> str:
    east_m, north_m = (positions.utm_cm[positions.is_local] / 100).T
    return (
        f"x {east_m.min():.2f} to {east_m.max():.2f} m, y {north_m.min():.2f} to "
        f"{north_m.max():.2f} m"
    )


def _heading_remark(known_deg: np.ndarray) -> str:
    if not len(known_deg):
        return ""
    return constant_heading_text(
        float(known_deg.min()), float(known_deg.max()), len(known_deg)
    )


def _years_text(timestamps: np.ndarray) -> str:
    years, counts = np.unique(timestamps.astype("S4"), return_counts=True)
    texts = [
        f"{printable(year) or 'unknown'} ({count:,})"
        for year, count in zip(years, counts, strict=True)
    ]
    if len(texts) > _SHOWN_YEARS:
        return f"{texts[0]} to {texts[-1]}"
    return ", ".join(texts)


def _sizes(manifest: IndexManifest) -> dict[str, int]:
    """Returns the bytes of each kind of file, the largest first."""
    sizes: dict[str, int] = {}
    for name, file in manifest.files().items():
        parts = PurePosixPath(name).parts
        if parts[0] in ("encoder", "classifier"):
            kind = parts[0]
        elif LOCAL_FOLDER in parts:
            kind = "key points"
        elif "photos" in parts:
            kind = "photos"
        elif parts[-1].startswith("descriptors"):
            kind = "descriptors"
        else:
            kind = "search"
        sizes[kind] = sizes.get(kind, 0) + file.num_bytes
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))
