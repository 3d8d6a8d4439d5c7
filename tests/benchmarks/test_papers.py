import dataclasses
import json
import os
from pathlib import Path

import pytest

from benchmarks.papers import main, paper_markdown, paper_rows
from benchmarks.papers_findings import find_findings
from benchmarks.papers_plan import PAPERS, loaded, published_of, route_of
from tests.vpr_tf.report.stored_runs import write_run
from vpr_tf.config import load_config, save_config

DC = "configs/divide_and_classify_sf_xl.yaml"
RELEASED = "cosplace_resnet18_512, CosPlace, arXiv:2204.02287"
LUCIA = {"encoder": RELEASED, "protocol": "st_lucia"}
SF_XL = {"protocol": "sf_xl_v1", "method": "classification", "search": "heads"}
RANKS = [1, 1, 2, 0]


def report_of_released(runs, **identity):
    return write_run(runs / "released" / "a", {("lucia", "test"): RANKS}, **identity)


def run_of(runs, config, encoder="best weights of {}/time"):
    folder = runs / config.name / "time"
    ranks = [1] * 600 + [0] * 400
    identity = SF_XL | {"encoder": encoder.format(config.name)}
    write_run(folder, {("sf_xl-1", "v1"): ranks}, **identity)
    save_config(config, folder / "config.yaml")


def row_of(runs, paper, method, protocol, at=None):
    findings, left_out = find_findings(runs)
    assert left_out == []
    return next(
        row
        for row in paper_rows(paper, findings)
        if (row.published.method, row.published.protocol) == (method, protocol)
        and at in (None, len(row.published.recalls))
    )


@pytest.mark.parametrize("paper", PAPERS)
def test_every_published_number_has_a_plan_whose_commands_can_be_run(paper):
    assert published_of(paper)
    for row in paper_rows(paper, []):
        assert (row.measured, row.elsewhere) == (None, [])
        assert row.state != "measured"
        assert bool(row.command) == bool(row.config)
        for path in row.route.stand_ins:
            shown = loaded(path).name if row.route.of_heads else path
            assert f" {shown}" in row.command_elsewhere
            loaded(path)
        if row.config:
            loaded(row.config, row.route.overrides)
            prepare, *_ = row.command.split(" && ")
            assert f"#   {prepare}\n" in Path(row.config).read_text() or (
                row.route.overrides
            )


def test_a_released_encoder_is_measured_on_the_protocol_of_the_paper(tmp_path):
    report_of_released(tmp_path, **LUCIA)
    row = row_of(tmp_path, "cosplace", "CosPlace ResNet18-512", "st_lucia")
    assert row.measured.recalls == {1: 50.0, 5: 75.0, 10: 75.0}
    assert (row.state, row.elsewhere) == ("measured", [])
    text = paper_markdown([row])
    assert "| 98.8 / 99.7 / 99.9 / 100.0 | 50.0 / 75.0 / 75.0 / - (native) |" in text
    assert "1. `vpr data datasets prepare st_lucia --source data/st_lucia" in text
    for dimension in ("ResNet50-512", "VGG16-512"):
        other = row_of(tmp_path, "cosplace", f"CosPlace {dimension}", "st_lucia")
        assert (other.measured, other.elsewhere) == (None, [])


def test_of_two_reports_on_the_same_data_the_newest_counts(tmp_path):
    old = report_of_released(tmp_path, **LUCIA)
    new = write_run(tmp_path / "released" / "b", {("lucia", "test"): [1, 1]}, **LUCIA)
    for age, folder in enumerate((new, old)):
        for path in folder.rglob("per_query.csv"):
            stamp = path.stat().st_mtime - 100 * age

            os.utime(path, (stamp, stamp))
    row = row_of(tmp_path, "cosplace", "CosPlace ResNet18-512", "st_lucia")
    assert row.measured.recalls[1] == 100.0


@pytest.mark.parametrize(
    "identity",
    [
        {"protocol": "standard"},
        {"protocol": "sf_xl_v1_small"},  # it has 1,000 queries
    ],
)
def test_other_data_are_named_and_never_the_papers(tmp_path, identity):
    report_of_released(tmp_path, encoder=RELEASED, **identity)
    row = row_of(tmp_path, "cosplace", "CosPlace ResNet18-512", "sf_xl_v1_small")
    assert (row.measured, row.state) == (None, "no config of this set")
    assert "R@1/5/10/20 50.0 / 75.0 / 75.0 / - (lucia/test, 4 queries)" in (
        paper_markdown([row])
    )


@pytest.mark.parametrize(
    "identity",
    [
        {"search": "approximate"},
        {"search": "exact, re-ranked"},
        {"engine": "openvino"},
        {"encoder": "cosplace_resnet18_5120, CosPlace"},
        {"method": "narrowed"},
    ],
)
def test_what_is_not_the_method_alone_is_not_shown(tmp_path, identity):
    report_of_released(tmp_path, **(LUCIA | identity))
    row = row_of(tmp_path, "cosplace", "CosPlace ResNet18-512", "st_lucia")
    assert (row.measured, row.elsewhere) == (None, [])


def test_a_run_is_measured_if_only_its_seed_is_another(tmp_path):
    run_of(tmp_path, load_config(DC, ["seed=3"]))
    row = row_of(tmp_path, "dc", "D&C", "sf_xl_v1", at=4)
    assert row.measured.recalls[1] == pytest.approx(60.0)
    other = row_of(tmp_path, "dc", "D&C, cross-entropy", "sf_xl_v1")
    assert (other.measured, other.elsewhere) == (None, [])


@pytest.mark.parametrize(
    "override", ["train.head.margin=0.3", "build.partition.cell_size_m=50"]
)
def test_a_run_of_other_settings_is_not_the_papers(tmp_path, override):
    run_of(tmp_path, load_config(DC, [override]))
    row = row_of(tmp_path, "dc", "D&C", "sf_xl_v1")
    assert (row.measured, row.elsewhere) == (None, [])


def test_a_report_of_another_model_in_the_folder_of_a_run_is_not_the_runs(tmp_path):
    run_of(tmp_path, load_config(DC), "EfficientNet_B0, best weights of other/time")
    assert row_of(tmp_path, "dc", "D&C", "sf_xl_v1").measured is None


def test_the_dense_city_stands_in_its_own_column_with_time_and_cells(tmp_path):
    paths = [f"configs/dense/{name}.yaml" for name in ("cosplace", "hge")]
    names = []
    for path in paths:
        config = load_config(path)
        names.append(f"runs/{config.name}/time")
        folder = tmp_path / config.name / "time"
        folder.mkdir(parents=True)
        save_config(config, folder / "config.yaml")
    line = {"recalls": {"1": 40.0}, "num_cells": None, "total_ms": 5.25}
    lines = [
        line | {"kind": "retrieval", "run": names[0]},
        line | {"kind": "narrowed", "run": ", ".join(names), "num_cells": 10},
        line | {"kind": "classification", "run": "runs/gone/time"},
    ]
    content = {"dataset": "datasets/dense", "dataset_fingerprint": "0123456789"}
    content |= {"set": "test", "num_queries": 500, "methods": lines}
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "results.json").write_text(json.dumps(content))
    row = row_of(tmp_path, "dc", "HGE + CosPlace, K = 10", "sf_xl_v1")
    assert row.measured is None
    assert "R@1 40.0 (dense-01234567/test, 500 queries)" in paper_markdown([row])
    for method in ("HGE + CosPlace, K = 100", "D&C + CosPlace, K = 10", "HGE"):
        assert row_of(tmp_path, "dc", method, "sf_xl_v1").elsewhere == []
    row = row_of(tmp_path, "dc", "CosPlace", "")
    assert "| 1514      |" in paper_markdown([row])
    assert "5.2 ms (dense-01234567/test, 500 queries)" in paper_markdown([row])


def test_indexes_pca_and_a_smaller_budget_are_told_apart(tmp_path):
    smaller = ["train.iterations_per_epoch=60"]
    names = {}
    for name in ("cosplace", "netvlad", "hge"):
        config = load_config(f"configs/dense/{name}.yaml", smaller)
        folder = tmp_path / config.name / "time"
        folder.mkdir(parents=True)
        save_config(config, folder / "config.yaml")
        names[name] = f"runs/{config.name}/time"
    line = {"num_cells": None, "total_ms": 5.0, "run": names["cosplace"]}
    pca = {"run": names["netvlad"], "pca_dim": 512}
    both = pca | {"run": f"{names['netvlad']}, {names['hge']}", "num_cells": 10}
    lines = [
        line | {"kind": "approximate", "index": "HNSW", "recalls": {"1": 41.0}},
        line | pca | {"kind": "retrieval", "recalls": {"1": 42.0}},
        line | both | {"kind": "narrowed", "recalls": {"1": 43.0}},
    ]
    content = {"dataset": "datasets/dense", "dataset_fingerprint": "0123456789"}
    content |= {"set": "test", "num_queries": 500, "methods": lines}
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "results.json").write_text(json.dumps(content))
    findings, _ = find_findings(tmp_path)
    found = {
        row.published.method: [one.recalls[1] for one in row.elsewhere]
        for row in paper_rows("dc", findings, smaller)
        if row.published.protocol == "sf_xl_v1" and row.elsewhere
    }
    assert found == {
        "CosPlace, HNSW": [41.0],
        "NetVLAD": [42.0],
        "NetVLAD + PCA, all cells": [42.0],
        "HGE + NetVLAD + PCA, K = 10": [43.0],
    }
    assert not any(row.elsewhere for row in paper_rows("dc", findings))
    [row] = [r for r in paper_rows("dc", [], smaller) if "HGE + N" in r.published.method
             and r.route.num_cells == 10]  # fmt: skip
    assert row.command_elsewhere.endswith(
        "--narrow-by dense_hge --pca dense_netvlad:512 train.iterations_per_epoch=60"
    )


def test_accuracy_of_heads_stands_beside_the_thesis_by_grid(tmp_path):
    path = "configs/dense/inr_thesis.yaml"
    on_grid = ["name=grid", "build.partition.cell_size_m=5"]
    lines = []
    for overrides, grid in (([], None), (on_grid, 100)):
        config = load_config(path, overrides)
        folder = tmp_path / config.name / "time"
        folder.mkdir(parents=True)
        save_config(config, folder / "config.yaml")
        line = {"run": f"runs/{config.name}/time", "split": "test-queries"}
        lines.append(line | {"num_photos": 500, "grid": grid, "accuracy": 17.25})
    content = {"dataset": "datasets/dense", "dataset_fingerprint": "0123456789"}
    (tmp_path / "thesis").mkdir()
    results = tmp_path / "thesis" / "results.json"
    results.write_text(json.dumps(content | {"heads": lines}))
    findings, left_out = find_findings(tmp_path)
    assert left_out == []
    rows = paper_rows("thesis", findings)
    found = {row.published.data: row for row in rows if row.elsewhere}
    assert set(found) == {
        *("6k train, 41 eval photos", "20k train, 96 eval photos"),
        *("93k train, 239 eval photos", "120k classes, M = 100"),
    }
    row = found["120k classes, M = 100"]
    assert "accuracy 17.2 (dense-01234567/test-queries, 500 photos)" in (
        paper_markdown([row])
    )
    assert row.command_elsewhere.endswith(
        "python -m benchmarks.thesis --train --only dense_inr_thesis_grid100"
    )


def test_an_override_that_cannot_be_is_refused(tmp_path, capsys):
    assert main(["--paper", "dc", "--runs", str(tmp_path), "train.epochs=x"]) == 2
    assert "train.epochs" in capsys.readouterr().err


def test_the_command_prints_tables_and_json(tmp_path, capsys):
    report_of_released(tmp_path, **LUCIA)
    assert main(["--paper", "cosplace", "--runs", str(tmp_path)]) == 0
    assert "| CosPlace VGG16-512" in capsys.readouterr().out
    assert main(["--paper", "cosplace", "--runs", str(tmp_path), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    (row,) = [row for row in rows if row["measured"]]
    assert row["published"]["recalls"]["1"] == 98.8
    assert row["measured"]["recalls"]["1"] == 50.0
    assert row["config"] == "configs/datasets/st_lucia.yaml"


def test_a_damaged_file_is_named_and_the_rest_is_shown(tmp_path, capsys):
    folder = report_of_released(tmp_path, **LUCIA)
    (path,) = folder.rglob("metrics.json")
    path.write_text("{")
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "results.json").write_text('{"methods": [3]}')
    assert main(["--paper", "thesis", "--runs", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert "direct regression" in out
    assert "Left out: Cannot read the report in" in err
    assert "methods/results.json: " in err


def test_a_folder_that_is_not_there_is_refused(tmp_path, capsys):
    assert main(["--paper", "dc", "--runs", str(tmp_path / "no")]) == 2
    assert "--runs must be a folder of runs. Received: " in capsys.readouterr().err


def test_another_folder_than_the_projects_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["--paper", "dc", "--runs", "."]) == 2
    assert "Run it in the folder of the project" in capsys.readouterr().err


def test_values_of_n_are_named_without_a_protocol_too():
    (row, *_) = [r for r in paper_rows("cosplace", []) if not r.published.protocol]
    assert "| MSLS, protocol not stated | R@1/5/10/20 |" in paper_markdown([row])


def test_a_method_without_a_plan_is_an_error():

    (one, *_) = published_of("thesis")
    with pytest.raises(KeyError, match="unknown"):
        route_of(dataclasses.replace(one, method="unknown"))


def test_a_city_of_ones_own_is_built_and_not_drawn():
    overrides = ("build.source=my_photos", "dataset.path=my_dataset")
    commands = {
        told: {
            row.command_elsewhere
            for row in paper_rows("dc", [], told)
            if row.command_elsewhere
        }
        for told in ((), overrides)
    }
    for told, found in commands.items():
        assert found
        for command in found:
            *before, benchmark = command.split(" && ")
            assert before[-1].startswith("vpr data build --config")
            assert before[-1].endswith(" ".join(told))
            assert benchmark.startswith("python -m benchmarks.methods --train")
            assert ("synthesize" in command) == (not told)
