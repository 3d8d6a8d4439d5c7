import os
import subprocess
import sys

import numpy as np
import pytest

from tests.vpr_tf.search.index_cases import clustered_unit_vectors
from vpr_tf.search import ExactIndex, ScannIndex, scann_pieces

pytest.importorskip("scann")

TREE = {"num_leaves": 50, "leaves_to_search": 2, "training_iterations": 4}


@pytest.fixture(scope="module")
def database():
    return clustered_unit_vectors(1200)


@pytest.fixture(scope="module")
def with_tree(database):
    return ScannIndex.build(database, TREE)


@pytest.mark.parametrize("num_images", [1, 15, 16, 17, 1200])
def test_small_database_is_searched_exactly(database, num_images):
    rows = database[:num_images]
    index = ScannIndex.build(rows)
    assert index.is_exact
    for got, expected in zip(
        index.search(database[:9], 20),
        ExactIndex.build(rows).search(database[:9], 20),
        strict=True,
    ):
        np.testing.assert_array_equal(got, expected)


def test_tree_gives_missing_neighbours_no_row(database, with_tree):
    _, ids = with_tree.search(database[:50], 1500)
    missing = ids == -1
    assert missing[:, 1200:].all()
    assert missing[:, :1200].any()
    assert (ids[:, 0] == np.arange(50)).mean() > 0.5


def test_same_descriptors_and_settings_give_the_same_files(database, tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        ScannIndex.build(database, TREE).write(tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (
            tmp_path / "b" / name
        ).read_bytes()


def test_search_settings_change_without_building(database, with_tree, tmp_path):
    _, expected = ExactIndex.build(database).search(database, 20)

    def recall(index):
        ids = index.search(database, 20)[1]
        return np.mean(
            [np.isin(a, b).mean() for a, b in zip(ids, expected, strict=True)]
        )

    thorough = with_tree.with_search_settings(
        leaves_to_search=50, reordered_neighbors=400
    )
    assert recall(thorough) > 0.999 > 0.995 > recall(with_tree)
    assert with_tree.settings["leaves_to_search"] == 2
    thorough.write(tmp_path)
    loaded = ScannIndex.read(tmp_path, database, thorough.settings)
    assert recall(loaded) == recall(thorough)
    with pytest.raises(ValueError, match="`leaves_to_search` must be at most"):
        with_tree.with_search_settings(leaves_to_search=51)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_compact_index_reads_candidates_from_the_file(database, tmp_path, dtype):
    np.save(tmp_path / "rows.npy", database.astype(dtype))
    rows = np.load(tmp_path / "rows.npy", mmap_mode="r")
    settings = {**TREE, "leaves_to_search": 20, "reorder": "memory_mapped"}
    index = ScannIndex.build(rows, settings)
    folder = tmp_path / "index"
    folder.mkdir()
    index.write(folder)
    assert {path.name for path in folder.glob("*dataset*")} == {
        "hashed_dataset.npy",
        "hashed_dataset_soar.npy",
    }
    assert (index.search(database[:50], 1)[1][:, 0] == np.arange(50)).mean() > 0.9


def test_soar_is_left_out_of_other_lengths_than_1(database, caplog):
    index = ScannIndex.build(2 * database, {"num_leaves": 50})
    assert index.settings["soar_lambda"] == 0
    assert index.settings["leaves_to_search"] == 6
    assert not caplog.records
    ScannIndex.build(2 * database, {"num_leaves": 50, "soar_lambda": 1.5})
    assert "descriptors of length 1" in caplog.text


@pytest.mark.parametrize("num_leaves", [1, 2, 16])
def test_soar_of_few_leaves_finds_all(database, num_leaves, tmp_path):
    rows = database[:20]
    settings = {"num_leaves": num_leaves, "leaves_to_search": num_leaves}
    ScannIndex.build(rows, settings).write(tmp_path)
    index = ScannIndex.read(tmp_path, rows, settings)
    _, ids = index.search(rows, 20)
    np.testing.assert_array_equal(np.sort(ids), np.tile(np.arange(20), (20, 1)))


def test_index_from_before_soar_is_read(database, tmp_path):
    index = ScannIndex.build(database, {**TREE, "soar_lambda": 0.0})
    index.write(tmp_path)
    settings = {k: v for k, v in index.settings.items() if k != "soar_lambda"}
    read = ScannIndex.read(tmp_path, database, settings)
    assert read.settings == index.settings
    for got, expected in zip(
        read.search(database[:9], 5), index.search(database[:9], 5), strict=True
    ):
        np.testing.assert_array_equal(got, expected)


def test_pickle_in_a_folder_is_not_opened(database, with_tree, tmp_path):
    with_tree.write(tmp_path)
    (tmp_path / "scann_docids.pkl").write_bytes(b"anything")
    index = ScannIndex.read(tmp_path, database, with_tree.settings)
    for got, expected in zip(
        index.search(database[:9], 2), with_tree.search(database[:9], 2), strict=True
    ):
        np.testing.assert_array_equal(got, expected)


_WITHOUT_TENSORFLOW = """
import sys
import numpy as np
from vpr_tf.search import ScannIndex
rows = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
ScannIndex.build(rows, {"structure": "quantized"}).search(rows, 2)
assert "tensorflow" not in sys.modules
import tensorflow
from scann import scann_ops
searcher = scann_ops.builder(rows, 2, "squared_l2").score_brute_force().build()
assert searcher.search_batched(rows[:3])[0].numpy()[:, 0].tolist() == [0, 1, 2]
"""


def test_tensorflow_is_imported_only_when_asked_for():
    subprocess.run(
        [sys.executable, "-c", _WITHOUT_TENSORFLOW],
        check=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
    )


@pytest.mark.parametrize("length", [1.0, 2.0])
@pytest.mark.parametrize("settings", [TREE, {"structure": "quantized"}])
def test_codes_of_pieces_are_searched_as_those_of_all_rows(
    settings, length, database, tmp_path, monkeypatch
):
    rows = database.astype(np.float16) * np.float16(length)
    settings = settings | {"reorder": "memory_mapped"}
    whole = ScannIndex.build(rows, settings)
    monkeypatch.setattr(scann_pieces, "_PIECE_VALUES", 500 * rows.shape[1])
    joined = ScannIndex.build(rows, settings)
    _, exact = ExactIndex.build(rows).search(rows, 20)
    found, expected = (
        np.mean(index.search(rows, 20)[1] == exact) for index in (joined, whole)
    )
    assert found > expected - 0.02
    joined.write(tmp_path)
    again = ScannIndex.read(tmp_path, rows, joined.settings)
    np.testing.assert_array_equal(again.search(rows, 5)[1], joined.search(rows, 5)[1])
