import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpr_tf.config import (
    CosineScheduleConfig,
    CyclicalScheduleConfig,
    PolynomialScheduleConfig,
    ScheduleConfig,
)
from vpr_tf.training.optimizers import schedule_factor


def test_constant_stays_at_one():
    config = ScheduleConfig()
    assert [schedule_factor(config, step, 10) for step in (0, 5, 9)] == [1, 1, 1]


def test_warmup_rises_linearly_to_the_base_rate():
    config = ScheduleConfig(warmup_steps=4)
    factors = [schedule_factor(config, step, 100) for step in range(6)]
    assert factors == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1])


def test_cosine_falls_from_one_to_the_final_fraction():
    config = CosineScheduleConfig(final_fraction=0.1, warmup_steps=2)
    factors = [schedule_factor(config, step, 13) for step in range(13)]
    assert factors[2] == 1
    assert factors[7] == pytest.approx(0.55)
    assert factors[-1] == pytest.approx(0.1)


@given(st.integers(0, 50), st.integers(1, 60), st.floats(0, 1))
def test_cosine_never_leaves_its_range(warmup_steps, total_steps, final_fraction):
    config = CosineScheduleConfig(
        warmup_steps=warmup_steps, final_fraction=final_fraction
    )
    for step in range(total_steps + 5):
        factor = schedule_factor(config, step, total_steps)
        assert 0 <= factor <= 1 + 1e-9
        assert step < warmup_steps or factor >= final_fraction - 1e-9


def test_polynomial_falls_to_the_final_fraction():
    config = PolynomialScheduleConfig(power=2.0, final_fraction=0.2, warmup_steps=1)
    factors = [schedule_factor(config, step, 12) for step in range(12)]
    assert factors[1] == 1
    assert factors[6] == pytest.approx(0.2 + 0.8 * 0.25)
    assert factors[-1] == pytest.approx(0.2)


def test_cyclical_equals_golden_values(golden_dir):
    with np.load(golden_dir / "research" / "tensorflow_addons.npz") as file:
        expected = file["schedule/triangular2_1e-4_1e-2_step10"]
    config = CyclicalScheduleConfig(half_cycle_steps=10, cycle_factor=0.5)
    rates = [0.01 * schedule_factor(config, step, 60) for step in range(60)]
    np.testing.assert_allclose(rates, expected, rtol=1e-4)
