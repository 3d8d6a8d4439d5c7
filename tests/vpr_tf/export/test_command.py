import numpy as np
import pytest
import tensorflow as tf
import yaml

from tests.command_line import command
from vpr_tf.config import load_config

main = command("export")


@pytest.fixture
def config_file(tmp_path):
    fields = {
        "name": "city",
        "dataset": {"path": "not_read"},
        "savedmodels_dir": str(tmp_path / "savedmodels"),
        "encoder": {
            "backbone": "EfficientNetLite0",
            "descriptor_dim": 8,
            "weights": "none",
            "aggregation": {"name": "gem", "p": 2.0},
        },
        "evaluation": {"resize": "square", "image_size": 64},
    }
    path = tmp_path / "city.yaml"
    path.write_text(yaml.safe_dump(fields))
    return path


def test_exports_the_encoder_with_its_config(config_file, tmp_path, capsys):
    assert main(["--config", str(config_file)]) == 0
    version = tmp_path / "savedmodels" / "city" / "1"
    assert str(version) in capsys.readouterr().out
    describe = tf.saved_model.load(str(version)).signatures["descriptors"]
    descriptors = describe(images=tf.zeros((1, 64, 64, 3)))["descriptors"]
    np.testing.assert_allclose(np.linalg.norm(descriptors, axis=1), 1, rtol=1e-5)
    stored = load_config(version / "assets.extra" / "config.yaml")
    assert stored.encoder.aggregation.options() == {"name": "gem", "p": 2.0}
    assert stored.encoder.descriptor_dim == 8


def test_savedmodels_are_not_exported_again(config_file, tmp_path, capsys):
    main(["--config", str(config_file)])
    saved = str(tmp_path / "savedmodels" / "city")
    assert main(["--config", str(config_file), "--model", saved]) == 2
    assert "must be a run folder" in capsys.readouterr().err


def test_missing_model_is_one_line(config_file, capsys):
    assert main(["--config", str(config_file), "--model", "nothing_here"]) == 2
    assert "nothing_here is no model" in capsys.readouterr().err
