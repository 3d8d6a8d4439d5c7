"""What a ScaNN index can be told."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

STRUCTURES = ("brute_force", "quantized", "tree")
REORDERS = ("float32", "bfloat16", "int8", "memory_mapped")

# Sizes as ScaNN's documentation advises.
_BRUTE_FORCE_BELOW = 20_000
_NO_TREE_BELOW = 100_000
_LEAVES_PER_SQRT = 2
_SEARCHED_LEAVES_FRACTION = 0.11
_REORDERED_NEIGHBORS = 150
# Longer codes are read more slowly than their precision is worth.
_CODE_BLOCKS = 128
# ScaNN finds 16 centres a block of dimensions.
MIN_QUANTIZED_IMAGES = 16


@dataclass(frozen=True)
class ScannSettings:
    """How descriptors are stored and searched by ScaNN.

    Attributes:
        structure: `brute_force` compares with every descriptor, exactly; `quantized`
            with the code of every descriptor; `tree` with the codes in those leaves of
            a k-means tree that are nearest to the query. The best by code are then
            compared again by `reorder`.
        num_leaves: Leaves of the tree; only of `tree`.
        leaves_to_search: Leaves that a query looks into; only of `tree`.
        dimensions_per_block: Values that share 4 bits of a code.
        anisotropic_threshold: Cosine similarity above which the codes shall tell
            descriptors apart; 0 for codes that are as near as can be.
        reordered_neighbors: Best by code that are compared again.
        reorder: What they are compared by. ScaNN holds `float32`, `bfloat16` or
            `int8` descriptors in memory; `memory_mapped` holds codes only and reads
            the candidates from the database, so that a city fits a laptop.
        training_sample: Descriptors that leaves and codes are made from.
        training_iterations: Rounds of k-means.
    """

    structure: str
    num_leaves: int = 0
    leaves_to_search: int = 0
    dimensions_per_block: int = 2
    anisotropic_threshold: float = 0.0
    reordered_neighbors: int = _REORDERED_NEIGHBORS
    reorder: str = "int8"
    training_sample: int = 100_000
    training_iterations: int = 8

    def __post_init__(self) -> None:
        for name, known in (("structure", STRUCTURES), ("reorder", REORDERS)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"`{name}` must be one of {', '.join(known)}. "
                    f"Received: {getattr(self, name)!r}"
                )
        lowest = dict.fromkeys(
            ("dimensions_per_block", "reordered_neighbors", "training_iterations"), 1
        )
        lowest["training_sample"] = MIN_QUANTIZED_IMAGES
        has_tree = self.structure == "tree"
        lowest["num_leaves"] = lowest["leaves_to_search"] = int(has_tree)
        for name, least in lowest.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(
                    f"`{name}` must be a whole number of {least} or more. "
                    f"Received: {value!r}"
                )
        if not has_tree and (self.num_leaves or self.leaves_to_search):
            raise ValueError(
                "`num_leaves` and `leaves_to_search` are of the structure `tree`. "
                f"Received: {self.num_leaves}, {self.leaves_to_search} and the "
                f"structure {self.structure!r}"
            )
        if self.leaves_to_search > self.num_leaves:
            raise ValueError(
                f"`leaves_to_search` must be at most num_leaves={self.num_leaves}. "
                f"Received: {self.leaves_to_search}"
            )
        if not 0 <= self.anisotropic_threshold < 1:
            raise ValueError(
                "`anisotropic_threshold` must lie in [0, 1). "
                f"Received: {self.anisotropic_threshold}"
            )

    @classmethod
    def for_size(
        cls, num_images: int, dim: int | None = None, structure: str | None = None
    ) -> ScannSettings:
        """Returns settings that suit the size of the database.

        Args:
            num_images: Rows of the database.
            dim: Length of a descriptor; None for codes of the finest kind.
            structure: None for what suits the size.
        """
        if structure is None:
            structure = "tree"
            if num_images < _NO_TREE_BELOW:
                structure = "quantized"
            if num_images < _BRUTE_FORCE_BELOW:
                structure = "brute_force"
        if structure != "tree":
            return cls(structure)
        num_leaves = max(1, _LEAVES_PER_SQRT * math.isqrt(num_images))
        dims_per_block = max(2, (dim or 0) // _CODE_BLOCKS)
        return cls(structure, num_leaves, _searched(num_leaves), dims_per_block)

    @classmethod
    def from_dict(
        cls, settings: dict[str, Any], num_images: int, dim: int | None = None
    ) -> ScannSettings:
        """Completes settings by what suits the size of the database.

        Too few images for codes are searched by brute force, whatever is asked for,
        and there are never more leaves than images.

        Raises:
            ValueError: An unknown name, or a value that cannot be.
        """
        names = [setting.name for setting in dataclasses.fields(cls)]
        unknown = sorted(set(settings) - set(names))
        if unknown:
            raise ValueError(
                f"A ScaNN index has the settings {', '.join(names)}. "
                f"Received: {', '.join(unknown)}"
            )
        told = dict(settings)
        structure = told.pop("structure", "tree" if told.get("num_leaves") else None)
        if told.get("num_leaves"):
            told.setdefault("leaves_to_search", _searched(told["num_leaves"]))
        asked = dataclasses.replace(cls.for_size(num_images, dim, structure), **told)
        if num_images < MIN_QUANTIZED_IMAGES:
            return dataclasses.replace(
                asked, structure="brute_force", num_leaves=0, leaves_to_search=0
            )
        return dataclasses.replace(
            asked,
            num_leaves=min(asked.num_leaves, num_images),
            leaves_to_search=min(asked.leaves_to_search, num_images),
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns all settings, JSON-ready."""
        return dataclasses.asdict(self)


def _searched(num_leaves: int) -> int:
    return max(1, math.ceil(num_leaves * _SEARCHED_LEAVES_FRACTION))
