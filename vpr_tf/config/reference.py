"""The page `docs/config.md`: every field, from the dataclasses and their comments.

Written anew by `python -m vpr_tf.config.reference > docs/config.md`.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import sys
import types
import typing
from collections.abc import Iterator
from typing import Any

from vpr_tf.config.experiment import ExperimentConfig
from vpr_tf.config.merging import METHOD_SECTIONS
from vpr_tf.config.rules import Methods

_INTRODUCTION = """# Config reference

Made from the dataclasses in `vpr_tf/config/` by
`python -m vpr_tf.config.reference > docs/config.md`; do not edit.

A config is a YAML file (`configs/`). What it leaves out has the default below; `???`
must be given. Any field can be overridden on the command line: `train.batch_size=8`.
`base: other.yaml`, relative to the file, takes over that file, and the rest of the file
says what differs. Where a section has several methods, only the fields of the method
that is named may be given.
"""


def config_reference() -> str:
    """Returns the page as markdown."""
    return "\n".join([_INTRODUCTION, *_section(ExperimentConfig, "")]).rstrip() + "\n"


def _section(config_class: type, path: str) -> Iterator[str]:
    """Yields the lines of a section and of the sections inside it."""
    name = f"`{path}` and `build.tests.NAME`" if path == "build.val" else f"`{path}`"
    yield f"## {name}" if path else "## Top level"
    yield f"\n{_document(config_class)}\n"
    inner = dict(_inner_sections(config_class))
    optional = {f.name for f in dataclasses.fields(config_class) if f.default is None}
    yield from _table(config_class, set(inner) - optional)
    for name, nested in inner.items():
        dotted = f"{path}.{name}" if path else name
        methods = next((m for m in METHOD_SECTIONS if m.path == dotted), None)
        if methods is None:
            yield from _section(nested, dotted)
        else:
            yield from _methods(methods)


def _methods(methods: Methods) -> Iterator[str]:
    """Yields the lines of a section with several methods, a table for each class."""
    yield f"## `{methods.path}`"
    default = next(iter(methods.classes))
    yield f"\n`{methods.key}` names the method; the default is `{default}`.\n"
    for config_class in dict.fromkeys(methods.classes.values()):
        names = [n for n, c in methods.classes.items() if c is config_class]
        yield f"### {', '.join(f'`{name}`' for name in names)}"
        yield f"\n{_document(config_class)}\n"
        yield from _table(config_class, {methods.key})


def _table(config_class: type, left_out: set[str]) -> Iterator[str]:
    comments = _comments(config_class)
    rows = [
        f"| `{field.name}` | {_default(field)} | {comments.get(field.name, '')} |"
        for field in dataclasses.fields(config_class)
        if field.name not in left_out
    ]
    if rows:
        yield from ("| field | default | |", "|---|---|---|", *rows, "")


def _inner_sections(config_class: type) -> Iterator[tuple[str, type]]:
    hints = typing.get_type_hints(config_class)
    for field in dataclasses.fields(config_class):
        hint = hints[field.name]
        is_optional = isinstance(hint, types.UnionType)
        for kind in typing.get_args(hint) if is_optional else (hint,):
            if dataclasses.is_dataclass(kind):
                yield field.name, typing.cast(type, kind)


def _document(config_class: type) -> str:
    return inspect.cleandoc(config_class.__doc__ or "")


def _default(field: dataclasses.Field[Any]) -> str:
    value = field.default
    if field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    text = value if isinstance(value, str) else json.dumps(value)
    return f"`{text}`"


def _comments(config_class: type) -> dict[str, str]:
    """Returns what the source says of each field: above its line, then behind it."""
    found: dict[str, str] = {}
    for ancestor in reversed(config_class.__mro__):
        if not dataclasses.is_dataclass(ancestor):
            continue
        above: list[str] = []
        for line in inspect.getsource(ancestor).splitlines():
            code, _, comment = line.strip().partition("# ")
            name, colon, _ = code.partition(": ")
            if not code and comment:
                above.append(comment)
                continue
            if colon and name.isidentifier():
                text = " ".join([*above, *([comment] if comment else [])])
                found[name] = (text or found.get(name, "")).replace("|", "\\|")
            above = []
    return found


if __name__ == "__main__":
    sys.stdout.write(config_reference())
