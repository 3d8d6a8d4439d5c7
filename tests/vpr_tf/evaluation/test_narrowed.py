import csv
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.vpr_tf.evaluation.tiny_dataset import (
    EAST_CM,
    NORTH_CM,
    MeanColourEncoder,
    Shot,
    write_dataset,
)
from vpr_tf.classification import (
    ClassificationError,
    ClassTable,
    GridCells,
    GroupHead,
    PlaceClassifier,
    save_heads,
)
from vpr_tf.classification.cell_ranking import ClassifierCells
from vpr_tf.config import (
    EvaluationConfig,
    ExperimentConfig,
    Preprocessing,
    load_config,
)
from vpr_tf.evaluation import EvaluatedModel, EvaluationError, evaluate
from vpr_tf.evaluation.command import run_evaluation
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.geo import Positions
from vpr_tf.models import build_encoder

RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 220, 30), (30, 30, 220), (220, 220, 30)
DATABASE = [Shot(RED, 0), Shot(GREEN, 100), Shot(RED, 200), Shot(BLUE, 5000)]
QUERIES = [Shot(RED, 210), Shot(GREEN, 90), Shot(BLUE, 5001)]
CONFIG = EvaluationConfig(method="narrowed", recall_values=[1, 3])
PREPROCESSING = Preprocessing("square", 32)
EASTS_M = [0, 100, 200]
YAML = """
name: tiny
dataset: {{path: {folder}/dataset}}
encoder:
  {{backbone: EfficientNetLite0, descriptor_dim: 8, last_stage: 0, weights: none}}
evaluation:
  {{method: narrowed, resize: square, image_size: 32, recall_values: [1, 3]}}
"""


def classifier(prototypes) -> PlaceClassifier:
    """Cells of 20 m around the first three database images."""
    east_cm = EAST_CM + 100 * np.array(EASTS_M)
    rows, zone = np.arange(3), np.full(3, 10)
    north_cm = np.full(3, NORTH_CM)
    cells = GridCells(20, zone, east_cm // 2000, north_cm // 2000)
    places = Positions(
        east_cm, north_cm, zone, np.full(3, 37.7), -122.45 + np.array(EASTS_M) / 88_000
    )
    members, unknown = rows[:, None].astype(np.int32), np.full(3, -1.0)
    table = ClassTable(places, unknown, members, rows, cells, "own_group")
    kernel = np.array(prototypes, np.float32).T
    return PlaceClassifier(table, (GroupHead("cosine", kernel.copy()),))


# The last cell is for red, whatever the database says.
COLOURS = classifier([[0, 0.1, 1], [0, 1, 0], [1, 0, 0]])


def model_of(num_cells, heads=COLOURS, other=None) -> EvaluatedModel:
    extractor = FeatureExtractor(MeanColourEncoder(), PREPROCESSING, batch_size=4)
    return EvaluatedModel(
        extractor,
        ranking=ClassifierCells(heads),
        num_cells=num_cells,
        heads_extractor=other,
    )


def evaluate_cells(tmp_path, num_cells, other=None, heads=COLOURS, **options):
    splits = {"test-a-database": DATABASE, "test-a-queries": QUERIES}
    dataset = write_dataset(tmp_path / "dataset", splits)
    model = model_of(num_cells, heads, other)
    options = {"progress": False, **options}
    return evaluate(model, dataset, dataset.tests["a"], CONFIG, **options), dataset


def test_only_the_best_cells_are_searched(tmp_path):
    result, _ = evaluate_cells(tmp_path, 1)
    assert result.predictions.tolist() == [[2, -1, -1], [1, -1, -1], [0, -1, -1]]
    assert result.recalls[1] == pytest.approx(200 / 3)
    assert (result.method, result.is_exact, result.symbol) == ("narrowed", False, "R")
    assert np.isinf(result.descriptor_distances[:, 1:]).all()


def test_all_cells_are_the_plain_evaluation(tmp_path):
    """With the image outside of all cells."""
    work = {"work_dir": tmp_path / "work", "progress": False}
    result, dataset = evaluate_cells(tmp_path, None, work_dir=tmp_path / "work")
    plain = evaluate(
        FeatureExtractor(MeanColourEncoder(), PREPROCESSING),
        dataset,
        dataset.tests["a"],
        CONFIG,
        **work,
    )
    results = [
        evaluate(model_of(count), dataset, dataset.tests["a"], CONFIG, **work)
        for count in (3, 100)
    ]
    for found in (result, *results):
        np.testing.assert_array_equal(found.predictions, plain.predictions)
        np.testing.assert_array_equal(
            found.descriptor_distances, plain.descriptor_distances
        )
        assert found.is_exact
    assert result.predictions[2, 0] == 3


def test_heads_of_another_encoder_are_asked_by_its_descriptors(tmp_path):
    other = FeatureExtractor(
        MeanColourEncoder(), PREPROCESSING, fingerprint="other colours"
    )
    result, _ = evaluate_cells(tmp_path, 1, other, work_dir=tmp_path / "work")
    assert result.predictions[:, 0].tolist() == [2, 1, 0]
    kept = tmp_path / "work" / "classifier" / "test-a-queries" / "descriptors.npy"
    assert kept.is_file()
    assert not (tmp_path / "work" / "classifier" / "test-a-database").exists()


def test_an_empty_split_is_named(tmp_path):
    splits = {"test-a-database": [], "test-a-queries": QUERIES}
    dataset = write_dataset(tmp_path / "dataset", splits)
    with pytest.raises(EvaluationError, match="'test-a-database'"):
        evaluate(model_of(1), dataset, dataset.tests["a"], CONFIG)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run folder with random weights and heads, and the dataset beside it."""
    folder = tmp_path_factory.mktemp("run")
    splits = {"test-a-database": DATABASE, "test-a-queries": QUERIES}
    write_dataset(folder / "dataset", splits)
    (folder / "best").mkdir()
    (folder / "config.yaml").write_text(YAML.format(folder=folder))
    keras.utils.set_random_seed(0)
    encoder = build_encoder(load_config(folder / "config.yaml").encoder)
    encoder.save_weights(folder / "best" / "encoder.weights.h5")
    heads = classifier(np.random.default_rng(0).normal(size=(3, 8)))
    save_heads(heads, folder / "best" / "classifier")
    return folder


def config_of(run, *overrides) -> ExperimentConfig:
    return load_config(run / "config.yaml", overrides)


def test_method_narrowed_writes_table_csv_and_pictures(run, capsys):
    config = config_of(
        run, "classification.num_cells=1", "evaluation.queries_to_draw=1"
    )
    (result,) = run_evaluation(config, run)
    told = capsys.readouterr().out
    assert "approximate" in told
    assert "R@1" in told
    (folder,) = (run / "report").glob("*/a")
    with (folder / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["query"] for row in rows] == [key.decode() for key in result.query_keys]
    assert len(list((folder / "pictures").glob("*.jpg"))) == 1


@pytest.mark.parametrize("score", ["cosine", "softmax"])
def test_the_score_of_heads_alone_is_said(run, score, capsys):
    alone = ["evaluation.method=classification", f"classification.score={score}"]
    run_evaluation(config_of(run, *alone), run)
    assert f"Places are ranked by their {score}." in capsys.readouterr().out


def test_heads_of_another_run_narrow(run):
    own, all_cells = "classification.num_cells=2", "classification.num_cells=null"
    named = f"classification.model={run}"
    (shared,) = run_evaluation(config_of(run, own), run)
    (other,) = run_evaluation(config_of(run, own, named), run)
    np.testing.assert_array_equal(shared.predictions, other.predictions)
    (plain,) = run_evaluation(config_of(run, "evaluation.method=retrieval"), run)
    (whole,) = run_evaluation(config_of(run, all_cells, named), run)
    np.testing.assert_array_equal(whole.predictions, plain.predictions)


def test_a_model_without_heads_cannot_narrow(run, tmp_path):
    with pytest.raises(ClassificationError, match="keeps no heads"):
        run_evaluation(config_of(run, f"classification.model={tmp_path}"), run)
