"""What was wrong with a field of a request, in words for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from vpr_tf.printable import printable

_MOST_SHOWN, _LARGEST_SHOWN = 40, 1e15
# By the type of a pydantic error; what it says itself is of Python, not of a request.
_WORDS = {
    "missing": "must be given",
    "extra_forbidden": "there is no such field; leave it out",
    "too_short": "must have at least {min_length}. Received: {actual_length}",
    "too_long": "must have at most {max_length}. Received: {actual_length}",
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "model_type": "must be an object of fields",
    "model_attributes_type": "must be an object of fields",
    "json_invalid": "must be JSON",
    "json_type": "must be JSON",
    "value_error": "{error}",
}
_WITHOUT_VALUE = ("missing", "extra_forbidden")


def expected_of(error: Mapping[str, Any]) -> str:
    """Returns what a field must be, and what was received if that is short.

    Args:
        error: One of `pydantic.ValidationError.errors`.

    Example:
        >>> from vpr_tf.serving.field_errors import expected_of
        >>> expected_of(
        ...     {"type": "less_than_equal", "ctx": {"le": 100}, "msg": "", "input": 101}
        ... )
        'must be at most 100. Received: 101'
    """
    context = {"error": error["msg"], **(error.get("ctx") or {})}
    words = _WORDS.get(error["type"])
    text = str(error["msg"] if words is None else words.format_map(context))
    received = _shown(error.get("input"))
    if not received or error["type"] in _WITHOUT_VALUE or "Received: " in text:
        return printable(text)
    return printable(f"{text}. Received: {received}")


def _shown(received: object) -> str:
    """Returns a short value as JSON has it; nothing for one that is long."""
    if isinstance(received, str):
        return repr(received) if len(received) <= _MOST_SHOWN else ""
    if isinstance(received, float | int) and not abs(received) > _LARGEST_SHOWN:
        return json.dumps(received)
    return ""
