"""How much a YAML text stands for: a few lines with aliases may be billions."""

from __future__ import annotations

import yaml

_MOST_VALUES = 100_000


def check_yaml_size(text: str) -> None:
    """Checks how many values a text stands for, before any of them is made.

    Raises:
        ValueError: They are too many, or one holds itself.
        yaml.YAMLError: It is no YAML.
        RecursionError: It is nested too deeply.
    """
    root = yaml.compose(text, yaml.SafeLoader)
    if root is not None:
        _num_values(root, {}, set())


def _num_values(node: yaml.Node, known: dict[int, int], outer: set[int]) -> int:
    """Returns how many values a node stands for; each node is counted once."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    key = id(node)
    if key in outer:
        raise ValueError("a value with an alias (&name, *name) holds itself")
    if key not in known:
        outer.add(key)
        total = 1
        for part in node.value:
            for inner in part if isinstance(part, tuple) else (part,):
                total += _num_values(inner, known, outer)
        outer.remove(key)
        if total > _MOST_VALUES:
            raise ValueError(f"aliases make it more than {_MOST_VALUES:,} values")
        known[key] = total
    return known[key]
