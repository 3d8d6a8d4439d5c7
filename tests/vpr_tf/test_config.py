from pathlib import Path

import pytest

from vpr_tf.config import ConfigError, ExperimentConfig, load_config, save_config

CONFIGS = sorted((Path(__file__).resolve().parents[2] / "configs").rglob("*.yaml"))
MINIMAL = "name: a\ndataset: {path: d}\n"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return path


def test_load_config_merges_file_and_overrides(tmp_path):
    path = write(tmp_path, MINIMAL + "train: {batch_size: 8, epochs: 2}\n")
    config = load_config(path, ["train.batch_size=16", "build.tests.v1.database=x",
                                "build.tests.v1.queries=y"])  # fmt: skip
    assert config.train.batch_size == 16
    assert config.train.epochs == 2
    assert config.build.tests["v1"].queries == "y"


def test_saved_config_loads_equal(tmp_path):
    config = load_config(
        write(tmp_path, MINIMAL),
        ["train.encoder_optimizer.arguments={weight_decay: 0.1}"],
    )
    save_config(config, tmp_path / "saved.yaml")
    assert load_config(tmp_path / "saved.yaml") == config


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configs_load_and_have_a_header(path):
    assert isinstance(load_config(path), ExperimentConfig)
    header = path.read_text().split("name:")[0]
    assert "Expected" in header
    assert "Command" in header


@pytest.mark.parametrize(
    ("text", "overrides", "message"),
    [
        (MINIMAL + "train: {batchsize: 3}", [], "train.batchsize"),
        (MINIMAL + "train: {batch_size: x}", [], "train.batch_size"),
        (MINIMAL, ["train.batch_size=0"], "`train.batch_size` must be 1 or more"),
        (MINIMAL, ["train.precision=int8"], "`train.precision` must be one of"),
        (MINIMAL, ["evaluation.recall_values=[5,1]"], "recall_values"),
        (MINIMAL, ["build.partition.group_order=x"], "build.partition.group_order"),
        (MINIMAL, ["train.batch_size"], "must look like"),
        ("name: a", [], "dataset.path"),
        ("name: [a", [], "not valid YAML"),
        ("- a", [], "incompatible"),
    ],
)
def test_wrong_config_is_one_error_that_names_the_field(
    tmp_path, text, overrides, message
):
    with pytest.raises(ConfigError, match=message.replace("[", "\\[")):
        load_config(write(tmp_path, text), overrides)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.yaml"):
        load_config(tmp_path / "absent.yaml")
