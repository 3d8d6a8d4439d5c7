"""Paths that users write, with `~` and `$NAME` as in a shell, and pass on to others."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection
from pathlib import PurePath
from typing import Any

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_KEY_AND_VALUE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*=")


def expand_path(text: str, kept: Collection[str] = ()) -> str:
    """Returns a path with the home folder for `~` and values for `$NAME`, `${NAME}`.

    Args:
        text: A path; one that is there with a `$` or `~` in its name stays as it is.
        kept: Names that stay as they are in `${NAME}`, since they mean something else.

    Raises:
        ValueError: A variable is not defined, or a user is not known.
    """
    is_home = text == "~" or text.startswith("~/")
    if not is_home and ("$" in text or text.startswith("~")) and os.path.lexists(text):
        return text

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if match[1] in kept:
            return match[0]
        if name not in os.environ:
            raise ValueError(
                f"The environment variable {name} is not defined. Received: {text!r}. "
                "Define it, or write the path out."
            )
        return os.environ[name]

    expanded = _VARIABLE.sub(value, text)
    if not expanded.startswith("~"):
        return expanded
    with_home = os.path.expanduser(expanded)  # noqa: PTH111 - it keeps what is unknown
    if with_home == expanded:
        raise ValueError(
            f"There is no home folder for {expanded.split('/')[0]!r}. Received: "
            f"{text!r}. Write the path out, or begin it with ./"
        )
    return with_home


def expand_paths(values: Any, fields: re.Pattern[str], kept: Collection[str]) -> Any:
    """Returns nested values with the paths among them expanded.

    Args:
        values: Mappings, lists and plain values.
        fields: Which are paths, by their dotted names; no other text is looked at, so
            that no secret of the environment gets into a name.
        kept: See `expand_path`.

    Raises:
        ValueError: See `expand_path`; it names the field.
    """
    return map_paths(values, fields, lambda path: expand_path(path, kept))


def map_paths(
    values: Any, fields: re.Pattern[str], change: Callable[[str], str], name: str = ""
) -> Any:
    """Returns nested values with the paths among them changed.

    Args:
        values: Mappings, lists and plain values.
        fields: Which are paths, by their dotted names.
        change: Returns a path instead of another.
        name: Of the field that holds them, for messages.

    Raises:
        ValueError: As `change`; it names the field.
    """
    if isinstance(values, dict):
        return {
            key: map_paths(value, fields, change, f"{name}.{key}" if name else f"{key}")
            for key, value in values.items()
        }
    if isinstance(values, list):
        return [map_paths(value, fields, change, name) for value in values]
    if not isinstance(values, str) or not fields.fullmatch(name):
        return values
    try:
        return change(values)
    except ValueError as error:
        raise ValueError(f"`{name}`: {error}") from None


def shared_path(path: str) -> str:
    """Returns what may be passed on of a path: where it lay on this machine is private.

    A relative one stays, as it says how something is laid out; of others the name does.
    """
    pure = PurePath(path)
    is_own = pure.is_absolute() or ".." in pure.parts
    return pure.name if is_own and pure.name else path


def expand_word(word: str) -> str:
    """Returns a word of a command line with paths expanded, also behind `--option=`.

    Words such as `dataset.path=~/city` are left to who reads them.

    Raises:
        ValueError: See `expand_path`.
    """
    if word.startswith("-"):
        option, equals, value = word.partition("=")
        return f"{option}{equals}{expand_path(value)}"
    return word if _KEY_AND_VALUE.match(word) else expand_path(word)
