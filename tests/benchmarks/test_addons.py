"""`make addons` compares what it is given; here, with our own values."""

import numpy as np
import pytest

from benchmarks import addons
from benchmarks.addons_values import draw_inputs


@pytest.fixture(scope="module")
def values():
    inputs = dict(draw_inputs())
    own = {name: np.array(value) for name, value in addons.compute(inputs)}
    return inputs | own


def test_equal_values_are_said_to_be_equal(values, tmp_path, capsys):
    np.savez(tmp_path / "values.npz", **values)
    assert addons.main([str(tmp_path / "values.npz")]) == 0
    assert "all equal" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [1.001, np.nan])
def test_another_value_ends_with_an_error(values, tmp_path, capsys, wrong):
    changed = values | {"loss/n_pairs": values["loss/n_pairs"] * wrong}
    np.savez(tmp_path / "values.npz", **changed)
    assert addons.main([str(tmp_path / "values.npz")]) == 1
    assert "NOT EQUAL" in capsys.readouterr().out
