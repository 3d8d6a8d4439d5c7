from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.thesis_measure import Line, class_accuracy, thesis_table
from benchmarks.thesis_plan import plan
from tests.vpr_tf.evaluation.tiny_dataset import Shot, write_dataset
from vpr_tf.geo import Positions


def street(folder):
    """A train split whose map is 320 m wide."""
    shots = [Shot((200, 0, 0), 0), Shot((0, 200, 0), 320)]
    write_dataset(folder, {"train": shots})


def test_plan_has_relative_grids_and_variants_of_the_regressions(tmp_path):
    street(tmp_path / "city")
    entries = plan([f"dataset.path={tmp_path}/city", "seed=3"], [100, 32])
    configs = {entry.experiment.config.name: entry for entry in entries}
    assert len(configs) == len(entries) == 16
    by_grid = {e.grid: e.experiment.config.build.partition for e in entries if e.grid}
    assert {grid: p.cell_size_m for grid, p in by_grid.items()} == {100: 4, 32: 10}
    assert all(p.heading_bin_deg == 30 for p in by_grid.values())
    assert all(entry.experiment.config.seed == 3 for entry in entries)
    head = configs["dense_inr_hypersphere_raw"].experiment.config.train.head
    low, high = head.angles_deg
    assert (high - low) * 111_320 == pytest.approx(320)
    head = configs["dense_inr_direct_regression_l1"].experiment.config.train.head
    assert head.regression_loss == "l1"
    head = configs["dense_inr_unit_regression_l1"].experiment.config.train.head
    assert (head.name, head.regression_loss) == ("unit_regression", "l1")
    noisy = [e for e in entries if e.experiment.config.train.position_noise_m]
    assert [entry.label.split(",")[0] for entry in noisy] == [
        *("soft labels", "direct regression", "unit regression", "hypersphere"),
    ]
    only = plan([f"dataset.path={tmp_path}/city"], [], ["dense_inr_thesis"])
    assert [entry.label for entry in only] == ["cells and headings"]


def test_an_unknown_run_is_refused(tmp_path):
    street(tmp_path / "city")
    with pytest.raises(ValueError, match="--only must name runs: dense_inr_thesis, "):
        plan([f"dataset.path={tmp_path}/city"], [], ["x"])


def test_accuracy_is_of_cell_and_bearing():
    fields = ["utm_zone", "cell_east_m", "cell_north_m", "heading_bin_deg", "group_id"]
    classes = np.zeros(2, [(name, np.int64) for name in fields])
    classes["utm_zone"], classes["cell_east_m"] = 10, [500_000, 500_020]
    classes["cell_north_m"], classes["heading_bin_deg"] = 4_000_000, 30
    partition = SimpleNamespace(
        classes=classes,
        num_groups=1,
        groups_per_step=1,
        regions=None,
        has_ground=True,
        has_headings=True,
        parameters={"cell_size_m": 20, "heading_bin_deg": 30},
    )
    east_m = np.array([500_001, 500_001, 500_021, 500_041])
    true = Positions.from_utm(east_m, np.full(4, 4_000_001), np.full(4, 10))
    true_deg = np.array([31.0, 31, 59, 31])
    found_deg = np.array([59.0, 61, 31, 31])
    # Right; another bearing; right; right, but in no class.
    accuracy = class_accuracy(partition, (true, true_deg), (true, found_deg))
    assert accuracy == 50
    moved = true.take(np.array([2, 1, 0, 3]))
    assert class_accuracy(partition, (true, true_deg), (moved, true_deg)) == 25


def test_table_has_a_line_for_each_split():
    line = Line("soft labels", "train", "r", 1234, 20, 91.5, 99.0, 7.6, 3.2, 1.5, None)
    text = thesis_table([line])
    cells = [cell.strip() for cell in text.split("\n")[-1].split("|")[1:-1]]
    assert cells == [
        *("soft labels", "train", "1,234", "20", "91.5", "99.0", "8", "3", "1.50"),
    ]
