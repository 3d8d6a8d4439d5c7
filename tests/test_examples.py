"""Every example runs; those with data on a tiny dataset."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_names_every_example():
    text = (EXAMPLES / "README.md").read_text()
    for path in [*EXAMPLES.glob("*.py"), *EXAMPLES.glob("*.ipynb")]:
        assert f"`{path.name}`" in text


def test_index_of_descriptors(tmp_path, capsys):
    load("index_of_descriptors").main(tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("looks most like: 042.jpg, ")
    assert lines[1] == "after the change: new.jpg"


def test_evaluate_descriptors():
    recalls = load("evaluate_descriptors").main()
    assert 50 < recalls[1] < recalls[20] <= 100


def test_partition_a_table(capsys):
    assert load("partition_a_table").main() > 1000
    assert "of 20,000 rows" in capsys.readouterr().out


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(3):
        pixels = rng.integers(0, 256, (32, 32, 3), np.uint8)
        name = f"@{500000 + 100 * number}@5000000@32@T@@@@@@@@@@@.png"
        Image.fromarray(pixels).save(folder / name)
    return sorted(map(str, folder.iterdir()))


@pytest.fixture(scope="module")
def encoder_file(tmp_path_factory):
    import keras

    from vpr_tf.models import GeoLocalizationNet

    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("encoder") / "tiny.keras"
    GeoLocalizationNet("EfficientNetLite0", 8, last_stage=0).save(path)
    return str(path)


def test_describe_photos(photos, encoder_file):
    descriptors = load("describe_photos").main(encoder_file, photos)
    np.testing.assert_allclose(np.linalg.norm(descriptors, axis=1), 1, rtol=1e-5)


def test_localize_photos(photos, encoder_file, tmp_path, capsys):
    from tests.small_training import write_config
    from vpr_tf.cli import main

    config = str(write_config(tmp_path, tmp_path / "none"))
    index = str(tmp_path / "tiny.index")
    folder = str(Path(photos[0]).parent)
    options = ["--photos", folder, "--model", encoder_file, "--config", config]
    assert not main(["index", "build", "--index", index, *options])
    assert load("localize_photos").main(index, photos) == 3
    assert photos[0] in capsys.readouterr().out


@pytest.mark.slow
def test_train_with_a_callback(small_training_dataset, tmp_path):
    from tests.small_training import write_config

    config = write_config(tmp_path, small_training_dataset.path)
    recalls = load("train_with_a_callback").main(
        str(config), ["train.epochs=1", "train.iterations_per_epoch=2"]
    )
    assert set(recalls) == {1, 5, 10, 20}
