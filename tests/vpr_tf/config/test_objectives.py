import json
from pathlib import Path

import pytest

from vpr_tf.config import (
    OBJECTIVES,
    ConfigError,
    config_from_values,
    config_yaml,
    load_config,
)

LABELS = "[{name: class_heads}, {name: pseudo_labels}]"
PAGE = Path(__file__).resolve().parents[3] / "docs" / "training.md"


def train_config(*overrides):
    values = {"name": "x", "dataset": {"path": "d"}}
    return config_from_values(values, [f"train.{one}" for one in overrides]).train


def test_heads_alone_are_the_default():
    assert train_config().objectives == [{"name": "class_heads", "weight": 1.0}]
    assert train_config().views_per_photo == 1


def test_a_run_records_all_fields_and_reads_them_again(tmp_path):
    objectives = "[{name: sup_con, miner: {epsilon: 0.2}}, {name: vicreg, weight: 0.1}]"
    values = {"name": "x", "dataset": {"path": "d"}}
    config = config_from_values(
        values, ["train.photos_per_class=4", f"train.objectives={objectives}"]
    )
    mined, views = config.train.objectives
    assert mined["miner"] == {"name": "multi_similarity", "epsilon": 0.2}
    assert (mined["temperature"], views["covariance"]) == (0.07, 1.0)
    assert config.train.views_per_photo == 2
    (tmp_path / "again.yaml").write_text(config_yaml(config))
    assert load_config(tmp_path / "again.yaml") == config


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["objectives=[{name: vicrag}]"], r"objectives\[0\]\.name.*mean vicreg\?"),
        (["objectives=[vicreg]"], r"objectives\[0\]` must be a mapping with a name"),
        (["objectives=[{name: vicreg, margin: 1}]"], r"\[0\]\.margin` belongs to trip"),
        (["objectives=[{name: vicreg, projector_dim: 0}]"], r"projector_dim.*: 0"),
        (["objectives=[{name: triplet, projector_dim: 8}]"], r"belongs to vicreg"),
        (["objectives=[{name: vicreg, varianc: 1}]"], r"no field `varianc`\. Did you"),
        (["objectives=[{name: vicreg, variance: x}]"], r"\(vicreg\): Value 'x'"),
        (["objectives=[{name: simclr, temperature: 0}]"], r"\[0\]\.temperature` must"),
        (
            ["objectives=[{name: simclr, weight: .nan}]"],
            r"\[0\]\.weight` must be above",
        ),
        (["objectives=[{name: circle}]"], r"\[0\]` \(circle\) needs several photos"),
        (
            ["objectives=[{name: circle}]", "photos_per_class=32"],
            "needs photos of two classes in a batch",
        ),
        (
            ["objectives=[{name: class_heads}, {name: class_heads}]"],
            "lists class_heads twice",
        ),
        (["objectives=[{name: vicreg}]", "input=descriptors"], "it stays as it is"),
        (
            [
                "objectives=[{name: vicreg}]",
                "schedule={name: reduce_on_plateau, monitor: val_loss}",
            ],
            "val_loss` needs heads over classes",
        ),
        (
            ["objectives=[{name: triplet, mining: semi_hard, soft: true}]"],
            "soft` has no margin",
        ),
        (["objectives=[{name: distillation}]"], "learns from a teacher, and there is"),
        (["teacher.model=x.keras"], "`train.teacher` is of no use: none of"),
        (["teacher={model: ''}"], r"teacher\.model` must be the name of a model"),
        (["teacher.model=run:a/b"], "run:NAME` must be a name"),
        (["teacher={model: x, projection: lda}"], "projection` must be one of pca, r"),
        (["teacher={model: x, image_size: 0}"], r"teacher\.image_size` must be betw"),
        (
            ["teacher={modle: x}"],
            r"no field `train\.teacher\.modle`\. Did you mean mod",
        ),
        (
            [
                "objectives=[{name: distillation, descriptor: 0, relation: 0}]",
                "teacher.model=x.keras",
            ],
            "learns nothing with `descriptor: 0`",
        ),
        (["objectives=[{name: domain_adversarial}]"], "needs photos of the domain to"),
        (["target.split=val-queries"], "`train.target` is of no use: none of"),
        (
            ["target.split=train", "augmentation.extra=[{name: FourierMixing}]"],
            r"target\.split` must be another split than the one",
        ),
        (
            [
                "augmentation.extra=[{name: RandomChoice, choices: [{name: Fourier"
                "Mixing}]}]"
            ],
            "FourierMixing, which needs photos to mix",
        ),
        (["target={split: x, photos_per_batch: 0}"], "photos_per_batch` must be betw"),
        (
            [
                "target.split=val-queries",
                "objectives=[{name: domain_adversarial, reversal: -1}]",
            ],
            r"\[0\]\.reversal` must be 0 or more",
        ),
        (
            ["target.split=x", "objectives=[{name: pseudo_labels}]"],
            r"\[0\]` \(pseudo_labels\) is what heads .* no class_heads",
        ),
        (
            ["target.split=val-queries", f"objectives={LABELS}"],
            "calibrate by their true positions",
        ),
        ([f"objectives={LABELS}"], "pseudo_labels. needs photos of the domain to"),
        (
            [
                "target.split=x",
                f"objectives={LABELS[:-1]}, {{name: pseudo_labels}}]",
            ],
            "lists pseudo_labels twice, and a photo has one label",
        ),
        (
            ["target.split=x", f"objectives={LABELS[:-2]}, min_confidence: 2}}]"],
            r"min_confidence` must be between 0 and 1",
        ),
        (["photos_per_class=5"], "batch_size` must be a multiple of .*5. Rec.*32"),
        (["gradient_cache_chunk=8", "jit_compile=true"], "jit_compile` must be false"),
    ],
)
def test_what_cannot_be_learnt_is_refused_with_the_reason(overrides, message):
    with pytest.raises(ConfigError, match=message):
        train_config(*overrides)


def test_heads_that_localize_must_be_trained():
    values = {"name": "x", "dataset": {"path": "d"}}
    overrides = [
        "train.objectives=[{name: vicreg}]",
        "evaluation.method=classification",
    ]
    with pytest.raises(ConfigError, match="classification` needs heads over classes"):
        config_from_values(values, overrides)


def test_photos_of_the_target_are_as_many_as_the_others():
    objectives = "objectives=[{name: class_heads}, {name: domain_adversarial}]"
    assert train_config(objectives, "target.split=x").target_photos_per_batch == 32
    few = train_config(objectives, "target={split: x, photos_per_batch: 4}")
    assert few.target_photos_per_batch == 4
    mixing = "augmentation.extra=[{name: FourierMixing}]"
    assert train_config(mixing, "target.split=x").target_photos_per_batch == 0


def test_two_views_are_positives():
    objectives = "objectives=[{name: sup_con}, {name: simclr}]"
    assert train_config(objectives).views_per_photo == 2


def test_the_page_of_training_has_every_objective_and_its_defaults():
    rows = PAGE.read_text().splitlines()
    for name, config_class in OBJECTIVES.classes.items():
        (row,) = [line for line in rows if line.startswith(f"| `{name}` |")]
        for field, value in config_class(name=name).settings.items():
            text = value if isinstance(value, str) else json.dumps(value)
            assert f"`{field}: {text}`" in row, row
