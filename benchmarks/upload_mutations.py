"""Requests to localize photos, damaged in ways that depend on a number alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_BOUNDARY = b"----vpr-benchmark"
_CONTENT_TYPES = (
    *("image/jpeg", "image/png", "image/*", "application/json", "text/html"),
    *("multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed"),
    "multipart/form-data; boundary=" + "x" * 300,
    "application/json; charset=utf-16",
    "application/x-www-form-urlencoded",
    "IMAGE/JPEG;;;=",
    "",
)
_VALUES = (
    *("", "0", "-1", "1e309", "nan", "inf", "1" * 5000, "0x10", "true", "null", "\0"),
    *("37.7,-122.5,100", "91,0,1", "1,2", "1,2,3,4", ",,", "37.7,-122.5,1e400"),
    *("town", "../../etc/passwd", "%00", "a\r\nX-Evil: 1", "\ud7ff", "𐍈" * 300),
)
_NAMES = (
    *("index", "within", "heading_deg", "top_k", "min_confidence", "exif_radius_m"),
    *("photos", "name", "", "__proto__", "photos[]"),
)
_JSON_VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1e308, 10**30, "", "x", [], {}, [[]], {"data": None}),
    *([{"data": 5}], [{"data": "!"}], [{"data": "", "extra": 1}], "1,2,3"),
)


@dataclass
class Sent:
    """A request.

    Attributes:
        headers: As they are sent.
        body: Likewise.
        query: Parameters.
    """

    headers: dict[str, str]
    body: bytes
    query: dict[str, str] = field(default_factory=dict)


def mutated(photos: Sequence[bytes], number: int) -> Sent:
    """Returns a request of one to three photos, damaged in one to three places.

    Args:
        photos: JPEG and PNG files.
        number: Of the mutation.
    """
    rng = np.random.default_rng(number)
    chosen = [_choose(photos, rng) for _ in range(int(rng.integers(1, 4)))]
    options = (
        {_choose(_NAMES[:6], rng): _choose(_VALUES, rng)} if rng.random() < 0.3 else {}
    )
    damages = int(rng.integers(1, 4))
    if rng.random() < 0.6:  # the photo, or else how it is wrapped
        chosen[0] = _damaged(chosen[0], damages, rng)
        return _choose(_FORMS, rng)(chosen, options, rng)
    sent: Sent = _choose(_FORMS, rng)(chosen, options, rng)
    for _ in range(damages):
        _choose(_WRAPPING, rng)(sent, rng)
    return sent


def _choose(values: Sequence[Any], rng: np.random.Generator) -> Any:
    return values[int(rng.integers(len(values)))]


def _damaged(content: bytes, damages: int, rng: np.random.Generator) -> bytes:
    for _ in range(damages):
        content = _choose(_DAMAGES, rng)(content, rng)
    return content


def _flip(content: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(content or b"\0")
    # Half of them in the header, which is read by more code.
    last = len(changed) if rng.random() < 0.5 else min(len(changed), 700)
    for _ in range(int(rng.integers(1, 9))):
        changed[int(rng.integers(last))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: int(rng.integers(len(content) + 1))]


def _insert(content: bytes, rng: np.random.Generator) -> bytes:
    place = int(rng.integers(len(content) + 1))
    return content[:place] + rng.bytes(int(rng.integers(1, 300))) + content[place:]


def _remove(content: bytes, rng: np.random.Generator) -> bytes:
    place = int(rng.integers(len(content) + 1))
    return content[:place] + content[place + int(rng.integers(1, 300)) :]


def _repeat(content: bytes, rng: np.random.Generator) -> bytes:
    start, end = sorted(rng.integers(0, len(content) + 1, 2).tolist())
    part = content[start : min(end, start + 2000)]
    return content[:start] + part * int(rng.integers(2, 40)) + content[start:]


def _large_number(content: bytes, rng: np.random.Generator) -> bytes:
    place = int(rng.integers(max(1, min(len(content), 700))))
    value = _choose((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"), rng)
    return content[:place] + value + content[place + 4 :]


_DAMAGES: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    *(_flip, _flip, _cut, _insert, _remove, _repeat, _large_number),
)


def _raw(
    photos: list[bytes], options: dict[str, str], rng: np.random.Generator
) -> Sent:
    kind = _choose(("image/jpeg", "image/png"), rng)
    return Sent({"content-type": kind}, photos[0], options)


def _json(
    photos: list[bytes], options: dict[str, str], rng: np.random.Generator
) -> Sent:
    content: dict[str, Any] = {
        "photos": [{"data": base64.b64encode(one).decode()} for one in photos],
        **options,
    }
    if rng.random() < 0.5:
        content[_choose(_NAMES, rng)] = _choose(_JSON_VALUES, rng)
    return Sent({"content-type": "application/json"}, json.dumps(content).encode())


def _multipart(
    photos: list[bytes], options: dict[str, str], rng: np.random.Generator
) -> Sent:
    parts = [
        b'--%b\r\nContent-Disposition: form-data; name="photos"; filename="%d.jpg"\r\n'
        b"\r\n%b\r\n" % (_BOUNDARY, number, content)
        for number, content in enumerate(photos)
    ]
    parts += [
        b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
        % (_BOUNDARY, name.encode(), value.encode())
        for name, value in options.items()
    ]
    body = b"".join(parts) + b"--%b--\r\n" % _BOUNDARY
    kind = f"multipart/form-data; boundary={_BOUNDARY.decode()}"
    return Sent({"content-type": kind}, body)


_FORMS = (_raw, _json, _multipart)


def _damage_body(sent: Sent, rng: np.random.Generator) -> None:
    sent.body = _damaged(sent.body, 1, rng)


def _other_type(sent: Sent, rng: np.random.Generator) -> None:
    sent.headers["content-type"] = _choose(_CONTENT_TYPES, rng)


def _other_header(sent: Sent, rng: np.random.Generator) -> None:
    name = ("content-length", "content-encoding", "accept", "host", "origin", "cookie")
    values = ("0", "-1", "9" * 30, "gzip", "*/*;q=x,,;", "evil.example", "\x7f" * 4000)
    sent.headers[_choose(name, rng)] = _choose(values, rng)


def _other_query(sent: Sent, rng: np.random.Generator) -> None:
    sent.query[_choose(_NAMES, rng)] = _choose(_VALUES, rng)


_WRAPPING = (_damage_body, _damage_body, _other_type, _other_header, _other_query)
