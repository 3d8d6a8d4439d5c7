from pathlib import Path

import pytest

from vpr_tf.config import (
    ConfigError,
    CosineScheduleConfig,
    DivideAndClassifyConfig,
    ExperimentConfig,
    HierarchicalConfig,
    HypersphereHeadConfig,
    PartitionConfig,
    PlaceHeadConfig,
    PlanetConfig,
    SoftLabelHeadConfig,
    config_from_values,
    load_config,
    save_config,
)

CONFIGS = sorted((Path(__file__).resolve().parents[3] / "configs").rglob("*.yaml"))
MINIMAL = "name: a\ndataset: {path: d}\n"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return path


def test_load_config_merges_file_and_overrides(tmp_path):
    path = write(tmp_path, MINIMAL + "train: {batch_size: 8, epochs: 2}\n")
    config = load_config(path, ["train.batch_size=16", "build.tests.v1.database=x",
                                "build.tests.v1.queries=y"])  # fmt: skip
    assert config.train.batch_size == 16
    assert config.train.epochs == 2
    assert config.build.tests["v1"].queries == "y"


def test_saved_config_loads_equal(tmp_path):
    config = load_config(
        write(tmp_path, MINIMAL),
        ["train.encoder_optimizer.arguments={weight_decay: 0.1}"],
    )
    save_config(config, tmp_path / "saved.yaml")
    assert load_config(tmp_path / "saved.yaml") == config


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configs_load_and_have_a_header(path):
    assert isinstance(load_config(path), ExperimentConfig)
    header = path.read_text().split("name:")[0]
    assert "Expected" in header
    assert "Command" in header


@pytest.mark.parametrize(
    ("text", "overrides", "message"),
    [
        (MINIMAL + "train: {batchsize: 3}", [], "train.batchsize"),
        (MINIMAL + "train: {batch_size: x}", [], "train.batch_size"),
        (
            MINIMAL,
            ["train.head={name: hypersphere_regression, angles_deg: [45, 15]}"],
            "`train.head.angles_deg` must be two angles between -90 and 90",
        ),
        (MINIMAL, ["train.batch_size=0"], "`train.batch_size` must be between 1 and"),
        (MINIMAL, ["train.precision=int8"], "`train.precision` must be one of"),
        (MINIMAL, ["evaluation.recall_values=[5,1]"], "recall_values"),
        (MINIMAL, ["build.partition.group_order=x"], "build.partition.group_order"),
        (MINIMAL, ["train.batch_size"], "must look like"),
        ("name: a", [], "dataset.path"),
        ("name: [a", [], "not valid YAML"),
        ("- a", [], "must hold a mapping"),
        (MINIMAL + "train: 3", [], "`train` must be a mapping"),
        (MINIMAL + "train:", [], "`train` is empty"),
        (MINIMAL, ["train.batchsize=3"], "`train.batchsize`. Did you mean batch_size?"),
        (MINIMAL, ["base=a.yaml"], "`base` stands in config files"),
        (MINIMAL + "base: [a]", [], "`base` must be a file name"),
        (MINIMAL, ["encoder.backbone=ResNet34"], "encoder.backbone.*'ResNet34'"),
        (MINIMAL, ["encoder.backbone=resnet18"], "Did you mean ResNet18?"),
        (MINIMAL, ["encoder.train_from_stage=99"], "between 0 .* and 5 .*ResNet18"),
        (MINIMAL, ["encoder.last_stage=5"], "a stage of ResNet18, 0 to 4"),
        (
            MINIMAL,
            ["train.head_optimizer.name=adam"],
            "`train.head_optimizer.name` must be one of .*Did you mean Adam?",
        ),
        (
            MINIMAL,
            ["encoder.aggregation={name: gemm}"],
            "`encoder.aggregation.name` .*Did you mean gem?",
        ),
        (
            MINIMAL,
            ["encoder.aggregation={name: netvlad, p: 3}"],
            "`encoder.aggregation.p` belongs to gem, and `encoder.aggregation.name` is",
        ),
        (MINIMAL, ["encoder.aggregation=gem"], "must be a mapping"),
        (
            MINIMAL,
            ["evaluation.milvus_uri=http://a", "evaluation.index=exact"],
            "`evaluation.index` must be milvus, since `evaluation.milvus_uri` is set",
        ),
        (
            MINIMAL,
            ["build.partition.max_images_per_class=9"],
            "`build.partition.max_images_per_class` belongs to planet, and "
            "`build.partition.method` is cosplace",
        ),
        (MINIMAL, ["build.partition.cellsize=9"], "has no field `cellsize`"),
        (
            MINIMAL,
            ["train.head={name: cross_entropy, scale: 3}"],
            "`train.head.scale` belongs to cosine_margin, angular_margin",
        ),
        (
            MINIMAL,
            ["train.head.position_noise_m=2"],
            "`train.head.position_noise_m` belongs to soft_labels, von_mises_fisher, ",
        ),
        (
            MINIMAL,
            ["train.head={name: soft_labels, position_noise_m: -1}"],
            "`train.head.position_noise_m` must be between 0 and",
        ),
        (
            MINIMAL,
            [
                "train.head={name: soft_labels, position_noise_m: 2}",
                "train.objectives=[{name: vicreg}]",
            ],
            "`train.head.position_noise_m` needs heads over classes",
        ),
        (MINIMAL, ["train.schedule.factor=0.5"], "belongs to reduce_on_plateau"),
        (MINIMAL, ["train.export=sometimes"], "`train.export` must be one of best"),
        (MINIMAL, ["train.checkpoints_to_keep=2"], "`train.checkpoints_to_keep` must"),
        (MINIMAL, ["train.epochs=true"], ": `train.epochs`: Value 'True' of type 'b"),
        (
            MINIMAL,
            ["train.augmentation.extra={name: Cutout}"],
            "`train.augmentation.extra` must be a list",
        ),
        (
            MINIMAL,
            ["train.encoder_optimizer.lr=1"],
            "no field `train.encoder_optimizer.lr`. Known: name, learning_rate",
        ),
        (
            MINIMAL,
            ["encoder.aggregation.name=mixvpr"],
            "`encoder.image_size` must be a number of pixels",
        ),
    ],
)
def test_wrong_config_is_one_error_that_names_the_field(
    tmp_path, text, overrides, message
):
    message = message.replace("[", "\\[").replace("?", "\\?")
    with pytest.raises(ConfigError, match=message):
        load_config(write(tmp_path, text), overrides)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.yaml"):
        load_config(tmp_path / "absent.yaml")


@pytest.mark.parametrize("tag", ["!!timestamp x", "!!binary é", "!!int x", "!!set x"])
def test_tags_with_other_text_are_not_valid(tag, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(f"{MINIMAL}seed: {tag}\n")
    with pytest.raises(ConfigError):
        load_config(path)
    path.write_text(MINIMAL)
    with pytest.raises(ConfigError):
        load_config(path, [f"seed={tag}"])


# === base ===


def write_files(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)


def test_a_file_holds_what_differs_from_its_base(tmp_path):
    (tmp_path / "deep").mkdir()
    write_files(tmp_path, ground=MINIMAL + "train: {epochs: 2, batch_size: 8}\n")
    write_files(tmp_path / "deep", middle="base: ../ground.yaml\nname: b\n")
    write_files(tmp_path, top="base: deep/middle.yaml\ntrain: {batch_size: 4}\n")
    config = load_config(tmp_path / "top.yaml", ["seed=7"])
    assert (config.name, config.dataset.path, config.seed) == ("b", "d", 7)
    assert (config.train.epochs, config.train.batch_size) == (2, 4)


def test_null_takes_back_what_the_base_has(tmp_path):
    sets = "build: {val: {database: a, queries: b}}\n"
    write_files(tmp_path, ground=MINIMAL + sets)
    write_files(tmp_path, top="base: ground.yaml\nbuild: {val: null}\n")
    assert load_config(tmp_path / "top.yaml").build.val is None


def test_bases_in_a_circle_are_refused_with_their_names(tmp_path):
    write_files(tmp_path, a="base: b.yaml\n", b="base: a.yaml\n")
    with pytest.raises(ConfigError, match=r"circle: .*a\.yaml -> .*b\.yaml -> .*a\."):
        load_config(tmp_path / "a.yaml")


def test_a_missing_base_is_named_with_its_reader(tmp_path):
    write_files(tmp_path, a="base: b.yaml\n")
    with pytest.raises(ConfigError, match=r"a\.yaml: there is no file .*b\.yaml"):
        load_config(tmp_path / "a.yaml")


def test_another_method_does_not_inherit_what_it_has_not(tmp_path):
    head = "train: {head: {name: angular_margin, margin: 0.2, hidden_layers: 1}}\n"
    write_files(tmp_path, ground=MINIMAL + head)
    write_files(tmp_path, top="base: ground.yaml\ntrain: {head: {name: soft_labels}}\n")
    expected = SoftLabelHeadConfig(hidden_layers=1)
    assert load_config(tmp_path / "top.yaml").train.head == expected
    overrides = ["train.head.name=soft_labels"]
    assert load_config(tmp_path / "ground.yaml", overrides).train.head == expected
    cosine = load_config(tmp_path / "ground.yaml", ["train.head.name=cosine_margin"])
    assert cosine.train.head.margin == 0.2


# === Methods ===


def test_a_section_is_the_dataclass_of_its_method(tmp_path):
    overrides = [
        "build.partition={method: hierarchical, s2_max_level: 18}",
        "encoder.aggregation={name: netvlad, num_clusters: 8}",
        "train.schedule={name: cosine, final_fraction: 0.1}",
        "train.head={name: hypersphere_regression}",
    ]
    config = load_config(write(tmp_path, MINIMAL), overrides)
    assert config.build.partition == HierarchicalConfig(s2_max_level=18)
    assert config.encoder.aggregation.options() == {
        "name": "netvlad",
        "num_clusters": 8,
    }
    assert config.train.schedule == CosineScheduleConfig(final_fraction=0.1)
    assert config.train.head == HypersphereHeadConfig()
    save_config(config, tmp_path / "saved.yaml")
    assert load_config(tmp_path / "saved.yaml") == config


def test_the_partition_is_named_once(tmp_path):
    path = write(tmp_path, MINIMAL + "build: {partition: {name: fine}}\n")
    assert load_config(path).partition_name == "fine"
    assert load_config(path, ["dataset.partition=other"]).partition_name == "other"


def test_a_run_of_a_former_version_loads_with_the_same_meaning(tmp_path):
    sections = """
build:
  partition: {name: planet, method: planet, cell_size_m: 10, heading_bin_deg: 30,
    cell_stride: 5, heading_stride: 2, min_images_per_class: 10,
    group_order: canonical, missing_heading: reject, heading_360: zero,
    max_images_per_class: 60, max_images_per_level: [500, 200, 100], s2_max_level: 20,
    s2_base_level: 19, num_classes: 200, seed: 0}
encoder: {aggregation: {name: gem}}
train:
  schedule: {name: cosine, warmup_steps: 0, final_fraction: 0.05, factor: 0.1,
    patience_epochs: 5}
  head: {name: von_mises_fisher, scale: 30.0, margin: 0.4, hidden_layers: 1,
    regression_loss: l2}
"""
    config = load_config(write(tmp_path, MINIMAL + sections), ["train.epochs=3"])
    assert config.build.partition == PlanetConfig("planet", max_images_per_class=60)
    assert config.train.schedule == CosineScheduleConfig(final_fraction=0.05)
    assert config.train.head == PlaceHeadConfig("von_mises_fisher", 1)


def test_a_partition_on_disk_has_a_config():
    config = DivideAndClassifyConfig("dc", cell_size_m=20)
    parameters = config.parameters()
    assert parameters["heading_bin_deg"] == 360
    assert PartitionConfig.from_parameters(parameters) == config


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf"])
def test_numbers_must_be_finite(tmp_path, number):
    path = tmp_path / "a.yaml"
    path.write_text(f"name: a\nlocalization: {{cluster_radius_m: {number}}}")
    with pytest.raises(ConfigError, match=r"cluster_radius_m` must be a finite number"):
        load_config(path)


@pytest.mark.parametrize(
    "text", ["train: {head: {kind: [a]}}", "name: " + "[" * 2000, "seed: " + "1" * 5000]
)
def test_values_that_no_config_has_are_one_error(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"a\.yaml"):
        load_config(tmp_path / "a.yaml")


def test_extra_augmentations_are_recorded_whole(tmp_path):
    given = "train.augmentation.extra=[{name: RandomPerspective, factor: 0.3}]"
    config = config_from_values({"name": "x", "dataset": {"path": "d"}}, [given])
    save_config(config, tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml") == config
    assert "probability: 0.5" in (tmp_path / "config.yaml").read_text()
    wrong = given.replace("Perspective", "Perspectiv")
    with pytest.raises(ConfigError, match=r"extra\[0\].* mean RandomPerspective"):
        config_from_values({"name": "x", "dataset": {"path": "d"}}, [wrong])
