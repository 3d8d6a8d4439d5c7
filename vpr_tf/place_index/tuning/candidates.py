"""Search structures and settings that tuning tries."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from vpr_tf.search import MIN_QUANTIZED_IMAGES, REORDERS, ScannSettings

# Below, a tree has leaves of a few photos; above, trees of other sizes and codes of
# other lengths are worth the time of building them.
_TREE_FROM = 5_000
_SEVERAL_FROM = 50_000
_CITY_FROM = 500_000
_SEARCHED_SHARES = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
_REORDERED = (50, 100, 250)


@dataclass(frozen=True)
class Candidate:
    """One search structure, and the ways to search it without building it again.

    Attributes:
        kind: Of the index.
        settings: Of building, as `SearchIndex.build` takes them.
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
    if "scann" in kinds:
        found += _ScannCandidates(num_images, descriptor_dim).all()
    if "milvus" in kinds:
        found += _milvus_candidates(num_images)
    return found


@dataclass(frozen=True)
class _ScannCandidates:
    num_images: int
    descriptor_dim: int

    def all(self) -> list[Candidate]:
        if self.num_images < MIN_QUANTIZED_IMAGES:
            return []
        found = self._trees() if self.num_images >= _TREE_FROM else []
        if self.num_images < _CITY_FROM:
            settings = {"structure": "quantized"}
            searches = [{"reordered_neighbors": number} for number in _REORDERED]
            found.append(self._candidate(settings, searches, "without a tree"))
        return found

    def _trees(self) -> list[Candidate]:
        root = math.isqrt(self.num_images)
        usual = self._tree(2 * root)
        trees = [usual]
        if self.num_images >= _SEVERAL_FROM:
            trees += [self._tree(root), self._tree(2 * root, soar_lambda=0.0)]
            trees += [
                self._tree(2 * root, reorder=reorder)
                for reorder in REORDERS
                if reorder != usual.settings["reorder"]
            ]
        if self.num_images >= _CITY_FROM:
            trees.append(self._tree(4 * root))
            block = 2 if usual.settings["dimensions_per_block"] > 2 else 4
            trees.append(self._tree(2 * root, dimensions_per_block=block))
        return trees

    def _tree(self, num_leaves: int, **settings: Any) -> Candidate:
        chosen = {"structure": "tree", "num_leaves": num_leaves, **settings}
        whole = ScannSettings.from_dict(chosen, self.num_images, self.descriptor_dim)
        # Codes alone order the candidates of `memory_mapped`, so more of them count.
        by_code = whole.reorder == "memory_mapped"
        shares = {math.ceil(num_leaves * share) for share in _SEARCHED_SHARES}
        searches = [
            {"leaves_to_search": leaves, "reordered_neighbors": number}
            for leaves in sorted(shares)
            for number in (_REORDERED[1:] if by_code else _REORDERED[:2])
        ]
        label = f"{num_leaves} leaves {whole.reorder}"
        if not whole.soar_lambda:
            label += " without SOAR"
        if "dimensions_per_block" in settings:
            label += f" blocks of {whole.dimensions_per_block}"
        return self._candidate(chosen, searches, label)

    def _candidate(
        self, settings: dict[str, Any], searches: list[dict[str, Any]], label: str
    ) -> Candidate:
        # All settings, so that measurements are of these even if defaults change.
        whole = ScannSettings.from_dict(settings, self.num_images, self.descriptor_dim)
        return Candidate("scann", whole.to_dict(), tuple(searches), label)


def _milvus_candidates(num_images: int) -> list[Candidate]:
    ef = tuple({"ef": value} for value in (24, 32, 64, 128, 256, 512))
    graphs = [(16, 200), (32, 200)] if num_images >= _SEVERAL_FROM else [(16, 200)]
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
