"""Changes to bytes, texts and JSON values, chosen by a random generator."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

HUGE = 10**400
_DEPTHS = (3, 60, 3000)
_EXTREME_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    360,
    2**31,
    2**63,
    -(2**63) - 1,
    HUGE,
    0.5,
    -0.0,
    1e-320,
    1e308,
    float("nan"),
    float("inf"),
    float("-inf"),
    "",
    "nan",
    "1",
    "\0",
    "\ud800",
    "é\u202e",
    "../../outside",
    "/etc",
    "a" * 3000,
    [],
    {},
    [[]],
    {"": None},
    [1, "a", None],
)
_EXTREME_TEXTS = (
    *("", "-", "-0", "0", "1", "-1", "999", "1e9", "1e400", "-1e-400", "nan", "inf"),
    *("-inf", "0x10", "1_000", "٣", "9" * 30, "360", "359.9999999", "90.0000001"),
    *("180", "-180.5", "84.0001", "-80", "NaN", "null", " 1 ", "1,5", "+5", "1e-9"),
    *("20230229", "20231301", "00000000", "99999999", "2023-02-30T25:61:61Z"),
    *("61", "0S", "33I", "10s", "é", "\0", "\ud800", "@", '"', "\n", ";", "\t"),
)
_TOKENS = (
    *(b"\0", b"\xff", b"\xff\xfe", b"{", b"}", b"[", b"]", b'"', b",", b"\n", b": "),
    *(b"NaN", b"1e999", b"-1", b"null", b"&a ", b"*a ", b"!!python/object:os.system "),
    *(b"${oc.env:HOME}", b"${name}", b"???", b"@", b"\xf0\x9f\x93\xb7", b"\xc3\x28"),
    *(b"- ", b"? ", b"| ", b"%YAML 9\n", b"<<: ", b"\xff\xd9", b"\xff\xda", b"IEND"),
)


def mutated_bytes(rng: random.Random, data: bytes) -> bytes:
    """Returns bytes with one to four changes."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        data = rng.choice(_CHANGES)(rng, data)
    return data


def extreme_text(rng: random.Random) -> str:
    """Returns a text that stands for a number, a time or nothing sensible."""
    if rng.random() < 0.3:
        number = rng.uniform(-1, 1) * 10 ** rng.randint(-6, 12)
        return f"{number:.{rng.randint(0, 9)}f}"
    return rng.choice(_EXTREME_TEXTS)


def mutated_json(rng: random.Random, value: Any) -> bytes:
    """Returns the text of a JSON value with changes to the value, the text or both."""
    changed = mutated_value(rng, value) if rng.random() < 0.85 else value
    text = json_text(changed)
    if rng.random() < 0.1 and b"{" in text:  # a key that occurs twice
        first, colon, rest = text.partition(b":")
        text = first + b": " + json_text(rng.choice(_EXTREME_VALUES))
        text += b", " + first.rpartition(b"{")[2] + colon + rest
    if rng.random() < 0.02:
        depth = rng.choice((100, 100_000))
        text = text.replace(b":", b": " + b"[" * depth, 1)
    return mutated_bytes(rng, text) if rng.random() < 0.15 else text


def json_text(value: Any) -> bytes:
    """Returns JSON with NaN and infinities as Python writes and reads them."""
    return json.dumps(value).replace(f'"{_HUGE_MARK}"', str(HUGE)).encode()


def mutated_value(rng: random.Random, value: Any) -> Any:
    """Returns a copy of nested lists and dictionaries with one to three changes."""
    root = [copy.deepcopy(value)]
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = list(_places(root))
        container, key = rng.choice(places)
        _change(rng, container, key)
    return root[0]


_HUGE_MARK = "a number of 400 digits"


def _change(rng: random.Random, container: Any, key: Any) -> None:
    what = rng.random()
    if what < 0.15 and isinstance(container, dict):
        value = container.pop(key)
        if rng.random() < 0.4:
            container[rng.choice(("", "x", f"{key}_", str(key).upper()))] = value
    elif what < 0.25 and isinstance(container, list):
        container.insert(rng.randint(0, len(container)), container[key])
    elif what < 0.3:
        for _ in range(min(rng.choice(_DEPTHS), 200)):
            container[key] = rng.choice(([container[key]], {"a": container[key]}))
    elif what < 0.45 and isinstance(container[key], int | float):
        factor = rng.choice((-1, 0, 10, 1e-9, 1e300, float("nan")))
        container[key] = type(container[key])(1) * container[key] * factor
    else:
        value = copy.deepcopy(rng.choice(_EXTREME_VALUES))
        container[key] = _HUGE_MARK if value == HUGE else value


def _places(container: Any) -> Iterator[tuple[Any, Any]]:
    """Yields every container with each of its keys; the root is in a list."""
    keys = list(container) if isinstance(container, dict) else range(len(container))
    for key in keys:
        yield container, key
        if isinstance(container[key], dict | list):
            yield from _places(container[key])


# === Bytes ===


def _flip(rng: random.Random, data: bytes) -> bytes:
    if not data:
        return b"\x01"
    place = rng.randrange(len(data))
    changed = data[place] ^ (1 << rng.randrange(8))
    return data[:place] + bytes((changed,)) + data[place + 1 :]


def _extreme_bytes(rng: random.Random, data: bytes) -> bytes:
    place, length = rng.randint(0, len(data)), rng.choice((1, 2, 4, 8))
    filler = rng.choice((b"\0", b"\xff", b"\x7f", b"\x80", b"\x01"))
    return data[:place] + filler * length + data[place + length :]


def _truncate(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randint(0, len(data))]


def _cut(rng: random.Random, data: bytes) -> bytes:
    start = rng.randint(0, len(data))
    return data[:start] + data[start + rng.choice((1, 2, 8, 64)) :]


def _repeat(rng: random.Random, data: bytes) -> bytes:
    start = rng.randint(0, len(data))
    part = data[start : start + rng.choice((1, 8, 64, 1024))]
    return data[:start] + part * rng.choice((2, 3, 40)) + data[start + len(part) :]


def _insert(rng: random.Random, data: bytes) -> bytes:
    place = rng.randint(0, len(data))
    return data[:place] + rng.choice(_TOKENS) + data[place:]


def _append(rng: random.Random, data: bytes) -> bytes:
    return data + rng.randbytes(rng.choice((1, 16, 300)))


def _random(rng: random.Random, data: bytes) -> bytes:
    return rng.randbytes(rng.choice((0, 1, 9, 100)))


_COMMON = (_flip, _flip, _flip, _extreme_bytes, _truncate, _cut, _repeat, _insert)
_CHANGES: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    *_COMMON,
    *_COMMON,
    _append,
    _random,
)
