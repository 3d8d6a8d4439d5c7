"""Which S2 cells of one level are neighbours, over small gaps too.

Photographs lie along streets, some metres apart: a strict rule would tear the map to
pieces wherever a cell holds none.
"""

from __future__ import annotations

import numpy as np

from vpr_tf.geo.s2_cells import edge_neighbours

# Empty cells that each cell grows by: gaps of up to four are bridged.
_RINGS = 2


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
