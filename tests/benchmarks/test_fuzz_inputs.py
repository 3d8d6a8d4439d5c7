import random
import warnings

import pytest

from benchmarks.fuzz_inputs import judge, kinds, make_input
from benchmarks.fuzz_mutations import mutated_bytes, mutated_json, mutated_value

KINDS = kinds()
SLOW = {"configs": 40}  # a config takes as long as all others together


@pytest.mark.parametrize("name", KINDS)
def test_damaged_inputs_are_refused_or_possible(name, tmp_path):
    accepted = refused = 0
    for number in range(SLOW.get(name, 200)):
        make_input(KINDS[name], name, 7, number, tmp_path / "input")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of NumPy, of numbers beyond its own
            is_accepted, finding = judge(KINDS[name], tmp_path / "input")
        assert not finding, f"--seed 7 --only {name}:{number}"
        accepted += is_accepted
        refused += not is_accepted
    assert accepted
    assert refused


def test_inputs_follow_from_seed_and_number(tmp_path):
    for name, kind in KINDS.items():
        first, again, other = (
            kind.make(random.Random(f"{seed}:{name}:5")) for seed in (1, 1, 2)
        )
        assert first == again
        assert first != other


def test_errors_that_are_not_documented_and_impossible_values_are_findings(tmp_path):
    kind = KINDS["headers"]
    make_input(kind, "headers", 0, 0, tmp_path)
    kind_of_wrong_reader = type(kind)(kind.make, lambda folder: 1 / 0, kind.errors)
    accepted, finding = judge(kind_of_wrong_reader, tmp_path)
    assert not accepted
    assert finding.startswith("ZeroDivisionError at test_fuzz_inputs.py")
    kind_that_accepts = type(kind)(kind.make, lambda folder: ["size"], kind.errors)
    assert judge(kind_that_accepts, tmp_path) == (True, "size")


def test_mutations_change_most_values_and_leave_the_original():
    value = {"a": [1, 2.5, {"b": "text"}], "c": None}
    rng = random.Random(0)
    assert sum(mutated_value(rng, value) != value for _ in range(100)) > 70
    assert value == {"a": [1, 2.5, {"b": "text"}], "c": None}
    assert len({mutated_bytes(rng, b"0123456789") for _ in range(100)}) > 70
    assert len({mutated_json(rng, value) for _ in range(100)}) > 50
