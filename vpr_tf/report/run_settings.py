"""How the configs of runs differ, and what they share: tables for a paper."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from vpr_tf.config import ExperimentConfig, as_dict
from vpr_tf.tables import Column, Table

# Fields that say where things lie and how they are shown, not what was measured.
_NOT_SETTINGS = (
    *("name", "runs_dir", "savedmodels_dir", "train.export", "build.workers"),
    *("evaluation.queries_to_draw", "evaluation.draw_only_wrong"),
)
# What a reader of a paper asks first.
_MAIN = (
    *("encoder.backbone", "encoder.aggregation.name", "encoder.descriptor_dim"),
    *("encoder.weights", "encoder.train_from_stage", "train.head.name"),
    *("train.encoder_optimizer.name", "train.encoder_optimizer.learning_rate"),
    *("train.head_optimizer.name", "train.head_optimizer.learning_rate"),
    *("train.schedule.name", "train.epochs", "train.iterations_per_epoch"),
    *("train.batch_size", "train.image_size", "train.precision"),
    *("train.groups_num", "build.partition.cell_size_m"),
    *("build.partition.cell_stride", "build.partition.min_images_per_class"),
    *("build.partition.images_kept_per_class", "train.augmentation.extra"),
)

_MISSING = "-"  # a field of another method


def settings_tables(
    configs: Mapping[str, ExperimentConfig], *, has_seeds: bool
) -> list[Table]:
    """Returns what all runs share, and a row a run of the fields that differ.

    Args:
        configs: By the name of the run's row in the table of runs.
        has_seeds: Whether rows stand for several seeds, so that a seed is no setting.
    """
    flat = {name: dict(_fields(as_dict(config))) for name, config in configs.items()}
    columns = [Column("setting", "text"), Column("value", "text")]
    if not flat:
        reason = "No run has a config.yaml."
        return [Table("Settings of all runs", columns, [], reason)]
    hidden = {*_NOT_SETTINGS, *(("seed",) if has_seeds else ())}
    differing = [
        key
        for key in dict.fromkeys(key for fields in flat.values() for key in fields)
        if key not in hidden
        and len({_whole(fields.get(key)) for fields in flat.values()}) > 1
    ]
    first = next(iter(flat.values()))
    shared = [
        [key, _short(first[key])]
        for key in _MAIN
        if key in first and key not in differing
    ]
    tables = [Table("Settings of all runs", columns, shared)]
    if differing:
        tables.append(_differences(flat, differing))
    return tables


def _differences(flat: Mapping[str, Mapping[str, Any]], differing: list[str]) -> Table:
    columns = [Column("run", "name"), *(Column(key, "text") for key in differing)]
    texts = [
        _told_apart([fields.get(key, _MISSING) for fields in flat.values()])
        for key in differing
    ]
    rows = [[name, *cells] for name, *cells in zip(flat, *texts, strict=True)]
    return Table("Settings that differ", columns, rows)


def _told_apart(values: list[Any]) -> list[str]:
    """Returns short texts, or whole ones where different values would look alike."""
    short = [_short(value) for value in values]
    different = len({_whole(value) for value in values})
    return short if len(set(short)) == different else [_whole(v) for v in values]


def _fields(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yields each field by its dotted name."""
    for key, value in values.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping) and value:
            yield from _fields(value, f"{name}.")
        else:
            yield name, value


def _whole(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _short(value: Any) -> str:
    """Returns a value as people write it; of augmentations their names."""
    if value in (None, [], {}):
        return "none"
    is_list = isinstance(value, list)
    if is_list and all(isinstance(each, Mapping) and "name" in each for each in value):
        return ", ".join(str(each["name"]) for each in value)
    return _whole(value)
