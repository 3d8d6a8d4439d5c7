"""Entries of `train.objectives`: read, and compared with what batches hold."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vpr_tf.config.objectives import (
    CLASS_HEADS,
    OBJECTIVES,
    ObjectiveConfig,
)
from vpr_tf.config.rules import ConfigError, check
from vpr_tf.config.target import VAL_QUERIES, TargetConfig

_PATH = OBJECTIVES.path
_PSEUDO_LABELS = "pseudo_labels"
_ONCE = {
    CLASS_HEADS: "a group has one head",
    _PSEUDO_LABELS: "a photo has one label",
}


def objective_of(entry: Any, path: str = _PATH) -> ObjectiveConfig:
    """Returns what an entry of `train.objectives` describes.

    Args:
        entry: `name` and fields of that objective.
        path: Where it stands, for messages.

    Raises:
        ConfigError: There is no such name or field, or a value breaks a rule.

    Example:
        >>> from vpr_tf.config import objective_of
        >>> objective_of({"name": "nt_xent", "temperature": 0.1})
        SoftmaxLossConfig(name='nt_xent', weight=1.0, miner=None, temperature=0.1)
    """
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        raise ConfigError(
            f"`{path}` must be a mapping with a name, such as {{name: triplet, margin: "
            f"0.2}}. Received: {entry!r}"
        )
    methods = dataclasses.replace(OBJECTIVES, path=path)
    methods.check_fields(entry)
    schema = OmegaConf.structured(methods.class_of(entry))
    try:
        made = OmegaConf.to_object(OmegaConf.merge(schema, dict(entry)))
    except ConfigError as error:  # which does not know where the entry stands
        raise ConfigError(str(error).replace(_PATH, path, 1)) from None
    except OmegaConfBaseException as error:
        first = str(error).splitlines()[0]
        raise ConfigError(f"`{path}` ({entry['name']}): {first}") from None
    for name, value in entry.items():
        is_wrong = isinstance(value, float) and not math.isfinite(value)
        check(not is_wrong, f"{path}.{name}", "a finite number", value)
    return cast(ObjectiveConfig, made)


def objectives_of(entries: Sequence[Any]) -> tuple[ObjectiveConfig, ...]:
    """Returns what `train.objectives` lists.

    Raises:
        ConfigError: See `objective_of`; or the heads are listed twice.
    """
    found = tuple(
        objective_of(entry, f"{_PATH}[{number}]")
        for number, entry in enumerate(entries)
    )
    names = [one.name for one in found]
    for name, reason in _ONCE.items():
        if names.count(name) > 1:
            raise ConfigError(
                f"`{_PATH}` lists {name} twice, and {reason}. Leave one out, or change "
                "its `weight`."
            )
    return found


def check_objectives(
    objectives: Sequence[ObjectiveConfig],
    *,
    batch_size: int,
    photos_per_class: int,
    reads_images: bool,
    has_teacher: bool,
    target: TargetConfig | None,
    mixes_target: bool,
) -> None:
    """Checks that batches hold what the objectives need.

    Args:
        objectives: What `train.objectives` lists.
        batch_size: Photos in a batch.
        photos_per_class: Of them, of a class.
        reads_images: Whether the encoder trains.
        has_teacher: Whether there is `train.teacher`.
        target: `train.target`.
        mixes_target: Whether an augmentation needs it.

    Raises:
        ConfigError: They do not; the message names the objective and why.
    """
    has_views = any(one.needs_two_views for one in objectives)
    has_target = target is not None
    for number, one in enumerate(objectives):
        entry = f"`{_PATH}[{number}]` ({one.name})"
        if one.name != CLASS_HEADS and not reads_images:
            raise ConfigError(
                f"{entry} trains the encoder, and with `train.input: descriptors` it "
                "stays as it is. Set `train.input: images`, or leave the objective out."
            )
        if one.needs_positives and photos_per_class == 1 and not has_views:
            raise ConfigError(
                f"{entry} needs several photos of a class in a batch, and with "
                "`train.photos_per_class: 1` all are of distinct classes. Set it to 4, "
                "or add an objective over two views."
            )
        if one.needs_teacher and not has_teacher:
            raise ConfigError(
                f"{entry} learns from a teacher, and there is none. Set `train.teacher"
                ".model` to a run folder, run:NAME, a .keras file, an export or the "
                "name of a released encoder."
            )
        if one.needs_target and not has_target:
            raise ConfigError(
                f"{entry} needs photos of the domain to adapt to, and none are named. "
                "Set `train.target.split` to a split of the dataset, such as "
                "val-queries, or `train.target.photos` to a folder."
            )
        if one.labels_target:
            names = [other.name for other in objectives]
            _check_labels(entry, names, target.split if target else None)
        num_classes = batch_size // photos_per_class
        if one.name != CLASS_HEADS and num_classes < 2:
            raise ConfigError(
                f"{entry} needs photos of two classes in a batch. Received: "
                f"`train.batch_size` {batch_size} of {photos_per_class} photos a "
                "class. Set a larger one."
            )
    if mixes_target and not has_target:
        raise ConfigError(
            "`train.augmentation.extra` has FourierMixing, which needs photos to mix "
            "with, and none are named. Set `train.target.split` to a split of the "
            "dataset, such as val-queries, or `train.target.photos` to a folder."
        )
    needs_target = mixes_target or any(one.needs_target for one in objectives)
    if has_target and not needs_target:
        raise ConfigError(
            "`train.target` is of no use: none of `train.objectives` and "
            "`train.augmentation.extra` reads it. Add {name: domain_adversarial}, "
            "{name: pseudo_labels} or {name: FourierMixing}, or set `train.target: "
            "null`."
        )
    if has_teacher and not any(one.needs_teacher for one in objectives):
        raise ConfigError(
            "`train.teacher` is of no use: none of `train.objectives` learns from it. "
            "Add {name: distillation}, or set `train.teacher: null`."
        )


def _check_labels(entry: str, names: Sequence[str], target_split: str | None) -> None:
    """Checks that places of target photos can be learnt, and are not known from them.

    Raises:
        ConfigError: They cannot, or are.
    """
    if CLASS_HEADS not in names:
        raise ConfigError(
            f"{entry} is what heads over classes say of photos of the target, and "
            "`train.objectives` has no class_heads. Add {name: class_heads}."
        )
    if target_split == VAL_QUERIES:
        raise ConfigError(
            f"{entry} takes photos by their confidence, which the queries of val "
            f"calibrate by their true positions. Received: `train.target.split: "
            f"{VAL_QUERIES}`. Set it to other photos, such as test-NAME-queries."
        )
