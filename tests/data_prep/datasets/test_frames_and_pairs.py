"""Sets whose positives are frames and pairs, as distances on a grid of their own."""

import pytest

from data_prep.errors import DataPrepError
from tests.data_prep.datasets import trees
from tests.data_prep.datasets.prepared_tables import listed, photos_of, rows_of
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
    # As strings 10.jpg would come before 2.jpg.
    names = {"ref": range(121), "query": range(12)}
    trees.frames(
        tmp_path / "raw",
        {folder: [f"{n}.jpg" for n in numbers] for folder, numbers in names.items()},
    )
    found = positives(prepare("nordland_2760"))
    assert found[0] == [0, 1]
    assert found[1:] == [[10 * n - 1, 10 * n, 10 * n + 1] for n in range(1, 12)]


def test_a_nordland_frame_that_is_missing_moves_no_other(tmp_path, prepare):
    names = [f"{number:05d}.png" for number in range(30)]
    summer = [name for name in names if name != "00003.png"]
    trees.frames(tmp_path / "raw", {"summer": summer, "winter": names})
    # The list has an order of its own.
    (tmp_path / "raw" / "cleanImageNames.txt").write_text("\n".join(names[::-1]))
    prepared = prepare("nordland")
    assert prepared.checks[0].missing == ("summer/00003.png",)
    database, queries = (
        rows_of(prepared, f"test-{r}") for r in ("database", "queries")
    )
    assert [row["y_m"] for row in database] == [row["y_m"] for row in queries]
    assert queries[-1]["path"] == "winter/00000.png"
    assert queries[-1]["y_m"] == "69.05"  # 29 frames of 25 / 10.5 m


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
