"""The page of a check of photos: how many have each flag, and some of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vpr_tf.config import FLAG_MEANINGS
from vpr_tf.photos import InvalidEntryError
from vpr_tf.photos.quality import Finding, FlaggedPhotos, Rule
from vpr_tf.photos.quality.decoded_photo import read_thumbnail
from vpr_tf.photos.quality.rules import value_text
from vpr_tf.report.page import write_page
from vpr_tf.report.pictures import Shot, data_uri
from vpr_tf.tables import Column, Table

MOST_SHOWN = 24  # photos of a flag
_MOST_REJECTED = 50
_SIDE_PX = 220


@dataclass(frozen=True)
class _Section:
    """A flag on the page: its meaning, some of its photos, how many there are."""

    flag: str
    meaning: str
    limit: str
    num_flagged: int
    shots: list[Shot]


def write_quality_page(flagged: FlaggedPhotos, title: str, path: Path) -> Path:
    """Writes thumbnails of flagged photos by flag; the page refers to nothing outside.

    Args:
        flagged: The photos.
        title: What was checked.
        path: Of the page.

    Returns:
        `path`.

    Raises:
        OSError: The file cannot be written.
    """
    sections = [
        _section(flagged, rule, finding)
        for rule, finding in zip(flagged.rules, flagged.findings, strict=True)
        if finding.flagged.any()
    ]
    rejected = flagged.files.rejected
    return write_page(
        "photo_quality.html.j2",
        path,
        title=title,
        num_photos=len(flagged.flags),
        num_flagged=int((flagged.flags != 0).sum()),
        num_rejected=len(rejected),
        counts=counts_table(flagged),
        not_checked=flagged.not_checked,
        flags=sections,
        most_shown=MOST_SHOWN,
        rejected=Table(
            "",
            [Column("file", "name"), Column("reason", "text")],
            [(one.printable_path, one.reason) for one in rejected[:_MOST_REJECTED]],
        ),
    )


def counts_table(flagged: FlaggedPhotos) -> Table:
    """Returns how many photos have each flag that was looked for."""
    total = max(len(flagged.flags), 1)
    columns = [Column("flag", "text"), Column("photos"), Column("percent")]
    columns.append(Column("meaning", "text"))
    rows = [
        (flag, count, 100 * count / total, FLAG_MEANINGS[flag])
        for flag, count in flagged.counts().items()
    ]
    return Table("", columns, rows)


def _section(flagged: FlaggedPhotos, rule: Rule, finding: Finding) -> _Section:
    rows = np.flatnonzero(finding.flagged)
    some = rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST_SHOWN)).astype(int)]
    limit = ""
    if rule.setting:
        value = getattr(flagged.config, rule.setting)
        limit = f"build.quality.{rule.setting} is {value:g}"
    shots = [_shot(flagged, row, rule, finding) for row in some.tolist()]
    meaning = FLAG_MEANINGS[rule.flag]
    return _Section(rule.flag, meaning, limit, len(rows), shots)


def _shot(flagged: FlaggedPhotos, row: int, rule: Rule, finding: Finding) -> Shot:
    key = bytes(flagged.files.photos.keys[row]).decode()
    measured = value_text(finding.values[row])
    text = f"{rule.value} {measured}" if measured else ""
    files = flagged.files
    file, orientation = Path(files.file(row)), int(files.exif_orientations[row])
    try:
        picture = data_uri(
            read_thumbnail(file, orientation, files.size_px(row), _SIDE_PX)
        )
    except InvalidEntryError:
        picture = "unreadable"
    return Shot(row, key, picture, text)
