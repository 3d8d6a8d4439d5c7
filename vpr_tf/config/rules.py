"""What values a config may have, by field and by method, and the error of others."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Section = TypeVar("Section")
# Names of shards and work files add up to 75 bytes; file systems take 255.
_LONGEST_NAME_BYTES = 180

# Above are mistakes, for which no memory should be asked.
MOST_PREDICTIONS = 10_000
MOST_PIXELS_A_SIDE = 16_384
MOST_IMAGES_A_BATCH = 65_536
MOST_VALUES = 1 << 20  # of a descriptor
MOST_UNITS = 65_536  # of a layer
MOST_WORKERS = 1024
MOST_RESAMPLES = 1_000_000
LARGEST_SEED = 2**32 - 1  # that NumPy takes


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


def check_finite(path: str, value: Any) -> None:
    """Refuses NaN and infinity, which no field can be."""
    for one in value if isinstance(value, list) else [value]:
        is_wrong = isinstance(one, float) and not math.isfinite(one)
        check(not is_wrong, path, "a finite number", one)


def check_text(path: str, value: Any, others: tuple[type, ...]) -> None:
    """Refuses what YAML reads as something else than text."""
    if isinstance(value, others):
        raise ConfigError(
            f"`{path}` must be text. Received: {value}, as which YAML reads no, off, "
            "yes, on and numbers. Write it in quotation marks."
        )


def check_name(field_name: str, value: str) -> None:
    """Checks that a value names a folder inside another: that it is no path.

    It is no option, home folder or hidden file either, where it stands alone.
    """
    is_plain = value.isprintable() and not {"/", "\\"} & set(value)
    check(
        is_plain
        and value.strip() == value != ""
        and not value.startswith((".", "-", "~"))
        and not value.endswith("."),
        field_name,
        "a name: printable text without / and \\ that does not begin with ., - or ~ "
        "or end with ., not a path",
        value[:80],
    )
    num_bytes = len(value.encode())
    check(
        num_bytes <= _LONGEST_NAME_BYTES,
        field_name,
        f"at most {_LONGEST_NAME_BYTES} bytes long, so that it fits into file names",
        f"{value[:40]}... ({num_bytes} bytes)",
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
    expected = f"{low:g} or more"
    if high is not None:
        expected = f"between {low:g} and {high:,.10g}"
    for name in names:
        value = getattr(config, name)
        check(
            value >= low and (high is None or value <= high),
            f"{prefix}{name}",
            expected,
            value,
        )


@dataclass(frozen=True)
class Methods(Generic[Section]):
    """The methods of one section.

    Attributes:
        path: Where the section stands, e.g. `train.head`.
        key: The field that names the method.
        classes: The dataclass of each method; the first is taken when none is named.
        former_fields: The fields of all methods together while the section was one
            dataclass. Runs saved all of them: who writes them all means no method
            by those that are not its own.
    """

    path: str
    key: str
    classes: Mapping[str, type[Section]]
    former_fields: frozenset[str] = frozenset()

    def class_of(self, values: Mapping[str, Any]) -> type[Section]:
        """Returns the dataclass of the method that values name.

        Raises:
            ConfigError: There is no such method.
        """
        name = values.get(self.key, next(iter(self.classes)))
        check_choice(f"{self.path}.{self.key}", name, tuple(self.classes))
        return self.classes[name]

    def fields_of(self, values: Mapping[str, Any]) -> list[str]:
        """Returns the names of the fields of the method that values name."""
        return _names(self.class_of(values))

    def own_values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Returns values without those of other methods."""
        own = self.fields_of(values)
        return {name: value for name, value in values.items() if name in own}

    def create(self, **values: Any) -> Section:
        """Makes the dataclass of the method that the values name.

        Raises:
            ConfigError: A field belongs to no or to another method, or breaks a rule.
        """
        self.check_fields(values)
        return self.class_of(values)(**values)

    def check_fields(self, values: Mapping[str, Any]) -> None:
        """Refuses fields that the method does not have, and says whose they are."""
        own = self.fields_of(values)
        for name in values:
            if name in own:
                continue
            others = [m for m, other in self.classes.items() if name in _names(other)]
            if not others:
                raise ConfigError(
                    f"`{self.path}` has no field `{name}`{did_you_mean(name, own)} "
                    f"Known: {', '.join(own)}."
                )
            method = values.get(self.key, next(iter(self.classes)))
            raise ConfigError(
                f"`{self.path}.{name}` belongs to {', '.join(others)}, and "
                f"`{self.path}.{self.key}` is {method}. Leave it out, or choose "
                f"another `{self.path}.{self.key}`."
            )

    def check_class(self, config: Section) -> None:
        """Checks that a dataclass is the one of the method that it names."""
        name = getattr(config, self.key)
        known = tuple(n for n, c in self.classes.items() if c is type(config))
        check(
            name in known,
            f"{self.path}.{self.key}",
            f"a method of {type(config).__name__} ({', '.join(known)})",
            name,
        )


def _names(config_class: type) -> list[str]:
    return [field.name for field in dataclasses.fields(config_class)]
