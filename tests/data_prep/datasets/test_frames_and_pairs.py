"""Sets whose positives are frames and pairs, as distances on a grid of their own."""

import pytest

from data_prep.errors import DataPrepError
from tests.data_prep.datasets import trees
from tests.data_prep.datasets.prepared_tables import listed, photos_of
from vpr_tf.evaluation.positives import positives_per_query


def positives(prepared):
    database, queries = (
        photos_of(prepared, f"test-{role}").photos.positions
        for role in ("database", "queries")
    )
    return [rows.tolist() for rows in positives_per_query(queries, database, 25.0)]


def test_nordland_counts_ten_frames_as_25_m(tmp_path, prepare):
    names = [f"{number:05d}.png" for number in range(30)]
    trees.frames(tmp_path / "raw", {"summer": names, "winter": names})
    clean = [name for name in names if name != "00003.png"]
    (tmp_path / "raw" / "cleanImageNames.txt").write_text("\n".join(clean))
    prepared = prepare("nordland")
    assert listed(prepared) == {"test-database": 29, "test-queries": 29}
    found = positives(prepared)
    assert found[0] == list(range(11))
    assert found[15] == list(range(5, 26))
    check = prepared.checks[0]
    assert check.num_left_out == 1
    assert not check.has_expected_count


def test_nordland_2760_matches_ten_times_the_number(tmp_path, prepare):
    database = [f"{number:05d}.jpg" for number in range(31)]
    trees.frames(
        tmp_path / "raw", {"ref": database, "query": ["0.jpg", "1.jpg", "2.jpg"]}
    )
    assert positives(prepare("nordland_2760")) == [[0, 1], [9, 10, 11], [19, 20, 21]]


@pytest.mark.parametrize(
    ("name", "database", "queries", "suffix"),
    [
        ("amstertime", "new", "old", "png"),
        ("sped", "ref", "query", "jpg"),
        ("sped", "SPEDTEST/ref", "SPEDTEST/query", "jpg"),
    ],
)
def test_pairs_match_their_own_number_only(
    tmp_path, prepare, name, database, queries, suffix
):
    files = {
        database: [f"{n}.{suffix}" for n in (0, 7, 10)],
        queries: [f"{n}.jpg" for n in (10, 0, 7)],
    }
    trees.frames(tmp_path / "raw", files)
    prepared = prepare(name)
    # Both are in the order of their names.
    assert positives(prepared) == [[0], [1], [2]]


def test_a_pair_without_a_number_is_refused(tmp_path, prepare):
    trees.frames(tmp_path / "raw", {"new": ["1.png", "one.png"], "old": ["1.jpg"]})
    with pytest.raises(DataPrepError, match=r"one\.png must be named by the number"):
        prepare("amstertime")
