"""Texts that are not in UTF-8: which encoding it may be, and how to convert it."""

from __future__ import annotations

from pathlib import Path

_UTF_32_MARKS = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_CONVERT = "Save it as UTF-8, e.g. by `iconv -f {} -t UTF-8 {} > utf8{}`."


def encoding_text(file: Path) -> str:
    """Returns what a text file that is not in UTF-8 may be in, with the remedy."""
    with file.open("rb") as opened:
        start = opened.read(1024)
    named = ""
    # Letters of UTF-32 have three zero bytes of four, of UTF-16 one of two.
    if start[:4] in _UTF_32_MARKS or start.count(b"\0") > 0.6 * len(start):
        named = "UTF-32"
    elif start[:2] in _UTF_16_MARKS or b"\0" in start:
        named = "UTF-16"
    remedy = _CONVERT.format(named or "WINDOWS-1252", file, file.suffix)
    if named:
        return f"{file} is in {named}, not UTF-8. {remedy}"
    return (
        f"{file} is not in UTF-8; it may be in Latin-1 (Windows-1252), as some "
        f"spreadsheets write. {remedy}"
    )
