import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vpr_tf.evaluation.tiny_dataset import MeanColourEncoder, Shot, write_dataset
from vpr_tf import evaluation
from vpr_tf.config import EvaluationConfig
from vpr_tf.evaluation import results_table, warning_lines, write_results
from vpr_tf.geo import Positions

PLACES = np.stack([np.arange(60.0) * 100, np.zeros(60)], axis=1)


def positions(places, zone=10):
    east_m, north_m = np.asarray(places, np.float64).reshape(-1, 2).T
    return Positions.from_utm(
        548_000 + east_m, 4_173_000 + north_m, np.full(len(east_m), zone)
    )


def unknown(number):
    known = positions(np.zeros((number, 2)))
    return dataclasses.replace(known, utm_zone=np.zeros(number, np.int16))


def evaluate(places, queries, found):
    """Evaluates descriptors by which query i finds database image found[i]."""
    descriptors = np.eye(len(places), dtype=np.float32)
    return evaluation.evaluate(
        descriptors, places, descriptors[found] * 0.9, queries, recall_values=[1]
    )


@pytest.mark.parametrize(("number", "is_warned"), [(50, False), (51, True)])
def test_recall_of_100_or_0_on_many_queries(number, is_warned):
    places, rows = positions(PLACES), np.arange(number)
    right = evaluate(places, positions(PLACES[:number]), rows)
    assert [f"R@1 is 100 on {number} queries" in w for w in right.warnings] == (
        [True] if is_warned else []
    )
    wrong = evaluate(places, positions(PLACES[:number]), rows[::-1] + 60 - number)
    assert any(f"R@1 is 0 on {number} queries" in w for w in wrong.warnings) is (
        is_warned and wrong.recalls[1] == 0
    )
    mixed = evaluate(places, positions(PLACES[:number]), np.r_[1, rows[1:]])
    assert mixed.warnings == []


def test_most_queries_without_positives_by_distance():
    places, rows = positions(PLACES), np.arange(4)
    near = evaluate(
        places, positions(PLACES[:4] + np.array([[0, 40]] * 3 + [[0, 0]])), rows
    )
    (warning,) = near.warnings
    assert warning.startswith(
        "3 of 4 queries have no database image within 25 m; the nearest database image "
        "is 0.0 m away at least, 40.0 m in the median."
    )
    assert "evaluation.positive_dist_threshold_m" in warning
    far = evaluate(places, positions(PLACES[:4], zone=-10), rows)
    (warning,) = far.warnings
    assert "km in the median" in warning
    assert "zone and hemisphere, swapped columns" in warning
    half = evaluate(
        places, positions(PLACES[:4] + np.array([[0, 40], [0, 0]] * 2)), rows
    )
    assert half.warnings == []


def test_database_without_positions():
    result = evaluate(unknown(60), positions(PLACES[:3]), np.arange(3))
    (warning,) = result.warnings
    assert warning.endswith("within 25 m: no database image has a known position.")


def test_queries_without_positions():
    (warning,) = evaluate(positions(PLACES), unknown(3), np.arange(3)).warnings
    assert warning.startswith("no query has a position, so there is no recall")


@pytest.mark.parametrize("length", [1e-3, 1.0, 1e3])
def test_queries_that_are_database_images_by_descriptor(length):
    rng = np.random.default_rng(0)
    database = length * rng.normal(size=(40, 8))
    places, other = positions(PLACES[:40]), positions(PLACES[:40] + np.array([0, 5]))
    result = evaluation.evaluate(database, places, database, places)
    (warning,) = result.warnings
    text = "queries are database images (by descriptor and position). They find"
    assert warning.startswith(f"40 of 40 {text}")
    # Two of three, one of them behind an image of the same descriptor elsewhere.
    database[0] = database[1]
    queries = np.stack([database[1], database[2], database[3] * 1.01])
    result = evaluation.evaluate(database, places, queries, places.take(np.r_[1:4]))
    assert result.warnings[0].startswith(f"2 of 3 {text}")
    assert evaluation.evaluate(database, places, database, other).warnings == []


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_descriptors_that_are_all_equal(value):
    rng = np.random.default_rng(0)
    drawn, equal = rng.normal(size=(9, 8)), np.full((9, 8), value)
    places, queries = positions(PLACES[:9]), positions(PLACES[:9] + np.array([0, 5]))
    for database, asked, what in (
        (equal, drawn, "All database images are equally far from each query"),
        (equal, equal, "All database images are equally far from each query"),
        (drawn, equal, "All queries have the same matches at the same distances"),
    ):
        (warning,) = evaluation.evaluate(database, places, asked, queries).warnings
        assert warning.startswith(what)
    assert evaluation.evaluate(drawn, places, drawn * 1.1, queries).warnings == []


COLOURS = [(220, 30, 30), (30, 220, 30), (30, 30, 220), (220, 220, 30)]
CONFIG = EvaluationConfig(batch_size=4, recall_values=[1, 2])


def evaluate_split(folder, database, queries):
    splits = {"test-a-database": database, "test-a-queries": queries}
    return evaluation.evaluate(
        MeanColourEncoder(), write_dataset(folder, splits), config=CONFIG
    )


@dataclasses.dataclass(frozen=True)
class DrawnBy(Shot):
    """A shot that is the same image wherever it stands in its split."""

    seed: int = 0

    def encode(self, seed):
        return super().encode(self.seed)


def shots(*numbers, offset_m=0):
    """Image n of a split is drawn by seed n, so equal places are equal images."""
    return [Shot(COLOURS[n], 100.0 * n + offset_m) for n in numbers]


def test_queries_that_are_database_images_by_content(tmp_path):
    # Positions and names differ, the bytes do not.
    queries = [*shots(0, 1, offset_m=7), Shot(COLOURS[3], 200)]
    result = evaluate_split(tmp_path / "d", shots(0, 1, 2, 3), queries)
    (warning,) = result.warnings
    assert warning.startswith("2 of 3 queries are database images (2 by content, 0 by")
    write_results([result], tmp_path)
    text = (tmp_path / "a" / "results.md").read_text()
    assert text == f"{results_table([result])}\n\nWarning: a: {warning}\n"
    assert warning_lines([result]) == [f"Warning: a: {warning}"]
    assert result.summary()["warnings"] == [warning]


def _named(some, names):
    return [
        dataclasses.replace(shot, key=name)
        for shot, name in zip(some, names, strict=True)
    ]


def test_queries_that_are_database_images_by_name_and_position(tmp_path):
    queries = [
        DrawnBy(COLOURS[1], 100, seed=7),
        DrawnBy(COLOURS[2], 210, seed=8),
        DrawnBy(COLOURS[0], 0, seed=9),
    ]
    splits = {"test-a-database": shots(0, 1, 2), "test-a-queries": queries}
    dataset = write_dataset(tmp_path / "d", splits)
    assert (
        evaluation.evaluate(MeanColourEncoder(), dataset, config=CONFIG).warnings == []
    )
    # The third stays at the place of another name.
    names = ["test-a-database_1.jpg", "test-a-database_2.jpg", "0.jpg"]
    splits["test-a-queries"] = _named(queries, names)
    dataset = write_dataset(tmp_path / "named", splits)
    (warning,) = evaluation.evaluate(
        MeanColourEncoder(), dataset, config=CONFIG
    ).warnings
    assert warning.startswith("1 of 3 queries are database images (0 by content, 1 by")


@pytest.mark.parametrize(
    ("name", "is_name"),
    [
        ("@548100.00@4173000.00@.jpg", False),
        ("@548100.00@4173000.00.jpg", False),
        ("a/@548100.00@4173000.00@10@S@37.70@-122.45@.jpg", False),
        ("@548100.00@4173000.00@10@S@37.70@-122.45@@@@@@@@@.jpg", False),
        ("@548100.00@4173000.00@10@S@37.70@-122.45@pano@@@@@@@@.jpg", True),
        ("@548100.00@4173000.00@0001.jpg", True),
        ("0001.jpg", True),
    ],
)
def test_a_name_that_is_only_a_position_is_no_name(tmp_path, name, is_name):
    splits = {
        "test-a-database": _named(shots(0, 1, 2), ["0.jpg", name, "2.jpg"]),
        "test-a-queries": _named([DrawnBy(COLOURS[1], 100, seed=7)], [name]),
    }
    dataset = write_dataset(tmp_path / "d", splits)
    result = evaluation.evaluate(MeanColourEncoder(), dataset, config=CONFIG)
    assert [w.startswith("1 of 1 queries are") for w in result.warnings] == (
        [True] if is_name else []
    )


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True),
    st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True),
)
def test_content_is_found_wherever_it_lies(tmp_path_factory, database, queries):
    def drawn(numbers):
        return [DrawnBy(COLOURS[n], 100.0 * n, seed=n) for n in numbers]

    folder = tmp_path_factory.mktemp("shared") / "d"
    result = evaluate_split(folder, drawn(database), drawn(queries))
    shared = len(set(database) & set(queries))
    found = [w for w in result.warnings if "by content" in w]
    assert len(found) == (shared > 0)
    if shared:
        assert f"{shared} of {len(queries)} queries" in found[0]
