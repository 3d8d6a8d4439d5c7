"""Five partitions of the same S2 cells by merging neighbours, each in another way.

Their borders differ, so an image's classes in all five together tell a much smaller
place than any of them.

Reference: Seo et al., CPlaNet: Enhancing Image Geolocalization by Combinatorial
Partitioning of Maps, ECCV 2018, arXiv:1808.02130.
"""

from __future__ import annotations

import bisect
import heapq
import itertools

import numpy as np

from data_prep.errors import DataPrepError
from data_prep.partition.assignment import ClassAssignment, ColumnReader
from data_prep.partition.s2_classes import (
    CellGroup,
    assign_cell_classes,
    read_positions,
)
from vpr_tf.config import CombinatorialConfig
from vpr_tf.geo.s2_cells import edge_neighbours, parent_cells

NUM_PARTITIONS = 5
# Empty cells that each cell grows by: photographs lie along streets, some metres apart,
# and a strict rule would tear the map to pieces wherever a cell holds none. Gaps of up
# to four are bridged.
_RINGS = 2


def assign_combinatorial_classes(
    read_columns: ColumnReader, config: CombinatorialConfig
) -> ClassAssignment:
    """Assigns every row to a class in each of five groups.

    Classes with too few images are dropped from their group alone.

    Args:
        read_columns: Yields `S2_COLUMNS` of all rows.
        config: Smallest number of images, level of the cells that are merged, number of
            classes of a group, seed.

    Raises:
        DataPrepError: There are no more cells than classes, or no class has enough
            images.
    """
    positions, leaves = read_positions(read_columns)
    base = parent_cells(leaves, config.s2_base_level)
    cells, num_images = np.unique(base, return_counts=True)
    if len(cells) <= config.num_classes:
        raise DataPrepError(
            f"Only {len(cells):,} S2 cells of level {config.s2_base_level} hold "
            "images, so there is nothing to merge to get "
            f"`build.partition.num_classes` ({config.num_classes:,}). Lower it or "
            "raise `build.partition.s2_base_level`."
        )
    pairs = neighbour_pairs(cells)
    groups = []
    for number in range(NUM_PARTITIONS):
        rng = np.random.default_rng([config.seed, number])
        merged = merge_neighbours(num_images, pairs, config.num_classes, rng)
        groups.append(CellGroup(cells, merged))
    minimum = config.min_images_per_class
    return assign_cell_classes(positions, leaves, groups, minimum)


def merge_neighbours(
    num_images: np.ndarray,
    pairs: np.ndarray,
    num_classes: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Merges cells until few are left.

    The one with the fewest images, up to a random factor between 0.5 and 1.5, joins a
    neighbour drawn with a probability inverse to the neighbour's images.

    Args:
        num_images: Images of each cell, all above 0.
        pairs: Neighbouring cells, `(num_pairs, 2)`.
        num_classes: Where to stop; pieces of the map that do not touch stay apart even
            if there are more.
        rng: The source of chance.

    Returns:
        The class of each cell, int64, numbered in the order of their first cells.
    """
    sizes = num_images.tolist()
    neighbours: list[set[int]] = [set() for _ in sizes]
    for one, other in pairs.tolist():
        neighbours[one].add(other)
        neighbours[other].add(one)
    joined = list(range(len(sizes)))  # the cell that each went to, itself if none
    urgency = (num_images * rng.uniform(0.5, 1.5, len(sizes))).tolist()
    queue = [(value, cell) for cell, value in enumerate(urgency)]
    heapq.heapify(queue)
    num_left = len(sizes)
    while num_left > num_classes and queue:
        value, cell = heapq.heappop(queue)
        if joined[cell] != cell or urgency[cell] != value or not neighbours[cell]:
            continue  # it was merged, has grown since, or stands alone
        target = _draw(sorted(neighbours[cell]), sizes, rng)
        for other in neighbours[cell]:
            neighbours[other].discard(cell)
            neighbours[other].add(target)
        neighbours[target] |= neighbours[cell]
        neighbours[target].discard(target)
        joined[cell] = target
        sizes[target] += sizes[cell]
        urgency[target] = sizes[target] * float(rng.uniform(0.5, 1.5))
        heapq.heappush(queue, (urgency[target], target))
        num_left -= 1
    return _numbered(joined)


def _draw(candidates: list[int], sizes: list[int], rng: np.random.Generator) -> int:
    weights = list(itertools.accumulate(1 / sizes[cell] for cell in candidates))
    drawn = bisect.bisect(weights, rng.random() * weights[-1])
    return candidates[min(drawn, len(candidates) - 1)]


def _numbered(joined: list[int]) -> np.ndarray:
    """Follows the cells to where they ended and numbers the ends by first cell."""
    ends = np.array(joined)
    while np.any(ends[ends] != ends):
        ends = ends[ends]
    _, first, inverse = np.unique(ends, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def neighbour_pairs(cells: np.ndarray, num_rings: int = _RINGS) -> np.ndarray:
    """Finds the pairs of cells that touch after each has grown into empty ground.

    Cells grow in turns, by the cells that share an edge with theirs; ground goes to the
    first of those that reach it in the same turn.

    Args:
        cells: Uint64 ids of one level, ascending.
        num_rings: How often they grow; 0 for cells that share an edge.

    Returns:
        Places in `cells`, int64 `(num_pairs, 2)`, the lower first, ascending.
    """
    ground, owners = cells, np.arange(len(cells))
    front, front_owners = ground, owners
    pairs = np.empty((0, 2), np.int64)
    for ring in range(num_rings + 1):
        around = edge_neighbours(front).ravel()
        reached_by = np.repeat(front_owners, 4)
        place = np.minimum(np.searchsorted(ground, around), len(ground) - 1)
        is_owned = ground[place] == around
        pairs = _united(pairs, reached_by[is_owned], owners[place[is_owned]])
        if ring == num_rings:
            break
        front, first, place = np.unique(
            around[~is_owned], return_index=True, return_inverse=True
        )
        front_owners = reached_by[~is_owned][first]
        pairs = _united(pairs, reached_by[~is_owned], front_owners[place])
        order = np.argsort(np.concatenate([ground, front]))
        ground = np.concatenate([ground, front])[order]
        owners = np.concatenate([owners, front_owners])[order]
    return pairs


def _united(pairs: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Adds pairs to sorted ones, each once and none of a cell with itself."""
    added = np.sort(np.stack([left, right], axis=1), axis=1)
    added = added[added[:, 0] != added[:, 1]]
    return np.unique(np.concatenate([pairs, added]), axis=0)
