"""The options that a config gives to an aggregation's layer."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping
from typing import Any

import keras

_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a word",
    type(None): "null",
}


def option_names(layer: type[keras.layers.Layer]) -> tuple[str, ...]:
    """Returns the names of a layer's own arguments."""
    if "__init__" not in vars(layer):
        return ()
    parameters = inspect.signature(layer.__init__).parameters.values()
    own = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
    return tuple(own[1:])


def check_options(
    name: str, layer: type[keras.layers.Layer], options: Mapping[str, Any]
) -> None:
    """Checks names and types; the layer itself checks the values.

    Args:
        name: Name of the aggregation.
        layer: Its class; the annotations of its arguments say the types.
        options: By name.

    Raises:
        ValueError: An option is unknown, or its value has the wrong type.
    """
    known = option_names(layer)
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(
            f"The aggregation {name} has no option {', '.join(unknown)}. Known: "
            f"{', '.join((*known, 'normalize_features'))}."
        )
    hints = typing.get_type_hints(layer.__init__) if options else {}
    for option, value in options.items():
        hint = hints.get(option, Any)
        wanted = typing.get_args(hint) or (hint,)
        if not any(_is_a(value, kind) for kind in wanted):
            words = " or ".join(_WORDS.get(kind, str(kind)) for kind in wanted)
            raise ValueError(
                f"The option `{option}` of the aggregation {name} must be {words}. "
                f"Received: {value!r}"
            )


def _is_a(value: Any, kind: Any) -> bool:
    if kind not in _WORDS:
        return True
    if kind is float:
        kind = (int, float)
    # In Python true is a whole number.
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
