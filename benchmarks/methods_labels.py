"""What methods are called in tables and figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vpr_tf.config import ExperimentConfig

_PARTITIONS = {
    "divide_and_classify": "D&C",
    "planet": "PlaNet",
    "hierarchical": "HGE",
    "combinatorial": "CPlaNet",
    "cosplace": "cells and headings",
}
_PLATEAU = "reduce_on_plateau"
_HEADS = {
    "cosine_margin": "CosFace",
    "angular_margin": "ArcFace",
    "cross_entropy": "cross-entropy",
    "soft_labels": "soft labels",
    "von_mises_fisher": "MvMF",
    "direct_regression": "direct regression",
    "unit_regression": "regression in [0, 1]",
    "hypersphere_regression": "hypersphere",
}


def method_labels(configs: Sequence[ExperimentConfig]) -> list[str]:
    """Names methods by partition and head.

    Equal ones are told apart by whether they train the encoder and by the rate, then by
    the config.
    """
    labels = [_label(config) for config in configs]
    labels = [
        f"{label}, rate on a plateau"
        if labels.count(label) > 1 and config.train.schedule.name == _PLATEAU
        else label
        for label, config in zip(labels, configs, strict=True)
    ]
    on_descriptors = {
        label
        for label, config in zip(labels, configs, strict=True)
        if config.train.input == "descriptors"
    }
    labels = [
        f"{label}, encoder trained"
        if label in on_descriptors and config.train.input == "images"
        else label
        for label, config in zip(labels, configs, strict=True)
    ]
    counts = Counter(labels)
    return [
        label if counts[label] == 1 else f"{label} ({config.name})"
        for label, config in zip(labels, configs, strict=True)
    ]


def _label(config: ExperimentConfig) -> str:
    partition = _PARTITIONS[config.build.partition.method]
    head = _HEADS[config.train.head.name]
    if config.evaluation.method == "retrieval":
        if config.encoder.aggregation.name == "netvlad":
            return "NetVLAD"
        return f"retrieval ({head})"
    if config.train.head.name == "von_mises_fisher":
        return head
    if config.train.head.name.endswith("_regression"):
        return head
    if config.train.head.name == "soft_labels":
        return f"{partition}, {head}"
    if config.build.partition.method == "divide_and_classify":
        return f"{partition} ({head})"
    return partition if head == "cross-entropy" else f"{partition} ({head})"
