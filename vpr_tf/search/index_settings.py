"""Settings of ScaNN and Milvus, completed by what suits the size of the database."""

from __future__ import annotations

import dataclasses
import math
import reprlib
from dataclasses import dataclass, field
from typing import Any

from vpr_tf.milvus_address import check_address
from vpr_tf.search.index_choice import (
    MIN_QUANTIZED_IMAGES,
    milvus_index_type,
    scann_structure,
)
from vpr_tf.search.milvus_files import check_params
from vpr_tf.stored_values import from_stored

STRUCTURES = ("brute_force", "quantized", "tree")
REORDERS = ("float32", "bfloat16", "int8", "memory_mapped")
INDEX_TYPES = ("FLAT", "HNSW", "IVF_FLAT", "IVF_PQ", "DISKANN", "AUTOINDEX")

# Sizes as ScaNN's documentation advises.
_LEAVES_PER_SQRT = 2
_SEARCHED_LEAVES_FRACTION = 0.11
# With SOAR what lies at the border of a leaf is found in a second one, so that fewer
# suffice: 31 of 632 leaves for 100,000 descriptors, 62 of 2,000 for a million. Of
# leaves beyond these it spares none: 2.8 million need 233 of 3,346 to be found as well.
_SOAR_LAMBDA = 1.5
_LARGEST_SOAR_LAMBDA = 100.0
_SEARCHED_OF_SOAR, _SOAR_EXPONENT = 0.65, 0.6
_LEAVES_OF_A_MILLION = 2_000
_REORDERED_NEIGHBORS = 150
# Longer codes are read more slowly than their precision is worth.
_CODE_BLOCKS = 128

_HNSW_PARAMS = {"M": 16, "efConstruction": 200}
_HNSW_EF = 128
_DISKANN_LIST = 100
_LARGEST_NUMBER = 2**31
_IVF_LISTS_PER_SQRT = 4
_IVF_SEARCHED_FRACTION = 1 / 16


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
        soar_lambda: Weight by which each descriptor is stored in a second leaf as well
            (SOAR), one whose error is independent of the first one's; 0 for one leaf.
            Only of `tree`, and 0 where descriptors are not of length 1.
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
    soar_lambda: float = 0.0
    dimensions_per_block: int = 2
    anisotropic_threshold: float = 0.0
    reordered_neighbors: int = _REORDERED_NEIGHBORS
    reorder: str = "int8"
    training_sample: int = 200_000
    training_iterations: int = 8

    def __post_init__(self) -> None:
        _check_choice("structure", self.structure, STRUCTURES)
        _check_choice("reorder", self.reorder, REORDERS)
        has_tree = self.structure == "tree"
        _check_at_least("dimensions_per_block", self.dimensions_per_block, 1)
        _check_at_least("reordered_neighbors", self.reordered_neighbors, 1)
        _check_at_least("training_iterations", self.training_iterations, 1)
        _check_at_least("training_sample", self.training_sample, MIN_QUANTIZED_IMAGES)
        _check_at_least("num_leaves", self.num_leaves, int(has_tree))
        _check_at_least("leaves_to_search", self.leaves_to_search, int(has_tree))
        of_tree = (self.num_leaves, self.leaves_to_search, self.soar_lambda)
        if not has_tree and any(of_tree):
            raise ValueError(
                "`num_leaves`, `leaves_to_search` and `soar_lambda` are of the "
                f"structure `tree`. Received: {', '.join(map(str, of_tree))} and the "
                f"structure {self.structure!r}"
            )
        if self.leaves_to_search > self.num_leaves:
            raise ValueError(
                f"`leaves_to_search` must be at most num_leaves={self.num_leaves}. "
                f"Received: {self.leaves_to_search}"
            )
        _check_below("anisotropic_threshold", self.anisotropic_threshold, 1)
        _check_below("soar_lambda", self.soar_lambda, _LARGEST_SOAR_LAMBDA)

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
        structure = structure or scann_structure(num_images)
        if structure != "tree":
            return cls(structure)
        num_leaves = max(1, _LEAVES_PER_SQRT * math.isqrt(num_images))
        dims_per_block = max(2, (dim or 0) // _CODE_BLOCKS)
        searched = _searched(num_leaves, _SOAR_LAMBDA)
        return cls(structure, num_leaves, searched, _SOAR_LAMBDA, dims_per_block)

    @classmethod
    def from_dict(
        cls, settings: dict[str, Any], num_images: int, dim: int | None = None
    ) -> ScannSettings:
        """Completes settings by what suits the size of the database.

        Too few images for codes are searched by brute force, whatever is set, and
        there are never more leaves than images.

        Raises:
            ValueError: An unknown name, or a value that cannot be.
        """
        _check_names("A ScaNN index", cls, settings)
        given = dict(settings)
        if set(given) >= _SETTINGS_BEFORE_SOAR:
            given.setdefault("soar_lambda", 0.0)
        structure = given.pop("structure", "tree" if given.get("num_leaves") else None)
        whole = cls.for_size(num_images, dim, structure)
        if whole.structure == "tree":
            for name in ("num_leaves", "soar_lambda"):
                given.setdefault(name, getattr(whole, name))
            _check_at_least("num_leaves", given["num_leaves"], 1)
            searched = _searched(given["num_leaves"], given["soar_lambda"])
            given.setdefault("leaves_to_search", searched)
        whole = dataclasses.replace(whole, **given)
        if num_images < MIN_QUANTIZED_IMAGES:
            return dataclasses.replace(
                whole,
                structure="brute_force",
                num_leaves=0,
                leaves_to_search=0,
                soar_lambda=0.0,
            )
        return dataclasses.replace(
            whole,
            num_leaves=min(whole.num_leaves, num_images),
            leaves_to_search=min(whole.leaves_to_search, num_images),
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns all settings, JSON-ready."""
        return dataclasses.asdict(self)


# What an index that was built before SOAR was known says of itself.
_SETTINGS_BEFORE_SOAR = {
    field.name
    for field in dataclasses.fields(ScannSettings)
    if field.name != "soar_lambda"
}


@dataclass(frozen=True)
class MilvusSettings:
    """How descriptors are stored and searched in Milvus.

    Attributes:
        uri: Address of a cluster, e.g. `http://host:19530`; None embeds Milvus in this
            process. Address and token that are used are those of the environment, see
            `vpr_tf.milvus_address`.
        collection: Start of the collection's name on a cluster; the fingerprint of the
            descriptors and settings follows.
        index_type: One of `INDEX_TYPES`; only FLAT is exact. What an older or a small
            server lacks it refuses.
        params: Of building: HNSW `M`, `efConstruction`; IVF_FLAT `nlist`; IVF_PQ also
            `m`, the parts of a descriptor that have a code of `nbits` bits each.
        search_params: Of searching: HNSW `ef`; IVF_FLAT and IVF_PQ `nprobe`; DISKANN
            `search_list`.
        metric: L2; there is no other.
        batch: Rows a request of building.
    """

    uri: str | None = None
    collection: str = "vpr_tf"
    index_type: str = "HNSW"
    params: dict[str, int] = field(default_factory=dict)
    search_params: dict[str, int] = field(default_factory=dict)
    metric: str = "L2"
    batch: int = 2000

    def __post_init__(self) -> None:
        _check_choice("index_type", self.index_type, INDEX_TYPES)
        _check_choice("metric", self.metric, ("L2",))
        _check_at_least("batch", self.batch, 1)
        if not self.collection.isidentifier() or not self.collection.isascii():
            raise ValueError(
                "`collection` must be ASCII letters, digits and underscores. "
                f"Received: {self.collection!r}"
            )
        check_params("params", self.params)
        check_params("search_params", self.search_params)
        if self.uri is not None:
            check_address(self.uri)

    @classmethod
    def from_dict(
        cls, settings: dict[str, Any], num_images: int, dim: int
    ) -> MilvusSettings:
        """Completes settings by what suits the size of the database.

        Raises:
            ValueError: An unknown name, or a value that cannot be.
        """
        _check_names("A Milvus index", cls, settings)
        given = {"index_type": milvus_index_type(num_images), **settings}
        whole = from_stored(cls, given)
        params: dict[str, int] = {}
        search_params: dict[str, int] = {}
        if whole.index_type == "HNSW":
            params, search_params = _HNSW_PARAMS, {"ef": _HNSW_EF}
        elif whole.index_type == "DISKANN":
            search_params = {"search_list": _DISKANN_LIST}
        elif whole.index_type in ("IVF_FLAT", "IVF_PQ"):
            lists = min(int(_IVF_LISTS_PER_SQRT * num_images**0.5), num_images // 40)
            lists = max(1, lists)
            searched = max(1, int(lists * _IVF_SEARCHED_FRACTION))
            params, search_params = {"nlist": lists}, {"nprobe": searched}
        if whole.index_type == "IVF_PQ":
            params |= {"m": _code_parts(dim), "nbits": 8}
        return dataclasses.replace(
            whole,
            params={**params, **whole.params},
            search_params={**search_params, **whole.search_params},
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns all settings, JSON-ready."""
        return dataclasses.asdict(self)


def _code_parts(dim: int) -> int:
    """Returns how many parts of equal length have a code: of 4 values at the best."""
    return dim // next(length for length in (4, 2, 1) if dim % length == 0)


def _searched(num_leaves: int, soar_lambda: float) -> int:
    if not soar_lambda:
        return max(1, math.ceil(num_leaves * _SEARCHED_LEAVES_FRACTION))
    beyond = _SEARCHED_LEAVES_FRACTION * max(0, num_leaves - _LEAVES_OF_A_MILLION)
    searched = _SEARCHED_OF_SOAR * num_leaves**_SOAR_EXPONENT + beyond
    return min(num_leaves, math.ceil(searched))


def _check_names(what: str, cls: type, settings: dict[str, Any]) -> None:
    names = [setting.name for setting in dataclasses.fields(cls)]
    unknown = sorted(set(settings) - set(names))
    if unknown:
        raise ValueError(
            f"{what} has the settings {', '.join(names)}. "
            f"Received: {', '.join(unknown)}"
        )


def _check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(
            f"`{name}` must be one of {', '.join(known)}. Received: {value!r}"
        )


def _check_at_least(name: str, value: int, least: int) -> None:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or not least <= value < _LARGEST_NUMBER:
        raise ValueError(
            f"`{name}` must be a whole number of {least} or more. "
            f"Received: {reprlib.repr(value)}"
        )


def _check_below(name: str, value: float, end: float) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value < end:
        raise ValueError(
            f"`{name}` must lie in [0, {end:g}). Received: {reprlib.repr(value)}"
        )
