import pytest

from benchmarks.ablation_plan import plan
from tests.benchmarks.method_cases import write_experiment
from vpr_tf.config import ConfigError

HEADS = ["angular_margin", "cosine_margin", "cross_entropy"]


def test_plan_varies_one_thing_at_a_time(tmp_path):
    base = write_experiment(tmp_path)
    variants = plan(base, [20, 50, 100], [1, 2, 3], HEADS)
    assert [v.experiment.config.name for v in variants] == [
        "dc",
        "dc_m50_n2",
        "dc_m100_n2",
        "dc_m20_n1",
        "dc_m20_n3",
        "dc_cosine_margin",
        "dc_cross_entropy",
    ]
    assert variants[0].experiment is base
    for variant in variants:
        config = variant.experiment.config
        partition = config.build.partition
        values = (partition.cell_size_m, partition.cell_stride, config.train.head.name)
        assert values == (variant.cell_size_m, variant.stride, variant.head)
        assert config.partition_name == partition.name
    names = {v.experiment.config.build.partition.name for v in variants}
    assert names == {"dc_m20_n2", "dc_m50_n2", "dc_m100_n2", "dc_m20_n1", "dc_m20_n3"}


def test_every_variant_sees_as_many_samples_in_each_group(tmp_path):
    for variant in plan(write_experiment(tmp_path), [], [1, 3], []):
        train = variant.experiment.config.train
        assert train.groups_num == variant.stride**2
        assert train.epochs % train.groups_num == 0
        steps = train.epochs * train.iterations_per_epoch
        assert steps == pytest.approx(16 * 117, rel=0.01)


def test_overrides_hold_for_all_variants(tmp_path):
    base = write_experiment(tmp_path, "dc", "train.epochs=4", "seed=7")
    for variant in plan(base, [50], [1], ["cross_entropy"]):
        config = variant.experiment.config
        assert config.seed == 7
        assert config.train.epochs == 4


def test_config_with_another_partition_is_refused(tmp_path):
    base = write_experiment(tmp_path, "dc", "build.partition.method=planet")
    with pytest.raises(ConfigError, match=r"Received: .*'planet'"):
        plan(base, [50], [], [])
