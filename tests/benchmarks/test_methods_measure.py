"""Methods on images of one colour, with heads that know the colours of places."""

import math

import numpy as np
import pytest

from benchmarks.growth_measure import measure_growth
from benchmarks.methods_comparison import Comparison, compare_methods
from benchmarks.methods_measure import (
    Method,
    encoder_times_ms,
    measure_classification,
    measure_retrieval,
)
from benchmarks.methods_narrowed import measure_narrowed
from tests.benchmarks.method_cases import write_experiment, write_run
from tests.vpr_tf.evaluation.tiny_dataset import (
    EAST_CM,
    NORTH_CM,
    MeanColourEncoder,
    Shot,
    write_dataset,
)
from vpr_tf.classification import (
    RUN_FOLDER,
    ClassTable,
    GridCells,
    GroupHead,
    PlaceClassifier,
    load_heads,
    save_heads,
)
from vpr_tf.evaluation import EvaluatedModel, Evaluation
from vpr_tf.extraction import FeatureExtractor
from vpr_tf.geo import Positions

RED, GREEN, BLUE = (220, 30, 30), (30, 220, 30), (30, 30, 220)
EAST_M = np.array([10, 110, 210])


def classifier() -> PlaceClassifier:
    """A place of each colour, red and blue in one group, green in another."""
    positions = Positions(
        EAST_CM + 100 * EAST_M,
        np.full(3, NORTH_CM + 1000),
        np.full(3, 10, np.int16),
        np.full(3, 37.7),
        np.full(3, -122.45),
    )
    east = EAST_CM // 2000 + EAST_M // 20
    cells = GridCells(20, np.full(3, 10), east, np.full(3, NORTH_CM // 2000))
    members = np.array([[0, -1], [-1, 0], [1, -1]], np.int32)
    table = ClassTable(
        positions, np.full(3, -1.0), members, np.arange(3), cells, "own_group"
    )
    colours = np.eye(3, dtype=np.float32)
    heads = (
        GroupHead("cosine", colours[:, [0, 2]]),
        GroupHead("cosine", colours[:, [1]]),
    )
    return PlaceClassifier(table, heads)


@pytest.fixture(scope="module")
def method(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("method")
    database = [Shot(RED, 10), Shot(GREEN, 110), Shot(BLUE, 210), Shot(RED, 400)]
    # The last looks as if it were elsewhere.
    queries = [Shot(RED, 12), Shot(GREEN, 112), Shot(BLUE, 208), Shot(RED, 212)]
    folder = tmp_path / "images"
    splits = {"test-a-database": database, "test-a-queries": queries}
    dataset = write_dataset(folder, splits)
    settings = ["resize=square", "image_size=32", "recall_values=[1,2]"]
    overrides = [f"evaluation.{setting}" for setting in settings]
    experiment = write_experiment(tmp_path, "dc", *overrides)
    run = write_run(experiment, "2026-01-01")
    save_heads(classifier(), run / RUN_FOLDER)
    evaluation = experiment.config.evaluation
    model = EvaluatedModel(
        FeatureExtractor(MeanColourEncoder(), evaluation.preprocessing),
        load_heads(run, experiment.config.classification),
    )
    sets = [dataset.tests["a"]]
    opened = Evaluation(dataset, sets, model, evaluation, tmp_path / "evaluation")
    return Method(experiment, run, opened, dataset.tests["a"], np.arange(4))


def test_heads_are_measured_alone(method):
    measured = measure_classification(method, "D&C", 4.0)
    assert measured.recalls == {1: 75.0, 2: 75.0}
    assert measured.found.tolist() == [True, True, True, False]
    assert measured.total_ms == 4.0 + measured.classify_ms
    assert math.isnan(measured.search_ms)
    assert measured.held_bytes > 3 * 3 * 4


def test_search_is_measured(method):
    measured = measure_retrieval(method, "retrieval", 4.0)
    assert measured.kind == "retrieval"
    assert measured.recalls == {1: 75.0, 2: 75.0}
    assert measured.answer_ms == measured.search_ms > 0
    assert measured.held_bytes == 4 * 3 * 4 + 4 * 4


def test_all_cells_are_the_search_alone(method):
    one, two, everything = measure_narrowed(method, method, "both", (1, 2, 3), (4, 5))
    assert [one.label, two.label, everything.label] == [
        "both, K = 1",
        "both, K = 2",
        "both, K = all",
    ]
    alone = measure_retrieval(method, "retrieval", 4.0)
    assert everything.found.tolist() == alone.found.tolist()
    assert everything.recalls == alone.recalls
    assert everything.extract_ms == one.extract_ms == 4
    assert math.isnan(everything.classify_ms)
    assert one.classify_ms > 0
    assert one.held_bytes > alone.held_bytes


def test_a_city_grows_and_its_queries_stay(method):
    points = measure_growth(method, [1, 3], 2)
    assert [(p.engine, p.num_images, p.num_cells) for p in points] == [
        *((engine, 4, 3) for engine in ("exact", "D&C", "D&C + search")),
        *((engine, 12, 9) for engine in ("exact", "D&C", "D&C + search")),
    ]
    first, grown = points[:3], points[3:]
    assert [point.lr_1 for point in first] == [75.0] * 3
    assert all(p.lr_1 <= q.lr_1 for p, q in zip(grown, first, strict=True))
    assert all(point.ms > 0 for point in points)


def test_encoders_are_timed_on_single_images(method):
    described = method.opened.extractor.encoder.num_images
    before = described.numpy()
    [milliseconds] = encoder_times_ms([method])
    assert milliseconds > 0
    # Each to warm up, since there are less than five, and each to be timed.
    assert described.numpy() - before == 4 + 4


def test_configs_without_runs_are_told(method, tmp_path, monkeypatch):
    found, missing = (write_experiment(tmp_path, name) for name in ("dc", "missing"))
    write_run(found, "2026-01-01_002")
    opened = {"dc": method}

    def open_method(experiment, set_name, num_timed, pca_dim):
        from benchmarks.methods_runs import finished_run

        finished_run(experiment)
        return opened[experiment.config.name]

    monkeypatch.setattr(Method, "open", open_method)
    comparison = compare_methods([found, missing], "a")
    assert isinstance(comparison, Comparison)
    assert [entry.label for entry in comparison.methods] == ["D&C (ArcFace) (dc)"]
    [reason] = comparison.left_out
    assert reason.startswith("missing: There is no finished run")
    assert f"No line for {reason}" in comparison.text()
    comparison.write(tmp_path / "table")
    assert {path.name for path in (tmp_path / "table").iterdir()} == {
        "table.md",
        "results.json",
        "recall_over_time.png",
        "recall_over_time_without_encoder.png",
    }


def test_comparison_without_any_run_says_how_to_train(tmp_path):
    with pytest.raises(
        ValueError, match=r"(?s)No config has a finished run.*train_keras"
    ):
        compare_methods([write_experiment(tmp_path)], "a")


def test_narrowing_by_an_unknown_name_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match="--narrow-by must name one of the configs: dc"
    ):
        compare_methods([write_experiment(tmp_path)], "a", narrow_by=["dc", "x"])


def test_pca_of_an_unknown_name_is_refused(tmp_path):
    with pytest.raises(ValueError, match="--pca must name one of the configs: dc"):
        compare_methods([write_experiment(tmp_path)], "a", pca_dims={"x": 2})


def test_configs_of_two_datasets_are_refused(tmp_path):
    other = write_experiment(tmp_path, "other", "dataset.path=elsewhere")
    with pytest.raises(ValueError, match=r"the same `dataset\.path`"):
        compare_methods([write_experiment(tmp_path), other], "a")
