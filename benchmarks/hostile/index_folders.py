"""Whole index folders with changed arrays, search files and manifests.

The checksums are made to fit again, as a stranger would.
"""

from __future__ import annotations

import functools
import hashlib
import json
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

from benchmarks.hostile.arrays import changed_array, npy_bytes
from benchmarks.hostile.inputs import Content, Files
from benchmarks.hostile.mutations import json_text, mutated_bytes, mutated_value
from benchmarks.hostile.stored import calibration
from benchmarks.hostile.watch import OUTSIDE
from benchmarks.index_reliability import SAMPLES
from benchmarks.index_samples import ENCODER, add, make_batch, make_sample
from vpr_tf.config import LocalizationConfig
from vpr_tf.geo import GeoCircle
from vpr_tf.localization import to_stored
from vpr_tf.place_index import PlaceIndex
from vpr_tf.place_index.index_state import IndexState, Matches
from vpr_tf.place_index.localizing import LocalizationOptions, localize_descriptors

MANIFEST = "manifest.json"
_SECRET = f"../{OUTSIDE}/secret.txt"
_SEARCH = "/search/"
_SCANN = [name for name, sample in SAMPLES.items() if sample.kind == "scann"]
_NUM_QUERIES, _K = 5, 10
_CIRCLE = GeoCircle(37.7005, -122.5, 30.0)
_TOLERANCE = 1e-4  # of squared distances of unit descriptors


@functools.cache
def index_files(sample: str = "exact") -> dict[str, bytes]:
    """Returns the files of a small index."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "index"
        make_sample(folder, SAMPLES[sample])
        fitted = to_stored(LocalizationConfig(), calibration(ENCODER.fingerprint))
        PlaceIndex(folder).set_localization(fitted)
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }


def with_checksums(files: Files, content: Any) -> Files:
    """Returns an index whose manifest says what its files are, if it is a mapping."""
    if not isinstance(content, dict):
        return {**files, MANIFEST: json_text(content)}
    entries = [("", content.get("encoder_files"))]
    segments = content.get("segments")
    for segment in segments if isinstance(segments, list) else ():
        if isinstance(segment, dict) and isinstance(segment.get("folder"), str):
            entries.append((f"{segment['folder']}/", segment.get("files")))
    removed = content.get("removed_file")
    if isinstance(removed, str):
        entries.append(("", {removed: content.get("removed")}))
    for start, stored in entries:
        for name, entry in stored.items() if isinstance(stored, dict) else ():
            data = files.get(f"{start}{name}")
            if isinstance(data, bytes) and isinstance(entry, dict):
                entry |= {
                    "num_bytes": len(data),
                    "crc32c": google_crc32c.value(data),
                    "sha256": hashlib.sha256(data).hexdigest(),
                }
    content.pop("sha256", None)
    try:
        content = json.loads(json_text(content))
        text = json.dumps(
            content, sort_keys=True, separators=(",", ":"), allow_nan=False
        )
        content["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    except (ValueError, TypeError):
        pass
    return {**files, MANIFEST: json_text(content)}


def make_arrays(rng: random.Random) -> Files:
    """Returns an exact index with changed arrays or a changed manifest."""
    files: dict[str, Content] = dict(index_files())
    content = json.loads(index_files()[MANIFEST])
    if rng.random() < 0.2:
        content = mutated_value(rng, content)
    else:
        arrays = [name for name in index_files() if name.endswith(".npy")]
        for name in rng.sample(arrays, rng.choice((1, 1, 1, 2))):
            files[name] = changed_array(rng, index_files()[name])
            if name.endswith("descriptors.npy") and rng.random() < 0.7:
                _fit_row_checksums(files, name)
    return {**with_checksums(files, content), _SECRET: b"secret"}


def _fit_row_checksums(files: dict[str, Content], name: str) -> None:
    """Makes the checksums of the rows fit the descriptors, if these can be read."""
    try:
        data = files[name]
        rows = np.frombuffer(data[128:], np.uint8).reshape(-1, 64)  # type: ignore
    except ValueError:
        return
    sums = np.array([google_crc32c.value(row.tobytes()) for row in rows], "<u4")
    files[name.replace("descriptors", "row_checksums")] = npy_bytes(sums)


def make_scann(rng: random.Random) -> Files:
    """Returns an index searched by ScaNN, with changes in ScaNN's files."""
    sample = rng.choice(_SCANN)
    files: dict[str, Content] = dict(index_files(sample))
    content = json.loads(index_files(sample)[MANIFEST])
    names = [name for name in files if _SEARCH in name]
    for name in rng.sample(names, min(len(names), rng.choice((1, 1, 2)))):
        data = index_files(sample)[name]
        if name.endswith(".npy") and rng.random() < 0.7:
            files[name] = changed_array(rng, data)
        else:
            files[name] = mutated_bytes(rng, data)
    if rng.random() < 0.15:
        segment = content["segments"][0]
        segment["settings"] = mutated_value(rng, segment["settings"])
    return {**with_checksums(files, content), _SECRET: b"secret"}


# === Reading ===


def read_index_folder(folder: Path) -> list[str]:
    """Opens an index, searches, localizes and changes it; see the oracle above."""
    PlaceIndex(folder).verify()
    with PlaceIndex.open(folder) as index:
        problems = list(_state_problems(index))
    if problems:
        return problems
    if PlaceIndex(folder).manifest.descriptor_dim == ENCODER.descriptor_dim:
        add(folder, *make_batch(3, first=900))
        PlaceIndex(folder).remove(["0/00900.jpg"])
        PlaceIndex(folder).compact()
        with PlaceIndex.open(folder) as index:
            problems += [f"after changes: {text}" for text in _state_problems(index)]
    return problems


def _state_problems(index: PlaceIndex) -> Iterator[str]:
    state = index.state()
    queries = _queries(state.manifest.descriptor_dim)
    matches = index.search(queries, _K)
    alive = set(state.alive_rows.tolist())
    if len(alive) != state.manifest.num_photos:
        yield f"{len(alive)} photos, the manifest says {state.manifest.num_photos}"
    yield from _match_problems(state, queries, matches, alive, index.is_exact)
    index.search(queries, _K, within=_CIRCLE)
    yield from _photo_problems(state)
    for one in localize_descriptors(state, queries, ["q"] * len(queries), _OPTIONS):
        for name in ("latitude", "longitude", "confidence", "expected_error_m"):
            value = getattr(one, name, None)
            if value is not None and not np.isfinite(value):
                yield f"{name} of a localization is {value}"


_OPTIONS = LocalizationOptions()


def _queries(dim: int) -> np.ndarray:
    queries = np.random.default_rng(0).normal(size=(_NUM_QUERIES, dim))
    norms = np.linalg.norm(queries, axis=1, keepdims=True)
    return (queries / norms).astype(np.float32)


def _match_problems(
    state: IndexState,
    queries: np.ndarray,
    matches: Matches,
    alive: set[int],
    is_exact: bool,
) -> Iterator[str]:
    """Yields what of the matches is not so by the descriptors that are stored."""
    rows = matches.rows
    found = rows >= 0
    gone = set(rows[found].tolist()) - alive
    if gone:
        yield f"rows {sorted(gone)[:5]} are found and are not there"
        return
    stored = np.asarray(state.descriptors[np.arange(len(state.photos))], np.float64)
    distances = ((queries[:, None].astype(np.float64) - stored) ** 2).sum(axis=2)
    true = np.take_along_axis(distances, np.where(found, rows, 0), axis=1)
    wrong = found & ~(np.abs(true - matches.distances) <= _TOLERANCE * (1 + true))
    if wrong.any():
        yield f"distances {matches.distances[wrong][:3]} are {true[wrong][:3]}"
    if any(len(set(row[row >= 0])) != (row >= 0).sum() for row in rows):
        yield "a photo is found twice"
    if is_exact and alive and _norms_fit(state, stored):
        if (found.sum(axis=1) < min(_K, len(alive))).any():
            yield f"{found.sum(axis=1).tolist()} of {len(alive)} photos are found"
        nearest = np.sort(distances[:, sorted(alive)], axis=1)[:, : rows.shape[1]]
        first = true[:, : nearest.shape[1]]
        if not (np.abs(first - nearest) <= _TOLERANCE * (1 + nearest)).all():
            yield "an exact search left out nearer photos"


def _norms_fit(state: IndexState, stored: np.ndarray) -> bool:
    """Whether the search structures are of these descriptors.

    One of others finds others, as any that a stranger built; see the oracle.
    """
    norms = [getattr(part.index, "_squared_norms", None) for part in state.segments]
    known = [one for one in norms if one is not None]
    if len(known) < len(norms):
        return False
    return np.allclose(np.concatenate(known), (stored**2).sum(axis=1), rtol=1e-3)


def _photo_problems(state: IndexState) -> Iterator[str]:
    """Yields what photos cannot be."""
    photos, n = state.photos, len(state.photos)
    for name, values in photos.columns().items():
        if values.shape != (n,):
            yield f"{name} has the shape {values.shape} for {n} photos"
            return
    for key in photos.keys.tolist():
        if not key or not _is_text(key):
            yield f"the key {key!r}"
    places = photos.positions
    latitude, longitude = places.latitude_deg, places.longitude_deg
    on_earth = places.utm_zone != 0
    if not (np.abs(places.utm_zone.astype(np.int64)) <= 60).all():
        yield "a zone beyond 60"
    if not (np.abs(latitude[on_earth]) <= 90).all():
        yield "a latitude beyond 90"
    if not (np.abs(longitude[on_earth]) <= 180).all():
        yield "a longitude beyond 180"
    heading = photos.heading_deg
    if not ((heading == -1) | (heading >= 0) & (heading <= 360)).all():
        yield "a heading beyond 360"


def _is_text(key: bytes) -> bool:
    try:
        return bool(key.decode())
    except UnicodeDecodeError:
        return False
