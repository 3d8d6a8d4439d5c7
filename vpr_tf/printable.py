"""Text of others, such as the names of photos, as a terminal can be given it.

A name may hold commands of the terminal (ESC), line breaks that make it look like a
line of this program, marks that turn the direction of what follows, and bytes that are
no text. They are shown escaped, as Python writes them; all else is shown as it is.
"""

from __future__ import annotations

import contextlib
import functools
import re
import sys
import unicodedata
from collections.abc import Iterator
from typing import Any, TextIO

# Control, format (direction, invisible), lone surrogates, separators of lines.
_ESCAPED = ("Cc", "Cf", "Cs", "Zl", "Zp")
_JOINERS = "\u200c\u200d"  # Persian and emoji are written with them
_LINES = "\n\t"
_BAR_MOVES = re.compile(r"\n*(\x1b\[A)*")


def printable(text: str | bytes) -> str:
    r"""Returns a name in one line.

    Args:
        text: As it is stored; bytes are UTF-8, other bytes are shown as they are.

    Example:
        >>> printable("a\x1b[2J\nb.jpg")
        'a\\x1b[2J\\nb.jpg'
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    return text if text.isprintable() else "".join(map(_escape, text))


def printable_lines(text: str) -> str:
    """Returns text of several lines: line breaks and tabs stay."""
    if text.isprintable():
        return text
    return "".join(c if c in _LINES else _escape(c) for c in text)


@functools.lru_cache(maxsize=4096)
def _escape(character: str) -> str:
    if unicodedata.category(character) not in _ESCAPED or character in _JOINERS:
        return character
    if "\udc80" <= character <= "\udcff":  # of a name that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


@contextlib.contextmanager
def printable_streams() -> Iterator[None]:
    """Escapes what is printed meanwhile, but for line breaks and progress bars."""
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Printable(out), _Printable(err)  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err


class _Printable:
    """A stream that escapes what is written to it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        # Progress bars return to the start of their line by \r before what they draw,
        # and to the line of another bar by nothing but movements.
        start = len(text) - len(text.lstrip("\r"))
        if not _BAR_MOVES.fullmatch(text):
            text = text[:start] + printable_lines(text[start:])
        self._stream.write(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
