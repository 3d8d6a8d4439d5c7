"""Puts the values of a config over those of another; sections change their method."""

from __future__ import annotations

from typing import Any

from vpr_tf.config.dataset import PARTITIONS
from vpr_tf.config.encoder import AGGREGATIONS
from vpr_tf.config.heads import HEADS
from vpr_tf.config.rules import Methods
from vpr_tf.config.sampling import SAMPLINGS
from vpr_tf.config.training import SCHEDULES

METHOD_SECTIONS = (PARTITIONS, AGGREGATIONS, HEADS, SCHEDULES, SAMPLINGS)
Values = dict[str, Any]


def merge(below: Values, above: Values) -> Values:
    """Returns values with others over them."""
    for methods in METHOD_SECTIONS:
        _drop_inherited_fields(methods, below, above)
    return _merge_mappings(below, above)


def _drop_inherited_fields(methods: Methods, below: Values, above: Values) -> None:
    """Forgets the fields of a section whose method changes to one without them."""
    parent, name = section_of(methods, below)
    changed, _ = section_of(methods, above)
    section = parent.get(name) if parent is not None else None
    change = changed.get(name) if changed is not None else None
    if isinstance(section, dict) and isinstance(change, dict):
        method = change.get(methods.key, section.get(methods.key))
        if method != section.get(methods.key) and method in tuple(methods.classes):
            own = methods.fields_of({methods.key: method})
            parent[name] = {n: v for n, v in section.items() if n in own}


def section_of(methods: Methods, values: Values) -> tuple[Any, str]:
    """Returns the mapping that holds a section, None if there is none; its name."""
    outer, name = methods.path.split(".")
    found = values.get(outer)
    return (found if isinstance(found, dict) else None), name


def _merge_mappings(below: Values, above: Values) -> Values:
    merged = dict(below)
    for name, value in above.items():
        there = merged.get(name)
        if isinstance(value, dict) and isinstance(there, dict):
            value = _merge_mappings(there, value)
        merged[name] = value
    return merged


def drop_former_fields(values: Values) -> None:
    """Forgets what a run of a former version saved of the methods it did not use."""
    for methods in METHOD_SECTIONS:
        parent, name = section_of(methods, values)
        section = parent.get(name) if parent is not None else None
        if methods.former_fields and isinstance(section, dict):
            known = section.get(methods.key) in tuple(methods.classes)
            if known and section.keys() >= methods.former_fields:
                parent[name] = methods.own_values(section)
