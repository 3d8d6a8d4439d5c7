"""The command `vpr adapt`, and what tests say of an encoder that was adapted."""

import json

import keras
import numpy as np
import pytest

import evaluate
from tests.command_line import command, vpr
from tests.vpr_tf.evaluation.tiny_dataset import Shot, write_dataset
from vpr_tf.config import AdaptedTo, load_config, save_config
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.data.record_reading import stored_images
from vpr_tf.evaluation.evaluate import evaluate_model
from vpr_tf.export.saved_model import export_encoder
from vpr_tf.extraction import is_adapted_to_split, load_extractor
from vpr_tf.models import GeoLocalizationNet
from vpr_tf.models.batch_norm_statistics import batch_norms

main = command("adapt")
CONFIG = """
name: tiny
runs_dir: {folder}/runs
dataset: {{path: {folder}/dataset}}
build: {{train: train}}
encoder:
  {{backbone: EfficientNetLite0, last_stage: 1, descriptor_dim: 8, weights: none}}
evaluation: {{resize: square, image_size: 16, index: exact, recall_values: [1, 2]}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adaptation")
    rng = np.random.default_rng(0)
    shots = [
        Shot(tuple(int(value) for value in rng.integers(20, 236, 3)), 100 * i)
        for i in range(12)
    ]
    night = [
        Shot(tuple(v // 5 for v in shot.colour), 100 * i)
        for i, shot in enumerate(shots)
    ]
    splits = {"train": shots, "val-database": shots, "val-queries": night[6:]}
    splits |= {"test-a-database": shots, "test-a-queries": night[:6]}
    write_dataset(folder / "dataset", splits)
    (folder / "tiny.yaml").write_text(CONFIG.format(folder=folder))
    return folder


@pytest.fixture(scope="module")
def adapted_file(folder):
    file = folder / "new" / "adapted.keras"
    arguments = ["--config", f"{folder / 'tiny.yaml'}", "--split", "test-a-queries"]
    assert main([*arguments, "--output", str(file)]) == 0
    return file


def test_the_file_has_other_statistics_and_the_same_weights(folder, adapted_file):
    config = load_config(folder / "tiny.yaml")
    before = load_extractor(config).encoder
    adapted = load_extractor(config, adapted_file).encoder
    for old, new in zip(
        before.trainable_variables, adapted.trainable_variables, strict=True
    ):
        np.testing.assert_array_equal(old, new)
    for old, new in zip(batch_norms(before), batch_norms(adapted), strict=True):
        assert np.abs(old.moving_mean.numpy() - new.moving_mean.numpy()).max() > 1e-4
    dataset = PreparedDataset(folder / "dataset")
    assert adapted.adapted_to == AdaptedTo("test-a-queries", dataset.fingerprint)
    assert keras.saving.load_model(adapted_file).adapted_to == adapted.adapted_to


def test_tests_of_the_same_queries_say_so(folder, adapted_file):
    arguments = ["--config", f"{folder / 'tiny.yaml'}", "--model", f"{adapted_file}"]
    assert evaluate.main([*arguments, "--set", "a", "--set", "val", "--report"]) == 0
    (found,) = folder.glob("runs/**/a/results.json")
    warnings = json.loads(found.read_text())["warnings"]
    assert any("adapted to these queries (test-a-queries)" in one for one in warnings)
    (other,) = folder.glob("runs/**/val/results.json")
    warnings = json.loads(other.read_text())["warnings"]
    assert not any("adapted" in one for one in warnings)


def test_exports_keep_the_note(folder, adapted_file, capsys):
    config = load_config(folder / "tiny.yaml")
    adapted = load_extractor(config, adapted_file).encoder
    version = export_encoder(adapted, config, folder / "saved")
    assert load_extractor(model=version).encoder.adapted_to == adapted.adapted_to
    for model in (version, adapted_file):
        assert vpr("models", "show", model, "--json") == 0
        shown = json.loads(capsys.readouterr().out)
        assert shown["adapted_to"]["split"] == "test-a-queries"


def test_runs_say_what_they_were_adapted_to(folder, capsys):
    run = folder / "runs" / "tiny" / "2026-01-01_00-00-00"
    (run / "best").mkdir(parents=True)
    (run / "best" / "encoder.weights.h5").touch()
    overrides = ["train.target={photos: /a/night}"]
    overrides += ["train.augmentation.extra=[{name: FourierMixing}]"]
    save_config(load_config(folder / "tiny.yaml", overrides), run / "config.yaml")
    (run / "metrics.json").write_text('{"run": {"target_fingerprint": "abc"}}')
    assert vpr("models", "show", run, "--json") == 0
    shown = json.loads(capsys.readouterr().out)["adapted_to"]
    assert shown == {"split": "night", "dataset_fingerprint": "abc", "is_folder": True}
    (run / "metrics.json").write_text('{"run": {}}')
    assert vpr("models", "show", run) == 2
    assert "which photos the run was adapted to" in capsys.readouterr().err


def test_only_the_queries_may_be_described_by_the_adapted(folder, adapted_file, capsys):
    before = folder / "before.keras"
    config = load_config(folder / "tiny.yaml")
    plain = load_extractor(config).encoder
    plain.preprocessing = config.evaluation.preprocessing
    plain.save(before)
    options = ["--config", f"{folder / 'tiny.yaml'}", "--model", f"{before}"]
    output = ["--output", f"{folder / 'out'}", "--query-model", f"{adapted_file}"]
    assert evaluate.main([*options, *output]) == 0
    assert (
        "Queries are described by EfficientNetLite0 of adap" in capsys.readouterr().out
    )
    (found,) = (folder / "out").glob("*/a/results.json")
    assert "adapted to these queries" in json.loads(found.read_text())["warnings"][-1]
    stored = {
        name: np.load(
            next((folder / "out").glob(f"*/descriptors/test-a-{name}/descriptors.npy"))
        )
        for name in ("database", "queries")
    }
    dataset = PreparedDataset(folder / "dataset")
    for name, model in (("database", before), ("queries", adapted_file)):
        extractor = load_extractor(model=model)
        split = dataset.split(f"test-a-{name}")
        rows = np.arange(len(split))
        expected = extractor.extract_records(split, rows, progress=False)
        np.testing.assert_allclose(stored[name], expected, atol=1e-5)
    assert evaluate.main([*options, *output, "--report"]) == 2
    assert "`--report` is of one encoder" in capsys.readouterr().err


def test_a_folder_gives_the_statistics_of_the_split(folder, adapted_file):
    photos = folder / "night"
    photos.mkdir()
    split = PreparedDataset(folder / "dataset").split("test-a-queries")
    for number, content in enumerate(stored_images(split, np.arange(len(split)))):
        (photos / f"{number}.png").write_bytes(content)
    file = folder / "of_photos.keras"
    arguments = ["--config", f"{folder / 'tiny.yaml'}", "--photos", f"{photos}"]
    assert main([*arguments, "--output", f"{file}"]) == 0
    one, other = (load_extractor(model=path).encoder for path in (file, adapted_file))
    for mine, expected in zip(one.weights, other.weights, strict=True):
        np.testing.assert_allclose(mine, expected, atol=1e-6)
    dataset = PreparedDataset(folder / "dataset")
    assert one.adapted_to.is_folder
    assert is_adapted_to_split(one.adapted_to, dataset, "test-a-queries")
    assert not is_adapted_to_split(one.adapted_to, dataset, "val-queries")


def test_descriptors_of_queries_must_be_as_long(folder, adapted_file, capsys):
    short = folder / "short.keras"
    GeoLocalizationNet("EfficientNetLite0", 4, last_stage=0).save(short)
    options = ["--config", f"{folder / 'tiny.yaml'}", "--model", f"{adapted_file}"]
    assert evaluate.main([*options, "--query-model", f"{short}"]) == 2
    assert "length of the database's, 8. Received: 4" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no `train.target`. Pass --split NAME"),
        (["--split", "night"], "has no split 'night'"),
        (["--split", "train"], "another split than the one that is trained on"),
        (["--photos", "nowhere"], "No folder of photos at nowhere"),
        (["--split", "val-queries", "--share", "0"], "`share` must be above 0"),
        (["--split", "val-queries", "--output", "x.h5"], "must end in .keras"),
    ],
)
def test_what_cannot_be_is_refused(folder, capsys, arguments, message):
    file = folder / "refused.keras"
    options = ["--config", f"{folder / 'tiny.yaml'}", "--output", f"{file}"]
    assert main([*options, *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not file.exists()


def test_an_encoder_that_was_not_adapted_is_not_warned_of(folder):
    config = load_config(folder / "tiny.yaml")
    extractor = load_extractor(config)
    result = evaluate_model(extractor, folder / "dataset", "a", config.evaluation)
    assert not any("adapted" in one for one in result.warnings)
