import pytest

from vpr_tf.config import ConfigError
from vpr_tf.training.process import (
    create_strategy,
    is_chief,
    num_workers,
    sum_over_workers,
    values_of_chief,
)


@pytest.mark.parametrize("name", ["one_device", "mirrored"])
def test_strategies_of_one_process(name):
    strategy = create_strategy(name)
    assert strategy.num_replicas_in_sync == 1
    assert num_workers(strategy) == 1
    assert is_chief(strategy)
    assert sum_over_workers(strategy, [1.5, 2.0]) == [1.5, 2.0]
    assert values_of_chief(strategy, [0.1]) == [0.1]


def test_several_workers_need_tf_config(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ConfigError, match=r"TF_CONFIG in every process, e\.g\."):
        create_strategy("multi_worker")


def test_unknown_strategy_is_refused():
    with pytest.raises(ConfigError, match="one_device, mirrored, multi_worker"):
        create_strategy("tpu")
