import pytest

from benchmarks.ablation_plan import Choice, plan
from tests.benchmarks.method_cases import write_experiment
from vpr_tf.config import ConfigError

HEADS = ["angular_margin", "cosine_margin", "cross_entropy"]


def test_plan_varies_one_thing_at_a_time(tmp_path):
    base = write_experiment(tmp_path)
    values = {"cell_size_m": [20, 50, 100], "stride": [1, 2, 3], "head": HEADS}
    values |= {"scale": [30.0, 100.0], "margin": [0.2, 0.35]}
    variants = plan(base, values)
    assert [v.experiment.config.name for v in variants] == [
        "dc",
        "dc_m50_n2",
        "dc_m100_n2",
        "dc_m20_n1",
        "dc_m20_n3",
        "dc_cosine_margin",
        "dc_cross_entropy",
        "dc_scale30",
        "dc_margin0.35",
    ]
    assert variants[0].experiment is base
    for variant in variants:
        config = variant.experiment.config
        partition = config.build.partition
        assert Choice.of(variant.experiment) == variant.choice
        assert config.partition_name == partition.name
    names = {v.experiment.config.build.partition.name for v in variants}
    assert names == {"dc_m20_n2", "dc_m50_n2", "dc_m100_n2", "dc_m20_n1", "dc_m20_n3"}


def test_every_variant_sees_as_many_samples_in_each_group(tmp_path):
    for variant in plan(write_experiment(tmp_path), {"stride": [1, 3]}):
        train = variant.experiment.config.train
        assert train.groups_num == variant.choice.stride**2
        assert train.epochs % train.groups_num == 0
        steps = train.epochs * train.iterations_per_epoch
        assert steps == pytest.approx(16 * 117, rel=0.01)


def test_overrides_hold_for_all_variants(tmp_path):
    base = write_experiment(tmp_path, "dc", "train.epochs=4", "seed=7")
    for variant in plan(
        base, {"cell_size_m": [50], "stride": [1], "head": ["cross_entropy"]}
    ):
        config = variant.experiment.config
        assert config.seed == 7
        assert config.train.epochs == 4


def test_config_with_another_partition_is_refused(tmp_path):
    base = write_experiment(tmp_path, "dc", "build.partition.method=planet")
    with pytest.raises(ConfigError, match=r"Received: .*'planet'"):
        plan(base, {"cell_size_m": [50]})


def test_a_head_without_a_margin_has_none_to_vary(tmp_path):
    base = write_experiment(tmp_path, "ce", "train.head.name=cross_entropy")
    assert Choice.of(base).scale is None
    with pytest.raises(ConfigError, match="cross_entropy has no margin to vary"):
        plan(base, {"margin": [0.2]})
