import re

import keras
import numpy as np
import pytest

import evaluate
from tests.command_line import command
from tests.vpr_tf.evaluation.tiny_dataset import Shot, write_dataset
from vpr_tf.config import load_config
from vpr_tf.data.image_batches import ImageBatches, SplitImages
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.evaluation import dataset_folder
from vpr_tf.extraction import load_extractor
from vpr_tf.extraction.whitening.pca import fit_whitening

main = command("whiten")
CONFIG = """
name: tiny
runs_dir: {folder}/runs
dataset: {{path: {folder}/dataset}}
build: {{train: train}}
encoder:
  {{backbone: EfficientNetLite0, last_stage: 0, descriptor_dim: 8, weights: none}}
evaluation: {{resize: square, image_size: 16, index: exact, recall_values: [1, 2]}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whitening")
    rng = np.random.default_rng(0)
    shots = [
        Shot(tuple(int(value) for value in rng.integers(20, 236, 3)), 100 * i)
        for i in range(30)
    ]
    splits = {"train": shots[:24]}
    splits |= {"test-a-database": shots[:8], "test-a-queries": shots[:4]}
    write_dataset(folder / "dataset", splits)
    (folder / "tiny.yaml").write_text(CONFIG.format(folder=folder))
    return folder


@pytest.fixture(scope="module")
def whitened_file(folder):
    file = folder / "new" / "whitened.keras"
    arguments = ["--config", f"{folder / 'tiny.yaml'}", "--dim", "3"]
    assert main([*arguments, "--images", "20", "--output", str(file)]) == 0
    return file


def refuse(folder, capsys, *arguments):
    file = folder / "refused.keras"
    arguments = [
        "--config",
        f"{folder / 'tiny.yaml'}",
        "--output",
        f"{file}",
        *arguments,
    ]
    assert main(arguments) == 2
    assert not file.exists()
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    return error


def test_file_holds_the_fitted_encoder(folder, whitened_file):
    config = load_config(folder / "tiny.yaml")
    encoder = load_extractor(config).encoder
    split = PreparedDataset(folder / "dataset").split("train")
    rows = np.sort(np.random.default_rng(config.seed).permutation(24)[:20])
    ((images, ids),) = list(
        ImageBatches(SplitImages(split), config.evaluation.preprocessing)
        .read(rows)
        .unbatch()
        .batch(20)
    )
    images = images.numpy()[np.argsort(ids)]
    descriptors = encoder(images).numpy()
    whitening = fit_whitening(descriptors, 3)
    expected = descriptors @ whitening.kernel + whitening.bias
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    loaded = keras.saving.load_model(whitened_file)
    np.testing.assert_allclose(loaded(images), expected, atol=1e-3)


def test_evaluate_takes_the_file(folder, whitened_file, capsys):
    arguments = ["--config", f"{folder / 'tiny.yaml'}", "--model", f"{whitened_file}"]
    assert evaluate.main(arguments) == 0
    output = capsys.readouterr().out
    assert f"EfficientNetLite0 of {whitened_file.name}" in output
    # Each query is an image of the database too.
    assert re.search(r"\| a .*\| 100\.0 \| 100\.0 \|", output), output
    results = folder / "runs" / "tiny" / "evaluation_whitened"
    results = dataset_folder(results, PreparedDataset(folder / "dataset"))
    assert (results / "descriptors" / "test-a-database").is_dir()


def test_command_says_what_it_did(folder, capsys):
    file = folder / "pca.keras"
    arguments = ["--config", f"{folder / 'tiny.yaml'}", "--dim", "7", "--no-whiten"]
    arguments += ["--split", "test-a-database", "seed=1"]
    assert refuse(folder, capsys, *arguments[2:], "--dim", "8").count("1 and 7") == 1
    assert main([*arguments, "--output", str(file)]) == 0
    output = capsys.readouterr().out
    assert "PCA of 8 descriptors of test-a-database: 7 of 8 directions hold" in output
    assert "% of the variance.\n" in output
    assert f"Saved: {file}" in output


def test_whitened_encoder_is_not_whitened_again(folder, whitened_file, capsys):
    arguments = ["--model", str(whitened_file), "--dim", "2"]
    error = refuse(folder, capsys, *arguments)
    assert "must not be whitened already. Received: whitening_dim=3" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dim", "9"], "`--dim` must be between 1 and 8: the descriptors have 8"),
        (["--dim", "5", "--images", "5"], "between 1 and 4: .*5 images of train"),
        (["--dim", "2", "--split", "val"], "val"),
        (["--dim", "2", "--model", "nowhere"], "nowhere is no model"),
        (["--dim", "2", "--output", "x.h5"], "`output` must end in .keras"),
        (["--dim", "2", "encoder.backbon=x"], "backbon"),
    ],
)
def test_errors_are_one_line(folder, capsys, arguments, message):
    assert re.search(message, refuse(folder, capsys, *arguments))
