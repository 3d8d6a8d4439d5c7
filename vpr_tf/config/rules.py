"""What values a config may have, and the error of those it may not."""

from __future__ import annotations

from collections.abc import Sequence


class ConfigError(ValueError):
    """A configuration that cannot be used; the message names the field."""


def check(rule: bool, field_name: str, expected: str, received: object) -> None:
    """Raises a `ConfigError` that names the field unless a rule holds."""
    if not rule:
        raise ConfigError(f"`{field_name}` must be {expected}. Received: {received!r}")


def check_choice(field_name: str, value: str, choices: Sequence[str]) -> None:
    """Checks that a value is one of a few."""
    check(value in choices, field_name, "one of " + ", ".join(choices), value)


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
