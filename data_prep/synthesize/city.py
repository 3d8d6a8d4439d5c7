"""Street plan of a district: blocks, lots, walls, trees, lamps and streets.

Coordinates are metres, x east and y north, local to the district. A wall runs left
to right for someone who looks at it from outside.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace

import numpy as np

LOT_DEPTH_M = 9.0
NUM_PLAIN_TEXTURES = 24
TREE_KINDS = 6


@dataclass(frozen=True)
class Lot:
    """One building: its quadrangle, its size and the seed of its looks."""

    corners: np.ndarray  # (4, 2): front left, front right, back right, back left
    floors: int
    seed: int
    style_seed: int
    is_corner: bool
    is_gap: bool


@dataclass(frozen=True)
class Street:
    """One straight piece of street between two crossings."""

    start: np.ndarray
    end: np.ndarray
    half_width_m: float  # from the centre line to the walls
    half_road_m: float  # from the centre line to the kerb
    line_id: int

    @property
    def length_m(self) -> float:
        """Length between the two crossings."""
        return float(np.hypot(*(self.end - self.start)))

    @property
    def direction(self) -> np.ndarray:
        """Unit vector from start to end."""
        return (self.end - self.start) / self.length_m

    @property
    def right(self) -> np.ndarray:
        """Unit vector to the right of the direction."""
        along = self.direction
        return np.array([along[1], -along[0]])


@dataclass
class StreetPlan:
    """A district before anything is drawn."""

    size_m: float
    blocks: list[np.ndarray] = field(default_factory=list)  # wall lines, (4, 2)
    pavements: list[np.ndarray] = field(default_factory=list)  # kerbs, (4, 2)
    parks: list[np.ndarray] = field(default_factory=list)
    lots: list[Lot] = field(default_factory=list)
    streets: list[Street] = field(default_factory=list)
    trees: list[tuple[float, float, float, int]] = field(default_factory=list)
    lamps: list[tuple[float, float]] = field(default_factory=list)


def plan_streets(rng: np.random.Generator, blocks: int) -> StreetPlan:
    """Lays out a slightly irregular grid of `blocks` x `blocks` blocks.

    Args:
        rng: Source of every choice; the same state gives the same district.
        blocks: Blocks along one side, 1 or more; a ring of houses closes the district.
    """
    lines = blocks + 1
    nodes = _grid_nodes(rng, lines)
    half_widths = rng.uniform(7.0, 10.0, (2, lines))
    half_roads = half_widths - rng.uniform(2.6, 3.6, (2, lines))
    plan = StreetPlan(size_m=float(nodes.max() + 40.0))
    _add_streets(plan, nodes, half_widths, half_roads)
    for i in range(blocks):
        for j in range(blocks):
            corners = np.array(
                [nodes[i, j], nodes[i + 1, j], nodes[i + 1, j + 1], nodes[i, j + 1]]
            )
            sides = [(1, j), (0, i + 1), (1, j + 1), (0, i)]
            wall_offsets = [half_widths[side] for side in sides]
            kerb_offsets = [half_roads[side] for side in sides]
            plan.pavements.append(_inset(corners, kerb_offsets))
            _add_block(plan, rng, _inset(corners, wall_offsets))
    _add_ring(plan, rng, nodes, half_widths)
    return plan


def share_styles(
    lots: list[Lot], rng: np.random.Generator, num_styles: int
) -> list[Lot]:
    """Gives every lot one of `num_styles` styles; signs and murals stay its own."""
    styles = rng.integers(2**31, size=num_styles)
    choices = rng.integers(num_styles, size=len(lots))
    return [
        replace(lot, style_seed=int(styles[choice]))
        for lot, choice in zip(lots, choices, strict=True)
    ]


def _grid_nodes(rng: np.random.Generator, lines: int) -> np.ndarray:
    steps = rng.uniform(66.0, 92.0, (2, lines))
    steps[:, 0] = 40.0
    axes = np.cumsum(steps, axis=1)
    nodes = np.stack(np.meshgrid(axes[0], axes[1], indexing="ij"), axis=-1)
    return nodes + rng.uniform(-5.0, 5.0, nodes.shape)


def _add_streets(
    plan: StreetPlan,
    nodes: np.ndarray,
    half_widths: np.ndarray,
    half_roads: np.ndarray,
) -> None:
    lines = nodes.shape[0]
    for axis in (0, 1):
        for line in range(lines):
            along = nodes[line] if axis == 0 else nodes[:, line]
            for start, end in itertools.pairwise(along):
                plan.streets.append(
                    Street(
                        start=start,
                        end=end,
                        half_width_m=float(half_widths[axis, line]),
                        half_road_m=float(half_roads[axis, line]),
                        line_id=axis * lines + line,
                    )
                )


def _add_ring(
    plan: StreetPlan,
    rng: np.random.Generator,
    nodes: np.ndarray,
    half_widths: np.ndarray,
) -> None:
    """Adds houses around the district that look inwards, so no street ends in air."""
    west, east, south, north = (
        half_widths[0, 0],
        half_widths[0, -1],
        half_widths[1, 0],
        half_widths[1, -1],
    )
    moves = np.zeros_like(nodes)
    moves[0, :, 0], moves[-1, :, 0] = -west, east
    moves[:, 0, 1], moves[:, -1, 1] = -south, north
    moved = nodes + moves
    # Clockwise, so that the outer side of the houses is the inside of the ring.
    ring = [*moved[0, :-1], *moved[:-1, -1], *moved[-1, :0:-1], *moved[:0:-1, 0]]
    for k, start in enumerate(ring):
        end = ring[(k + 1) % len(ring)]
        _add_lots(plan, rng, start, end, None, int(rng.integers(2, 6)))
        _add_pavement_furniture(plan, rng, start, end)


def _inset(corners: np.ndarray, offsets: list[float]) -> np.ndarray:
    """Moves each edge of a counter-clockwise polygon inwards by its own offset."""
    count = len(corners)
    edges = np.roll(corners, -1, axis=0) - corners
    directions = edges / np.linalg.norm(edges, axis=1, keepdims=True)
    normals = np.stack([-directions[:, 1], directions[:, 0]], axis=1)
    origins = corners + normals * np.asarray(offsets)[:, None]
    moved = np.empty_like(corners)
    for k in range(count):
        p, d, q, e = origins[k - 1], directions[k - 1], origins[k], directions[k]
        across = d[0] * e[1] - d[1] * e[0]
        step = ((q[0] - p[0]) * e[1] - (q[1] - p[1]) * e[0]) / across
        moved[k] = p + d * step
    return moved


def _add_block(plan: StreetPlan, rng: np.random.Generator, corners: np.ndarray) -> None:
    plan.blocks.append(corners)
    if rng.random() < 0.06:
        plan.parks.append(corners)
        _plant_park(plan, rng, corners)
        return
    base_floors = rng.integers(2, 6)
    for k in range(4):
        start, end = corners[k], corners[(k + 1) % 4]
        _add_lots(plan, rng, start, end, corners[k - 1], int(base_floors))
        _add_pavement_furniture(plan, rng, start, end)


def _plant_park(
    plan: StreetPlan, rng: np.random.Generator, corners: np.ndarray
) -> None:
    for _ in range(24):
        u, v = rng.uniform(0.06, 0.94, 2)
        low = corners[0] + (corners[1] - corners[0]) * u
        high = corners[3] + (corners[2] - corners[3]) * u
        x, y = low + (high - low) * v
        plan.trees.append(
            (float(x), float(y), rng.uniform(6, 12), int(rng.integers(TREE_KINDS)))
        )


def _add_lots(
    plan: StreetPlan,
    rng: np.random.Generator,
    start: np.ndarray,
    end: np.ndarray,
    previous: np.ndarray | None,
    base_floors: int,
) -> None:
    """Fills one side of a block; its first lot turns the corner to `previous`."""
    edge = end - start
    length = float(np.hypot(*edge))
    along = edge / length
    inwards = np.array([-along[1], along[0]])
    usable = length if previous is None else length - LOT_DEPTH_M
    widths = rng.uniform(8.0, 18.0, 24)
    count = int(np.searchsorted(np.cumsum(widths), usable)) + 1
    widths = widths[:count] * usable / widths[:count].sum()
    offsets = np.concatenate([[0.0], np.cumsum(widths)])
    back_first = inwards * LOT_DEPTH_M
    if previous is not None:
        back_first = (previous - start) / np.hypot(*(previous - start)) * LOT_DEPTH_M
    for k in range(count):
        left = start + along * offsets[k]
        right = start + along * offsets[k + 1]
        back_left = left + (back_first if k == 0 else inwards * LOT_DEPTH_M)
        back_right = right + inwards * LOT_DEPTH_M
        plan.lots.append(
            Lot(
                corners=np.array([left, right, back_right, back_left]),
                floors=int(np.clip(base_floors + rng.integers(-2, 3), 1, 7)),
                seed=int(rng.integers(2**31)),
                style_seed=int(rng.integers(2**31)),
                is_corner=k == 0 and previous is not None,
                is_gap=k > 0 and bool(rng.random() < 0.07),
            )
        )


def _add_pavement_furniture(
    plan: StreetPlan, rng: np.random.Generator, start: np.ndarray, end: np.ndarray
) -> None:
    """Trees and lamps stand 2 m in front of the walls."""
    edge = end - start
    length = float(np.hypot(*edge))
    along = edge / length
    outwards = np.array([along[1], -along[0]])
    has_trees = rng.random() < 0.4
    spacing = rng.uniform(9.0, 20.0)
    kind = int(rng.integers(TREE_KINDS))
    for offset in np.arange(spacing * rng.random(), length, spacing):
        x, y = start + along * offset + outwards * 2.1
        if has_trees and rng.random() < 0.75:
            plan.trees.append((float(x), float(y), rng.uniform(4.0, 7.5), kind))
    for offset in np.arange(8.0, length, 26.0):
        x, y = start + along * offset + outwards * 2.3
        plan.lamps.append((float(x), float(y)))
