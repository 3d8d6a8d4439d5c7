"""Names that would lead out of their folder end every command before it writes."""

import json
import shutil

import pytest
import yaml

from tests.command_line import vpr
from tests.small_training import CONFIG
from vpr_tf.data.dataset_manifest import DatasetError
from vpr_tf.data.prepared_dataset import PreparedDataset

BAD = {
    "parent": "..",
    "this": ".",
    "nothing": "",
    "path": "a/b",
    "absolute": "/x",
    "home": "~",
    "home of root": "~root",
    "NUL": "a\0b",
    "line break": "a\nb",
    "escape": "a\x1b[2J",
    "option": "-x",
    "windows": "a\\b",
    "hidden": ".build",
    "space": "a ",
    "dot": "a.",
    "long": "n" * 300,
    "very long": "n" * 100_000,
    "bytes": "\N{GRINNING FACE}" * 60,
}
FIELDS = (
    *("name", "build.partition.name", "dataset.partition", "encoder.weights"),
    "build.tests",
)
COMMANDS = (
    *("data build", "data partition", "data add-test", "data inspect", "train"),
    "data preview",
    *("train --resume", "evaluate", "export", "whiten", "adapt"),
)
REST = {
    "data add-test": ["new=test/database,test/queries"],
    "whiten": ["--dim", "2", "--output", "w.keras"],
    "adapt": ["--split", "train", "--output", "a.keras"],
}


@pytest.fixture(scope="module")
def city(small_training_dataset, tmp_path_factory):
    """A folder with a dataset, its photos and its config."""
    folder = tmp_path_factory.mktemp("names")
    shutil.copytree(small_training_dataset.path.parent, folder / "city")
    return folder / "city"


def tree(folder):
    return {
        path: path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def write_bad_config(folder, field, value):
    values = yaml.safe_load(CONFIG.format(folder=folder, dataset=folder / "dataset"))
    section = values
    *sections, last = field.split(".")
    for name in sections:
        section = section.setdefault(name, {})
    if field == "build.tests":
        value = {value: {"database": "test/database", "queries": "test/queries"}}
    elif field == "encoder.weights":
        value = f"run:{value}"
    section[last] = value
    path = folder.parent / "bad.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def check_refused(city, capsys, *words, message=""):
    before = tree(city)
    capsys.readouterr()
    assert vpr(*words) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1, error
    assert len(error) < 1000
    assert message in error
    assert tree(city) == before


@pytest.mark.parametrize("name", BAD.values(), ids=BAD)
@pytest.mark.parametrize("field", FIELDS)
def test_names_in_configs(field, name, city, capsys):
    config = write_bad_config(city, field, name)
    for command in COMMANDS:
        words = [*command.split(), "--config", config, *REST.get(command, [])]
        check_refused(city, capsys, *words, message=f"`{field}")


@pytest.mark.parametrize("name", BAD.values(), ids=BAD)
def test_names_in_command_lines(name, city, capsys):
    config = city / "small.yaml"
    words = ["data", "add-test", "--config", config]
    check_refused(city, capsys, *words, f"{name}=test/database,test/queries")
    check_refused(city, capsys, "export", "--config", config, f"--name={name}")


@pytest.mark.parametrize("name", ["a b", "ä", "_a"])
def test_names_of_splits_are_narrower(name, city, capsys):
    words = ["data", "add-test", "--config", city / "small.yaml"]
    check_refused(city, capsys, *words, f"{name}=test/database,test/queries")


@pytest.mark.parametrize("name", BAD.values(), ids=BAD)
@pytest.mark.parametrize("part", ["tests", "splits", "dataset_fingerprint"])
def test_names_in_the_manifest_of_a_dataset(part, name, city, tmp_path):
    manifest = json.loads((city / "dataset" / "manifest.json").read_text())
    if part == "dataset_fingerprint":
        manifest[part] = name
    else:
        manifest[part][name] = next(iter(manifest[part].values()))
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DatasetError, match=r"manifest\.json is damaged"):
        PreparedDataset(tmp_path)
