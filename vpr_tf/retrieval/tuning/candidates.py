"""Search structures and settings that tuning tries."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

_LARGE = 50_000
_SEARCHED_SHARES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Candidate:
    """One search structure, and the ways to search it without building it again.

    Attributes:
        kind: Of the index.
        settings: Of building, as `Index.build` takes them.
        searches: Keyword arguments of the index's `with_search_settings`; an empty one
            searches as built.
        label: What is special about the structure, for people.
    """

    kind: str
    settings: dict[str, Any] = field(default_factory=dict)
    searches: tuple[dict[str, Any], ...] = ({},)
    label: str = ""

    @property
    def name(self) -> str:
        """Kind and label."""
        return f"{self.kind} {self.label}".strip()


def candidates_of(
    kinds: tuple[str, ...], num_images: int, descriptor_dim: int
) -> list[Candidate]:
    """Returns what to try, the most promising of each kind first.

    Args:
        kinds: Of `exact`, `scann`, `milvus`. Exact search is always tried.
        num_images: Rows of the database; large ones are worth more tries.
        descriptor_dim: Length of a descriptor.
    """
    found = [Candidate("exact")]
    if "milvus" in kinds:
        found += _milvus_candidates(num_images)
    return found


def _milvus_candidates(num_images: int) -> list[Candidate]:
    ef = tuple({"ef": value} for value in (24, 32, 64, 128, 256, 512))
    graphs = [(16, 200), (32, 200)] if num_images >= _LARGE else [(16, 200)]
    hnsw = [
        Candidate(
            "milvus",
            {"index_type": "HNSW", "params": {"M": m, "efConstruction": effort}},
            ef,
            f"HNSW M={m}",
        )
        for m, effort in graphs
    ]
    lists = max(1, min(4 * math.isqrt(num_images), num_images // 40))
    shares = sorted({max(1, math.ceil(lists * share)) for share in _SEARCHED_SHARES})
    ivf = Candidate(
        "milvus",
        {"index_type": "IVF_FLAT", "params": {"nlist": lists}},
        tuple({"nprobe": number} for number in shares),
        f"IVF_FLAT nlist={lists}",
    )
    return [*hnsw, ivf]
