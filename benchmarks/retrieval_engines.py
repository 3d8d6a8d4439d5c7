"""What the benchmark of search compares: each builds, writes, opens and searches."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vpr_tf.milvus_address import URI_VARIABLE
from vpr_tf.search import INDEX_KINDS, SearchIndex

_HNSW_LINKS = 32
_HNSW_EF = 128
_ROWS_PER_BLOCK = 50_000
_SETTINGS_FILE = "settings.json"

Search = Callable[[np.ndarray, int], np.ndarray]


class Engine(NamedTuple):
    """A way to search.

    Attributes:
        name: In the table.
        folder: Name of what it writes; two engines of one folder share a build.
        build: Builds from the database file and writes the folder, given leaves of
            ScaNN instead of its own number.
        open: Opens the folder, and returns what finds the rows of neighbours.
        half: Whether it reads a float16 copy of the database file.
    """

    name: str
    folder: str
    build: Callable[[Path, Path, int | None], None]
    open: Callable[[Path, Path], Search]
    half: bool = False


def engines() -> dict[str, Engine]:
    """Returns all that is compared, by the name on the command line."""
    compact = {"reorder": "memory_mapped"}
    thorough = {"leaves": 1.5, "reordered": 2.0}
    return {
        "exact": _own("exact float32", "exact", "exact"),
        "exact_float16": _own("exact float16", "exact_float16", "exact", half=True),
        "scann": _own("ScaNN", "scann", "scann"),
        "scann_thorough": _own("ScaNN, thorough", "scann", "scann", search=thorough),
        "scann_bfloat16": _own(
            "ScaNN bfloat16", "scann_bfloat16", "scann", {"reorder": "bfloat16"}
        ),
        "scann_float32": _own(
            "ScaNN float32", "scann_float32", "scann", {"reorder": "float32"}
        ),
        "compact": _own("ScaNN compact", "compact", "scann", compact),
        "compact_float16": _own(
            "ScaNN compact, float16", "compact_float16", "scann", compact, half=True
        ),
        "compact_thorough": _own(
            "ScaNN compact, thorough", "compact", "scann", compact, search=thorough
        ),
        "scann_one_leaf": _own(
            "ScaNN without SOAR", "scann_one_leaf", "scann", {"soar_lambda": 0.0}
        ),
        **{
            f"milvus_{name.lower()}": _own(
                f"Milvus server, {name}",
                f"milvus_{name.lower()}",
                "milvus",
                {"index_type": name},
                on_server=True,
            )
            for name in ("HNSW", "IVF_FLAT", "IVF_PQ")
        },
        "faiss_flat": Engine("faiss IndexFlatL2", "flat", _build_flat, _open_flat),
        "faiss_hnsw": Engine("faiss HNSW32", "hnsw", _build_hnsw, _open_hnsw),
    }


def _own(
    name: str,
    folder: str,
    kind: str,
    settings: dict[str, Any] | None = None,
    *,
    half: bool = False,
    search: dict[str, float] | None = None,
    on_server: bool = False,
) -> Engine:
    """An index of this project; `search` multiplies its search settings."""

    def build(database: Path, out: Path, num_leaves: int | None) -> None:
        rows = np.load(_file(database, half), mmap_mode="r")
        more: dict[str, Any] = {"uri": os.environ[URI_VARIABLE]} if on_server else {}
        if num_leaves and kind == "scann":
            more["num_leaves"] = num_leaves
        index = INDEX_KINDS[kind].build(rows, {**(settings or {}), **more})
        index.write(out)
        (out / _SETTINGS_FILE).write_text(json.dumps(index.settings))

    def open_(database: Path, out: Path) -> Search:
        rows = np.load(_file(database, half), mmap_mode="r")
        told = json.loads((out / _SETTINGS_FILE).read_text())
        index: SearchIndex = INDEX_KINDS[kind].read(out, rows, told)
        if search:
            index = index.with_search_settings(  # type: ignore[attr-defined]
                round(told["leaves_to_search"] * search["leaves"]),
                round(told["reordered_neighbors"] * search["reordered"]),
            )
        return lambda queries, k: index.search(queries, k)[1]

    return Engine(name, folder, build, open_, half)


def _file(database: Path, half: bool) -> Path:
    return database.with_name("database_float16.npy") if half else database


def write_float16(database: Path) -> None:
    """Writes the float16 copy of a database beside it, block by block, once."""
    target = _file(database, True)
    if target.exists():
        return
    rows, part = np.load(database, mmap_mode="r"), target.with_suffix(".part")
    halves = np.lib.format.open_memmap(part, "w+", np.float16, rows.shape)
    for start in range(0, len(rows), _ROWS_PER_BLOCK):
        halves[start : start + _ROWS_PER_BLOCK] = rows[start : start + _ROWS_PER_BLOCK]
    halves.flush()
    part.rename(target)


def _build_flat(database: Path, out: Path, num_leaves: int | None) -> None:
    import faiss

    _fill(faiss.IndexFlatL2(_dim(database)), database, out)


def _build_hnsw(database: Path, out: Path, num_leaves: int | None) -> None:
    import faiss

    _fill(faiss.IndexHNSWFlat(_dim(database), _HNSW_LINKS), database, out)


def _dim(database: Path) -> int:
    return int(np.load(database, mmap_mode="r").shape[1])


def _fill(index: Any, database: Path, out: Path) -> None:
    import faiss

    rows = np.load(database, mmap_mode="r")
    for start in range(0, len(rows), _ROWS_PER_BLOCK):
        index.add(np.ascontiguousarray(rows[start : start + _ROWS_PER_BLOCK]))
    faiss.write_index(index, str(out / "index.faiss"))


def _open_flat(database: Path, out: Path) -> Search:
    import faiss

    index = faiss.read_index(str(out / "index.faiss"))
    return lambda queries, k: index.search(queries, k)[1]


def _open_hnsw(database: Path, out: Path) -> Search:
    import faiss

    index: Any = faiss.read_index(str(out / "index.faiss"))
    index.hnsw.efSearch = _HNSW_EF
    return lambda queries, k: index.search(queries, k)[1]
