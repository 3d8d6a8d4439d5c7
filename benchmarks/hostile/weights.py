"""Heads, their calibration and checkpoints: valid ones with changes."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import math
import pickle
import random
import struct
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hostile.inputs import Files
from benchmarks.hostile.mutations import json_text, mutated_bytes, mutated_json
from benchmarks.hostile.stored import calibration, not_finite
from vpr_tf.classification.calibration import load_calibration, save_calibration
from vpr_tf.classification.cells import GridCells
from vpr_tf.classification.class_table import OWN_GROUP, ClassTable
from vpr_tf.classification.classifier import PlaceClassifier
from vpr_tf.classification.group_head import GroupHead
from vpr_tf.classification.stored_heads import load_heads, save_heads
from vpr_tf.geo import Positions
from vpr_tf.models.torch_weights.checkpoint import read_checkpoint

_SHAPES = {"a.weight": (3, 2), "a.bias": (3,), "b": ()}
_PTH_MAGIC, _PTH_VERSION = 0x1950A86A20F9469CFC6C, 1001
_PTH_SYSTEM = {"protocol_version": _PTH_VERSION, "little_endian": True}
# Of a legacy file of torch, before the object.
LEGACY_START = b"".join(
    pickle.dumps(one, 2) for one in (_PTH_MAGIC, _PTH_VERSION, _PTH_SYSTEM)
)

# === Heads ===


@functools.cache
def heads_files() -> dict[str, bytes]:
    """Returns the files of heads of four places in two groups, calibrated."""
    rows = np.arange(4)
    members = np.array([[0, -1], [-1, 0], [1, -1], [-1, 1]], np.int32)
    zone, east, north = np.full(4, 10), 27400 + rows, np.full(4, 208_650)
    places = Positions.from_utm(20.0 * east + 10, 20.0 * north + 10, zone)
    cells = GridCells(20, zone, east, north)
    table = ClassTable(places, np.full(4, -1.0), members, rows, cells, OWN_GROUP)
    rng = np.random.default_rng(0)
    kernels = rng.standard_normal((2, 6, 2)).astype(np.float32)
    heads = tuple(GroupHead("cosine", kernel) for kernel in kernels)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_heads(PlaceClassifier(table, heads), folder)
        save_calibration(calibration(), folder)
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def make_heads(rng: random.Random) -> Files:
    """Returns the files of heads; the checksum of the arrays is made to fit."""
    files = dict(heads_files())
    del files["calibration.json"]
    content = json.loads(files["classifier.json"])
    if rng.random() < 0.6:
        files["classifier.npz"] = _other_arrays(rng, files["classifier.npz"])
        content["sha256"] = hashlib.sha256(files["classifier.npz"]).hexdigest()
        files["classifier.json"] = json_text(content)
    else:
        files["classifier.json"] = mutated_json(rng, content)
    return files


def _other_arrays(rng: random.Random, data: bytes) -> bytes:
    if rng.random() < 0.3:
        return mutated_bytes(rng, data)
    with np.load(io.BytesIO(data)) as stored:
        arrays = dict(stored)
    name = rng.choice(sorted(arrays))
    changed = rng.choice(
        (
            lambda array: array.astype(rng.choice(("<f8", "<i2", "<U4", "<c8", "?"))),
            lambda array: array[..., None],
            lambda array: np.resize(array, rng.choice(((), (0,), (3,), (4, 3), (5,)))),
            lambda array: array * rng.choice((-1, 0, 1000, math.nan, math.inf)),
            lambda array: (array - float(rng.choice((1, 5, 10**12)))).astype(
                array.dtype
            ),
            lambda array: array.ravel()[::-1],
        )
    )
    with np.errstate(all="ignore"):
        arrays[name] = changed(arrays[name])
    if rng.random() < 0.15:
        del arrays[rng.choice(sorted(arrays))]
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def read_heads(folder: Path) -> list[str]:
    """Loads heads and asks them for places; returns what must not be."""
    heads = load_heads(folder)
    descriptors = np.eye(2, getattr(heads, "descriptor_dim", 6), dtype=np.float32)
    candidates = heads.predict(descriptors, 2)
    problems = [] if np.isfinite(candidates.points).all() else ["points not finite"]
    if not np.isfinite(candidates.scores[candidates.rows >= 0]).all():
        problems.append("scores not finite")
    if isinstance(heads, PlaceClassifier):
        places = heads.table.positions
        zones = np.abs(places.utm_zone.astype(np.int64))
        if ((zones < 1) | (zones > 60)).any():
            problems.append(f"zones {zones}")
        if (np.abs(places.latitude_deg) > 90).any():
            problems.append("latitudes beyond 90")
        cells = heads.table.cells.locate(places)
        if len(cells) != len(places):
            problems.append("other cells")
    return problems


def make_calibration(rng: random.Random) -> Files:
    """Returns heads whose calibration has changes."""
    files = dict(heads_files())
    content = json.loads(files["calibration.json"])
    return files | {"calibration.json": mutated_json(rng, content)}


def read_calibration(folder: Path) -> list[str]:
    """Reads the calibration of heads; returns what must not be."""
    found = load_calibration(folder)
    if found is None:
        return ["the calibration is not seen"]
    problems = list(not_finite(found))
    confidence, error_m = found.apply(np.array([[0.5, 0.1, 0.5]]), np.array([5]))
    if not (np.isnan(confidence) | (confidence >= 0) & (confidence <= 1)).all():
        problems.append(f"confidence {confidence}")
    if (error_m < 0).any():
        problems.append(f"expected error {error_m}")
    _ = found.summary(), found.reaches_wanted_precision
    if found.reliability is not None:
        found.reliability.table()
    return problems


# === Checkpoints ===


def make_checkpoint(rng: random.Random) -> Files:
    """Returns a file of torch, of either format, or of safetensors."""
    which = rng.choice((_zip_bytes, _zip_bytes, _legacy_bytes, _safetensors_bytes))
    return {"weights.pth": which(rng)}


def read_weights(folder: Path) -> list[str]:
    """Reads a checkpoint; returns what must not be."""
    path = folder / "weights.pth"
    found, problems = read_checkpoint(path), []
    size = path.stat().st_size
    for name, array in (*found.state_dict.items(), *enumerate(found.heads)):
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
            problems.append(f"{name} is {type(array)}")
        elif array.nbytes > 4 * size:
            problems.append(f"{name} has {array.nbytes} bytes")
        np.abs(array.astype(np.float64)).sum()
    return problems


def state_dict_pickle() -> bytes:
    """Returns the pickle of the state dict as torch writes it, without its start."""
    content = b"}("
    for key, (name, shape) in enumerate(_SHAPES.items()):
        size = math.prod(shape)
        strides = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
        content += _text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(("
        content += _text("storage") + b"ctorch\nFloatStorage\n" + _text(str(key))
        content += _text("cpu") + bytes((ord("K"), size)) + b"tQK\0"
        content += _sizes(shape) + _sizes(strides)
        content += b"\x89ccollections\nOrderedDict\n)RtR"
    return content + b"u."


def _text(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def _sizes(sizes: Any) -> bytes:
    return b"(" + b"".join(bytes((ord("K"), size)) for size in sizes) + b"t"


def _storages() -> list[bytes]:
    sizes = [math.prod(shape) for shape in _SHAPES.values()]
    return [np.arange(size, dtype="<f4").tobytes() for size in sizes]


def zip_storages() -> dict[str, bytes]:
    """Returns the members of a zip file of torch that hold its arrays."""
    return {f"data/{key}": data for key, data in enumerate(_storages())}


def legacy_end() -> bytes:
    """Returns what follows the object in a legacy file of torch."""
    data = pickle.dumps([str(key) for key in range(len(_SHAPES))], 2)
    for values in _storages():
        data += struct.pack("<q", len(values) // 4) + values
    return data


def _zip_bytes(rng: random.Random) -> bytes:
    pickled = b"\x80\x02" + state_dict_pickle()
    if rng.random() < 0.6:
        pickled = mutated_bytes(rng, pickled)
    members = {"data.pkl": pickled, "byteorder": b"little", "version": b"3\n"}
    members |= zip_storages()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(f"archive/{name}"), data)
    return (
        mutated_bytes(rng, file.getvalue()) if rng.random() < 0.5 else file.getvalue()
    )


def _legacy_bytes(rng: random.Random) -> bytes:
    data = LEGACY_START + b"\x80\x02" + state_dict_pickle()
    return mutated_bytes(rng, data + legacy_end())


def _safetensors_bytes(rng: random.Random) -> bytes:
    header, end = {}, 0
    for name, shape in _SHAPES.items():
        start, end = end, end + 4 * math.prod(shape)
        offsets = [start, end]
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": offsets}
    text = mutated_json(rng, header) if rng.random() < 0.7 else json_text(header)
    data = struct.pack("<Q", len(text)) + text + b"".join(_storages())
    return data if rng.random() < 0.6 else mutated_bytes(rng, data)
