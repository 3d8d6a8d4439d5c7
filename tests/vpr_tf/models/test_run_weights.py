import dataclasses
import json

import pytest

from vpr_tf.config import ConfigError, DatasetConfig, EncoderConfig, ExperimentConfig
from vpr_tf.models import with_run_weights


@pytest.fixture
def config(tmp_path):
    encoder = EncoderConfig(weights="run:city")
    dataset = DatasetConfig("city")
    return ExperimentConfig("heads", runs_dir=str(tmp_path), dataset=dataset,
                            encoder=encoder)  # fmt: skip


def write_run(folder, **metrics):
    (folder / "best").mkdir(parents=True)
    (folder / "config.yaml").write_text("")
    (folder / "best" / "encoder.weights.h5").write_text("")
    (folder / "metrics.json").write_text(json.dumps(metrics))


def test_the_newest_finished_run_is_taken(config, tmp_path):
    write_run(tmp_path / "city" / "2026-01", savedmodel="there")
    write_run(tmp_path / "city" / "2026-02", savedmodel=None)  # train.export: never
    write_run(tmp_path / "city" / "2026-03", epochs=[])
    expected = tmp_path / "city" / "2026-02" / "best" / "encoder.weights.h5"
    assert with_run_weights(config).weights == str(expected)


def test_a_missing_run_is_told(config, tmp_path):
    with pytest.raises(ConfigError, match=r"run:city` needs .*city\. Found: none"):
        with_run_weights(config)
    write_run(tmp_path / "city" / "2026-03", epochs=[])
    with pytest.raises(ConfigError, match=r"Found: 1 that did not end\. Train"):
        with_run_weights(config)


def test_other_weights_stay(config):
    encoder = EncoderConfig(weights="imagenet")
    assert with_run_weights(dataclasses.replace(config, encoder=encoder)) is encoder


def test_a_run_whose_metrics_are_damaged_did_not_end(config, tmp_path):
    for number, text in enumerate(("3", "[]", "[" * 100_000, "")):
        write_run(tmp_path / "city" / f"2026-0{number}")
        (tmp_path / "city" / f"2026-0{number}" / "metrics.json").write_text(text)
    with pytest.raises(ConfigError, match=r"Found: 4 that did not end"):
        with_run_weights(config)
