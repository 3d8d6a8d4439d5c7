"""Ground truth whose rows are those of other queries."""

import numpy as np
import pytest

from vpr_tf.evaluation import evaluate
from vpr_tf.evaluation.agreement import agree_elsewhere, rows_off
from vpr_tf.geo import Positions
from vpr_tf.report.suspects import suspect_labels

NUM_PLACES, PER_PLACE = 30, 4
RNG = np.random.default_rng(0)
CENTRES = RNG.normal(size=(NUM_PLACES, 64))
EAST_M = 548_000.0 + 400 * np.arange(NUM_PLACES)


def at(east_m):
    zones = np.full(len(east_m), 10)
    return Positions.from_utm(east_m, np.full(len(east_m), 4_173_000.0), zones)


DATABASE = np.repeat(CENTRES, PER_PLACE, axis=0)
DATABASE = DATABASE + 0.05 * RNG.normal(size=DATABASE.shape)
PLACES = at(np.repeat(EAST_M, PER_PLACE) + np.tile(np.arange(PER_PLACE), NUM_PLACES))


def evaluated(order, queries=CENTRES):
    return evaluate(DATABASE, PLACES, queries, at(EAST_M[order]))


def warning_of(result):
    found = [text for text in result.warnings if "positions were those of" in text]
    return found[0] if found else ""


def test_right_positions_are_not_warned_of():
    result = evaluated(np.arange(NUM_PLACES))
    assert result.recalls[1] == 100
    assert not warning_of(result)
    assert not suspect_labels(result, PLACES).any()


@pytest.mark.parametrize(("moved", "where"), [(1, "1 row down"), (-3, "3 rows up")])
def test_positions_of_other_rows_are_found_with_their_number(moved, where):
    # What is true of query i is stated in row i + moved.
    order = np.roll(np.arange(NUM_PLACES), moved)
    result = evaluated(order)
    assert result.recalls[1] == 0
    assert rows_off(result, at(EAST_M[order]), PLACES) == moved
    assert "30 of 30 queries lie together" in warning_of(result)
    assert f"takes the position {where}." in warning_of(result)
    assert suspect_labels(result, PLACES).all()  # shown with pictures by a report


def test_shuffled_positions_are_told_without_a_number():
    result = evaluated(np.random.default_rng(1).permutation(NUM_PLACES))
    assert "as if positions were those of other photos" in warning_of(result)
    assert "Most are right if" not in warning_of(result)


def test_an_encoder_that_knows_nothing_is_not_taken_for_wrong_positions():
    noise = np.random.default_rng(2).normal(size=CENTRES.shape)
    result = evaluated(np.arange(NUM_PLACES), noise)
    assert result.recalls[1] < 20
    # Photos of one place look alike, so even its predictions agree.
    assert agree_elsewhere(result, PLACES).mean() > 0.5
    assert not warning_of(result)


def test_some_wrong_positions_among_many_are_suspect_alone():
    order = np.arange(NUM_PLACES)
    order[[3, 20]] = order[[20, 3]]
    result = evaluated(order)
    assert not warning_of(result)
    assert np.flatnonzero(suspect_labels(result, PLACES)).tolist() == [3, 20]
