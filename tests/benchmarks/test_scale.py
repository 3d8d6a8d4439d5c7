"""All steps of the benchmark of scale at the size of a few panoramas."""

import numpy as np
import pytest

from benchmarks import scale
from benchmarks.scale_dataset import FEW, MANY, TRAIN, SimulatedDataset, Size
from benchmarks.scale_steps import STEPS
from benchmarks.sf_xl_rows import draw_panoramas, photo_names, photo_rows
from vpr_tf.data import PreparedDataset
from vpr_tf.evaluation.positives import positives_per_query
from vpr_tf.photos.sf_xl_names import parse_image_name

ROWS, QUERIES = 9_001, (24, 60)  # the last panorama is cut


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scale")
    dataset = SimulatedDataset(folder, Size(ROWS, QUERIES, seed=3))
    return dataset, {step: scale.measure(step, dataset) for step in STEPS}


def test_names_say_what_the_rows_say_and_are_sorted():
    panoramas = draw_panoramas(600, seed=1)
    rows, names = photo_rows(panoramas), photo_names(panoramas)
    assert names == sorted(names)
    assert len(set(names)) == 600
    for row, name in zip(rows[:24], names[:24], strict=True):
        parsed = parse_image_name(name.decode())
        assert parsed.utm_east_cm == row["utm_east_cm"]
        assert parsed.utm_north_cm == row["utm_north_cm"]
        assert parsed.heading_deg == row["heading_deg"]
        assert parsed.timestamp.encode() == row["timestamp"]
        assert abs(parsed.latitude_e7 - row["latitude_e7"]) <= 50


def test_rows_depend_on_the_seed_alone():
    assert (draw_panoramas(120, 5) == draw_panoramas(120, 5)).all()
    assert (draw_panoramas(120, 5) != draw_panoramas(120, 6)).any()


def test_the_dataset_is_one_that_the_library_opens(measured):
    dataset, _ = measured
    opened = PreparedDataset(dataset.path)
    assert {name: len(opened.split(name)) for name in opened.split_names} == {
        TRAIN: ROWS,
        FEW: QUERIES[0],
        MANY: QUERIES[1],
    }
    panoramas = np.fromfile(dataset.panoramas(TRAIN), draw_panoramas(12, 0).dtype)
    assert opened.split(TRAIN).keys.tolist() == photo_names(panoramas)[:ROWS]
    table = opened.split(TRAIN).photo_table()
    rows = photo_rows(panoramas)[:ROWS]
    assert (table.positions.utm_east_cm == rows["utm_east_cm"]).all()
    assert (table.heading_deg == rows["heading_deg"]).all()


def test_partitions_are_of_the_drawn_rows(measured):
    dataset, _ = measured
    opened = PreparedDataset(dataset.path)
    split = opened.split(TRAIN)
    cells = np.stack([split.column("utm_east_cm"), split.column("utm_north_cm")])
    _, counts = np.unique(cells // 2000, axis=1, return_counts=True)
    classes = opened.partition("divide_and_classify").classes
    assert sorted(classes["num_images"]) == sorted(counts[counts >= 10])


def test_judging_counts_every_positive(measured):
    dataset, found = measured
    opened = PreparedDataset(dataset.path)
    positions = [opened.split(name).positions() for name in (MANY, TRAIN)]
    apart = positions[0].utm_cm[:, None] - positions[1].utm_cm[None]
    counts = (np.hypot(*np.moveaxis(apart, -1, 0)) <= 2500).sum(axis=1)
    assert [len(rows) for rows in positives_per_query(*positions, 25)] == [*counts]
    assert f"{counts.mean():,.0f} positives" in found["judge_many"]["found"]


def test_every_step_says_time_and_memory(measured):
    _, found = measured
    assert "first batch (32, 224, 224, 3)" in found["sampler_cosplace"]["found"]
    for step, result in found.items():
        assert result["clock_s"] >= 0, step
        assert result["peak_mib"] > 10, step


def test_the_table_compares_the_cost_of_a_row():
    def result(cpu_s):
        return {"clock_s": 1.0, "cpu_s": cpu_s, "own_mib": 1024.0} | {
            "peak_mib": 2048.0,
            "found": "",
        }

    lines = scale.table({10: {"a": result(1.0)}, 100: {"a": result(20.0)}})
    assert lines[2] == (
        "| a | 1.0 s, CPU 1.0 s, 1.00 (2.00) GiB | "
        "1.0 s, CPU 20.0 s, 1.00 (2.00) GiB | 2.00 |"
    )
    failed = scale.table({10: {"a": result(1.0)}, 100: {"a": {"failed": -9}}})
    assert failed[2].endswith("| failed (-9) |  |")


def test_the_command_goes_on_where_it_was(tmp_path, capsys):
    command = ["--rows", "24", "--queries", "2", "3", "--work", str(tmp_path)]
    scale.main([*command, "--steps", "draw"])
    first = (tmp_path / "24" / "draw.json").read_text()
    scale.main([*command, "--steps", "draw", "list"])
    assert (tmp_path / "24" / "draw.json").read_text() == first
    assert "| list | " in capsys.readouterr().out
