"""Which heads the protocol of the thesis compares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.methods_runs import Experiment
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.geo import MapFrame

_CONFIG = "configs/dense/inr_{}.yaml"
ENCODER = "configs/dense/cosplace.yaml"
_METRES_PER_DEGREE = 111_320.0  # of latitude
_MIDDLE_DEG = 45.0  # about that of the drawn city
_LABELS = {
    "l1": "{}, absolute errors",
    "15_45": "{}, 15 to 45 degrees",
    "raw": "{}, degrees of the map",
    "noise": "{}, positions with noise of 5 m",
}


@dataclass(frozen=True)
class Entry:
    """A head to train and measure.

    Attributes:
        label: For people.
        experiment: Its config.
        grid: M of a relative grid; None for the cells of its config.
    """

    label: str
    experiment: Experiment
    grid: int | None = None


def plan(
    overrides: Sequence[str], grids: Sequence[int], only: Sequence[str] = ()
) -> list[Entry]:
    """Returns all heads.

    A relative grid cuts the longer side of the map into M cells, whose sides are whole
    metres here, so that there are M cells or a few less; photos have 12 headings of 30
    degrees. Classes are those that have photos.

    Args:
        overrides: Of all configs.
        grids: Values of M.
        only: Names of runs; none for all.

    Raises:
        ConfigError: An override cannot be.
        DatasetError: There is no dataset to take the size of the map from.
        ValueError: A name is none of the runs'.
    """
    told = list(overrides)
    base = Experiment.load(_CONFIG.format("thesis"), told)
    positions = PreparedDataset(base.config.dataset.path).split("train").positions()
    extent_m = MapFrame.around(positions).extent_m
    entries = [
        Entry("cells and headings", base),
        *(_on_grid(base, grid, extent_m) for grid in grids),
    ]
    own_deg = extent_m / _METRES_PER_DEGREE / 2
    raw = f"[{_MIDDLE_DEG - own_deg},{_MIDDLE_DEG + own_deg}]"
    absolute = ["train.head.regression_loss=l1"]
    noise = ["train.head.position_noise_m=5.0"]
    for config, suffix, changes in (
        ("soft_labels", "", []),
        ("soft_labels", "noise", noise),
        ("direct_regression", "", []),
        ("direct_regression", "l1", absolute),
        ("direct_regression", "noise", noise),
        ("unit_regression", "", []),
        ("unit_regression", "l1", absolute),
        ("unit_regression", "noise", noise),
        ("hypersphere", "", []),
        ("hypersphere", "l1", absolute),
        ("hypersphere", "noise", noise),
        ("hypersphere", "15_45", ["train.head.angles_deg=[15.0,45.0]"]),
        ("hypersphere", "raw", [f"train.head.angles_deg={raw}"]),
    ):
        entries.append(_of_places(config, told, suffix, changes))
    names = [entry.experiment.config.name for entry in entries]
    unknown = sorted(set(only) - set(names))
    if unknown:
        raise ValueError(
            f"--only must name runs: {', '.join(names)}. Received: {', '.join(unknown)}"
        )
    return [e for e in entries if not only or e.experiment.config.name in only]


def _of_places(
    config: str, told: Sequence[str], suffix: str, changes: Sequence[str]
) -> Entry:
    base = Experiment.load(_CONFIG.format(config), told)
    label = config.replace("_", " ")
    if not suffix:
        return Entry(label, base)
    changed = [*told, f"name={base.config.name}_{suffix}", *changes]
    return Entry(_LABELS[suffix].format(label), Experiment.load(base.path, changed))


def _on_grid(base: Experiment, grid: int, extent_m: float) -> Entry:
    size_m = math.ceil(extent_m / grid)
    changes = [
        f"name={base.config.name}_grid{grid}",
        f"build.partition.name=grid{grid}_a30",
        f"build.partition.cell_size_m={size_m}",
        "build.partition.min_images_per_class=1",
    ]
    experiment = Experiment.load(base.path, [*base.overrides, *changes])
    label = f"cells and headings, M = {grid} ({size_m} m)"
    return Entry(label, experiment, grid)
