"""Which experiments a sweep is made of: every combination of the listed values."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vpr_tf.config import ConfigError, ExperimentConfig, load_config

_OPENING, _CLOSING, _QUOTES = "[{(", "]})", "\"'"
_NOT_IN_NAME = re.compile(r"[^\w.+-]+")
_NAME_IN_LIST = re.compile(r"\bname:\s*[\"']?([\w.]+)")
_LONGEST_NAME = 100
_EXPORT = "train.export"


@dataclass(frozen=True)
class Combination:
    """One experiment of a sweep.

    Attributes:
        overrides: The swept ones, `key=value`, in the order of the command line.
        config: The whole experiment; its name says all swept values but the seed.
    """

    overrides: tuple[str, ...]
    config: ExperimentConfig

    @property
    def text(self) -> str:
        """The swept values, for people."""
        return " ".join(self.overrides)


def split_values(text: str) -> list[str]:
    """Splits at the commas that are neither in brackets nor in quotation marks.

    Args:
        text: What stands behind `key=`.

    Example:
        >>> split_values("gem,mixvpr"), split_values("[1,2],[3]"), split_values("'a,b'")
        (['gem', 'mixvpr'], ['[1,2]', '[3]'], ["'a,b'"])
    """
    values, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in _QUOTES and (depth or not values[-1].strip()):
            quote = character  # an apostrophe inside of a word is none
        elif character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
        elif character == "," and depth <= 0:
            values.append("")
            continue
        values[-1] += character
    # With a bracket or a mark that does not close, the parser of values explains it.
    return [text] if quote or depth else [value.strip() for value in values]


def combinations(
    config_file: str | Path, overrides: Sequence[str], output: str | Path | None = None
) -> tuple[Path, list[Combination]]:
    """Makes and checks all combinations; the first key changes slowest.

    Nothing is exported unless an override of `train.export` says so.

    Args:
        config_file: Of the experiment.
        overrides: `key=value` or `key=value,value,...`.
        output: Folder of the runs; None for `<runs_dir>/<name>-sweep`.

    Returns:
        The folder, and the combinations.

    Raises:
        ConfigError: Nothing is swept, a value is empty or there twice, a key may not be
            swept, or the config of a combination is wrong.
    """
    swept, fixed = _swept(overrides)
    if _EXPORT not in [override.partition("=")[0] for override in overrides]:
        fixed = [*fixed, f"{_EXPORT}=never"]
    labels = _labels(list(swept))
    found = []
    for values in itertools.product(*swept.values()):
        own = tuple(f"{key}={v}" for key, v in zip(swept, values, strict=True))
        try:
            config = load_config(config_file, [*fixed, *own])
        except ConfigError as error:
            raise ConfigError(f"{' '.join(own)}: {error}") from None
        _check(config)
        folder = Path(output or Path(config.runs_dir) / f"{config.name}-sweep")
        chosen = dict(zip(swept, values, strict=True))
        name = _name({labels[k]: v for k, v in chosen.items() if k != "seed"})
        named = dataclasses.replace(
            config, name=name or config.name, runs_dir=str(folder)
        )
        found.append(Combination(own, named))
    _check_distinct(found)
    return folder, found


def _swept(overrides: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Returns the values of each key that has several, and the other overrides."""
    swept: dict[str, list[str]] = {}
    fixed = []
    for override in overrides:
        key, _, text = override.partition("=")
        values = split_values(text)
        if len(values) < 2:
            fixed.append(override)
            continue
        if key in ("name", "runs_dir", "savedmodels_dir"):
            raise ConfigError(
                f"`{key}` cannot be swept: it says where results go. Received: "
                f"{override!r}. Give it one value, or leave it out."
            )
        if key in swept or "" in values or len(set(values)) < len(values):
            raise ConfigError(
                "Values that are swept must stand behind one key each, none of them "
                f"empty or twice. Received: {override!r}. Leave out what is too much."
            )
        swept[key] = values
    if not swept:
        raise ConfigError(
            "Nothing to sweep: no override has several values. Pass one such as "
            "seed=0,1,2, or train once with `vpr train`."
        )
    return swept, fixed


def _labels(keys: Sequence[str]) -> dict[str, str]:
    """Returns a short word for each key: its last part that is not `name`."""
    short = {key: key.removesuffix(".name").rpartition(".")[2] or key for key in keys}
    words = list(short.values())
    return {k: word if words.count(word) == 1 else k for k, word in short.items()}


def _name(values: dict[str, str]) -> str:
    """Returns a name that can be a folder's; different values give different ones."""
    text = ",".join(f"{label}={value}" for label, value in values.items())
    name = ",".join(
        f"{label}={_NOT_IN_NAME.sub('_', _readable(value))}"
        for label, value in values.items()
    )
    if name == text and len(name.encode()) <= _LONGEST_NAME and name[-1:] != ".":
        return name
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST_NAME // 4]}-{digest}"  # of up to 4 bytes a character


def _readable(value: str) -> str:
    """Returns the names of what a list holds, `none` of an empty one."""
    if not value.startswith("["):
        return value
    if not value.strip("[] "):
        return "none"
    return "+".join(_NAME_IN_LIST.findall(value)) or value


def _check(config: ExperimentConfig) -> None:
    if config.train.strategy == "multi_worker":
        raise ConfigError(
            "`train.strategy` of a sweep must be one_device or mirrored. Received: "
            "multi_worker. Train these runs one by one with `vpr train`."
        )
    if config.encoder.weights.startswith("run:"):
        raise ConfigError(
            "`encoder.weights` of a sweep must not change while it goes on. Received: "
            f"{config.encoder.weights}, the newest run of that name. Name the file in "
            "its folder best/."
        )


def _check_distinct(found: Sequence[Combination]) -> None:
    """Refuses values that are written differently and are the same, as 1 and 1.0."""
    known: dict[str, Combination] = {}
    for each in found:
        # The name, made of what was written, is left out.
        key = repr(dataclasses.replace(each.config, name="x"))
        first = known.setdefault(key, each)
        if first is not each:
            raise ConfigError(
                "Each combination of a sweep must be another experiment. Received: "
                f"{first.text} and {each.text}, which are one. Leave one of them out."
            )
