"""JSON that this program wrote, read back with every type checked.

A file may be cut, edited or of another program; whatever it holds, a reader gets values
of the declared types and finite numbers, or one error that names the field.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import reprlib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

_Stored = TypeVar("_Stored")
_LARGEST_INTEGER = 2**63
_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a finite number",
    str: "text",
    type(None): "null",
}


class StoredValueError(ValueError):
    """A stored value that this program cannot have written."""


def parse_json(text: str | bytes) -> Any:
    """Returns the values of a JSON text.

    Raises:
        StoredValueError: It is not JSON, too deep, or names a field twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_named_once)
    except StoredValueError:
        raise
    except RecursionError:
        raise StoredValueError("it is nested too deeply") from None
    except ValueError as error:
        raise StoredValueError(f"it is not valid JSON: {error}") from error


def read_json(path: Path) -> Any:
    """Returns the values of a JSON file.

    Raises:
        OSError: It cannot be read.
        StoredValueError: See `parse_json`.
    """
    return parse_json(path.read_bytes())


def from_stored(
    kind: type[_Stored], values: Any, name: str = "", *, more: bool = False
) -> _Stored:
    """Makes a dataclass from stored values, its nested dataclasses included.

    Args:
        kind: The dataclass.
        values: Its fields by name; those with a default may be missing.
        name: Of the values, for messages.
        more: Whether fields that the dataclass does not have are left out.

    Raises:
        StoredValueError: A field is missing, unknown or of another type.
        Exception: What the dataclass itself raises.
    """
    if not isinstance(values, Mapping):
        raise _wrong(name, "fields by name", values)
    hints = _hints(typing.cast(Any, kind))
    found, missing = {}, []
    for field in dataclasses.fields(typing.cast(Any, kind)):
        if field.name in values:
            dotted = f"{name}.{field.name}" if name else field.name
            value = values[field.name]
            found[field.name] = _checked(hints[field.name], value, dotted, more)
        elif (
            field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING
        ):
            missing.append(field.name)
    if missing:
        raise StoredValueError(f"`{name or 'it'}` lacks {', '.join(missing)}")
    unknown = [str(other) for other in values if other not in hints]
    if unknown and not more:
        raise StoredValueError(
            f"`{name or 'it'}` has the unknown fields {reprlib.repr(unknown)}"
        )
    return kind(**found)


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise StoredValueError(f"it names {twice[:80]!r} twice")
    return found


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _checked(hint: Any, value: Any, name: str, more: bool) -> Any:
    """Returns a value as its annotation has it."""
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint):
        return from_stored(typing.cast(type, hint), value, name, more=more)
    kind, arguments = typing.get_origin(hint), typing.get_args(hint)
    if kind in (types.UnionType, typing.Union):
        return _of_union(arguments, value, name, more)
    if kind is dict:
        if not isinstance(value, dict):
            raise _wrong(name, "values by name", value)
        return {
            key: _checked(arguments[1], one, f"{name}.{key[:80]}", more)
            for key, one in value.items()
        }
    if kind in (list, tuple):
        if not isinstance(value, list):
            raise _wrong(name, "a list", value)
        numbered = enumerate(value)
        return kind(
            _checked(arguments[0], v, f"{name}[{i}]", more) for i, v in numbered
        )
    return _plain(hint, value, name)


def _of_union(hints: tuple[Any, ...], value: Any, name: str, more: bool) -> Any:
    if value is None and type(None) in hints:
        return None
    others = [hint for hint in hints if hint is not type(None)]
    if len(others) == 1:
        return _checked(others[0], value, name, more)
    exact = [hint for hint in others if type(value) is hint]
    if not exact:
        raise _wrong(name, " or ".join(_WORDS.get(h, str(h)) for h in others), value)
    return _checked(exact[0], value, name, more)


def _plain(hint: Any, value: Any, name: str) -> Any:
    if hint is float and type(value) is int and abs(value) < _LARGEST_INTEGER:
        value = float(value)
    fits = type(value) is hint
    if fits and hint is float:
        fits = math.isfinite(value)
    if fits and hint is int:
        fits = abs(value) < _LARGEST_INTEGER
    if not fits:
        raise _wrong(name, _WORDS.get(hint, str(hint)), value)
    return value


def _wrong(name: str, expected: str, value: Any) -> StoredValueError:
    received = reprlib.repr(value)
    return StoredValueError(
        f"`{name or 'it'}` must be {expected}. Received: {received}"
    )
