"""What values a config may have, and the error of those it may not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class ConfigError(ValueError):
    """A configuration that cannot be used; the message names the field."""


def check(rule: bool, field_name: str, expected: str, received: object) -> None:
    """Raises a `ConfigError` that names the field unless a rule holds."""
    if not rule:
        raise ConfigError(f"`{field_name}` must be {expected}. Received: {received!r}")


def check_choice(field_name: str, value: str, choices: Sequence[str]) -> None:
    """Checks that a value is one of a few."""
    if value not in choices:
        raise ConfigError(
            f"`{field_name}` must be one of {', '.join(choices)}"
            f"{did_you_mean(value, choices)} Received: {value!r}"
        )


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Ends a sentence, and asks for the known name like `name` if there is one."""
    by_lower = {other.lower(): other for other in known}
    close = difflib.get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.6)
    return f". Did you mean {by_lower[close[0]]}?" if close else "."


def check_range(
    config: object, section: str, low: float, high: float | None, *names: str
) -> None:
    """Checks that fields of a section, empty for none, lie in [low, high]."""
    prefix = f"{section}." if section else ""
    expected = f"{low:g} or more" if high is None else f"between {low:g} and {high:g}"
    for name in names:
        value = getattr(config, name)
        check(
            value >= low and (high is None or value <= high),
            f"{prefix}{name}",
            expected,
            value,
        )
