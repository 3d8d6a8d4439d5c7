"""`vpr data datasets` and the configs of the datasets, end to end."""

import json
from pathlib import Path

import pytest

from data_prep.datasets import dataset_names, find_adapter
from data_prep.datasets.reference import datasets_markdown
from tests.command_line import vpr
from tests.data_prep.datasets import trees
from vpr_tf.config import load_config
from vpr_tf.data import PreparedDataset
from vpr_tf.evaluation.positives import positives_per_query
from vpr_tf.evaluation.protocols import check_protocol_sets

CONFIGS = Path(__file__).resolve().parents[3] / "configs" / "datasets"


@pytest.mark.parametrize("name", dataset_names())
def test_every_dataset_has_a_config_of_its_splits(name):
    config = load_config(CONFIGS / f"{name}.yaml")
    build = config.build
    check_protocol_sets(config.evaluation, build.tests)
    sets = [*build.tests.values(), *([build.val] if build.val else [])]
    tables = {one for entry in sets for one in (entry.database, entry.queries)}
    tables |= {build.train} if build.train else set()
    known = {f"{split}.csv" for split in find_adapter(name).description.counts}
    assert tables
    assert tables <= known


@pytest.mark.parametrize(
    ("name", "draw", "num_positives"),
    [
        ("pitts30k", trees.pittsburgh, [2]),
        ("msls", trees.msls, [4, 4]),
        ("amstertime", None, [1, 1]),
    ],
)
def test_a_dataset_is_prepared_and_built(tmp_path, capsys, name, draw, num_positives):
    raw, tables = tmp_path / "raw", tmp_path / "tables"
    if draw is None:
        trees.frames(raw, {"new": ["3.png", "4.png"], "old": ["3.jpg", "4.jpg"]})
    else:
        draw(raw)
    words = ["data", "datasets", "prepare", name, "--source", raw, "--output", tables]
    assert vpr(*words) == 1  # the drawn tree has not as many photos as are stated
    told = capsys.readouterr().out
    assert "the authors state" in told
    assert f"vpr data build --config configs/datasets/{name}.yaml" in told
    config = CONFIGS / f"{name}.yaml"
    overrides = [
        f"build.source={tables}",
        f"build.reading.folder={raw}",
        f"dataset.path={tmp_path / 'dataset'}",
        "build.workers=1",
        "build.partition.min_images_per_class=1",
    ]
    assert vpr("data", "build", "--config", config, *overrides) == 0
    dataset = PreparedDataset(tmp_path / "dataset")
    evaluated = next(iter(dataset.tests.values()))
    database, queries = (
        dataset.split(split) for split in (evaluated.database, evaluated.queries)
    )
    found = positives_per_query(queries.positions(), database.positions(), 25.0)
    assert [len(rows) for rows in found] == num_positives
    assert not database.keys[0].startswith(b"/")
    assert (raw / database.keys[0].decode()).is_file()


def test_prepare_as_json_says_what_is_wrong(tmp_path, capsys):
    trees.gsv_cities(tmp_path / "raw")
    (tmp_path / "raw" / trees.GSV_NAMES[2]).unlink()
    trees.write_photo(tmp_path / "raw" / "Images" / "Boston" / "more.jpg")
    words = ["data", "datasets", "prepare", "gsv_cities", "--source", tmp_path / "raw"]
    assert vpr(*words, "--output", tmp_path / "tables", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["checks"][0]["missing"] == [trees.GSV_NAMES[2]]
    assert found["extra"] == ["Images/Boston/more.jpg"]
    problems = (tmp_path / "tables" / "problems.csv").read_text().splitlines()
    assert problems == [
        "split,file,problem",
        f"train,{trees.GSV_NAMES[2]},missing",
        ",Images/Boston/more.jpg,in no list",
    ]


def test_list_and_show_state_what_is_known(capsys):
    assert vpr("data", "datasets", "list") == 0
    told = capsys.readouterr().out
    assert all(name in told for name in [*dataset_names(), "baidu: not supported"])
    assert vpr("data", "datasets", "show", "sped") == 0
    told = capsys.readouterr().out
    assert "unknown, ask the authors" in told
    assert "no public address is known" in told
    assert "test-queries: 607" in told
    assert vpr("data", "datasets", "show", "gsv_cities") == 0
    assert "build.partition.method: place_ids" in capsys.readouterr().out
    assert vpr("data", "datasets", "show", "no") == 2


def test_the_page_lists_all_datasets():
    page = (CONFIGS.parents[1] / "docs" / "datasets.md").read_text()
    command = "python -m data_prep.datasets.reference"
    assert datasets_markdown() in page, f"Take the table of {command}"
