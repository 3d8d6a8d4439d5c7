"""From what was measured of photos to flags: one rule a flag.

A rule sees all photos at once, since what is wrong with one may show beside others. It
is a pure function of the photos and the thresholds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vpr_tf.config import QUALITY_FLAGS, QualityConfig
from vpr_tf.photos.photo_table import PhotoFiles


@dataclass(frozen=True, eq=False)
class MeasuredPhotos:
    """Photos with what was measured of them, one entry a photo.

    Attributes:
        files: Files, sizes, positions, headings and timestamps.
        measures: Rows of `measures.MEASURES_DTYPE`.
        descriptors: Float `(num_photos, descriptor_dim)`, of length 1; None where no
            encoder was given.
        flags: Those found so far, as of `FlaggedPhotos`; None before the first rule.
    """

    files: PhotoFiles
    measures: np.ndarray
    descriptors: np.ndarray | None = None
    flags: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.measures)


@dataclass(frozen=True, eq=False)
class Finding:
    """What a rule found, one entry a photo.

    Attributes:
        flagged: bool.
        values: What was compared: numbers, NaN where unknown, or the keys of other
            photos as bytes, empty where there is none.
    """

    flagged: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Rule:
    """How photos get one flag.

    Attributes:
        flag: One of `QUALITY_FLAGS`.
        value: What `Finding.values` are, with the unit: a column of the table.
        setting: The field of `QualityConfig` that they are compared with; empty
            where there is none.
        find: Returns what it found; None where the photos lack what it looks at, such
            as descriptors.
    """

    flag: str
    value: str
    setting: str
    find: Callable[[MeasuredPhotos, QualityConfig], Finding | None]


@dataclass(frozen=True, eq=False)
class FlaggedPhotos:
    """Photos and their flags.

    Attributes:
        files: The photos.
        flags: uint32, a bit for each of `QUALITY_FLAGS`, the lowest for the first.
        rules: Those that were applied.
        findings: What each of them found.
        not_checked: Flags of which nothing can be said.
        config: The thresholds.
    """

    files: PhotoFiles
    flags: np.ndarray
    rules: tuple[Rule, ...]
    findings: tuple[Finding, ...]
    not_checked: tuple[str, ...]
    config: QualityConfig

    def names(self, row: int) -> list[str]:
        """Returns the flags of a photo."""
        return flag_names(int(self.flags[row]))

    def counts(self) -> dict[str, int]:
        """Returns how many photos have each flag that was looked for."""
        return {
            rule.flag: int(found.flagged.sum())
            for rule, found in zip(self.rules, self.findings, strict=True)
        }

    def reason(self, row: int, flags: list[str]) -> str:
        """Returns why a photo has those of some flags that it has, in one line."""
        return "; ".join(
            self._reason(rule, found.values[row])
            for rule, found in zip(self.rules, self.findings, strict=True)
            if rule.flag in flags and found.flagged[row]
        )

    def _reason(self, rule: Rule, value: np.generic) -> str:
        measured = value_text(value)
        text = f"{rule.flag}: {rule.value} {measured}" if measured else rule.flag
        if not rule.setting:
            return text
        setting = f"build.quality.{rule.setting}"
        return f"{text} (`{setting}` is {getattr(self.config, rule.setting):g})"


def flag_photos(
    photos: MeasuredPhotos, rules: tuple[Rule, ...], config: QualityConfig
) -> FlaggedPhotos:
    """Applies rules to photos, in order: each sees the flags of those before it."""
    flags = np.zeros(len(photos), np.uint32)
    applied, findings, not_checked = [], [], []
    for rule in rules:
        found = rule.find(dataclasses.replace(photos, flags=flags), config)
        if found is None:
            not_checked.append(rule.flag)
            continue
        flags = flags | np.where(found.flagged, bits_of([rule.flag]), np.uint32(0))
        applied.append(rule)
        findings.append(found)
    return FlaggedPhotos(
        *(photos.files, flags, tuple(applied), tuple(findings)),
        *(tuple(not_checked), config),
    )


def bits_of(flags: list[str]) -> np.uint32:
    """Returns the bits of some flags."""
    return np.uint32(sum(1 << QUALITY_FLAGS.index(flag) for flag in set(flags)))


def flag_names(bits: int) -> list[str]:
    """Returns the flags of which the bits are set."""
    return [name for i, name in enumerate(QUALITY_FLAGS) if bits >> i & 1]


def value_text(value: np.generic) -> str:
    """Returns what was measured as text; empty where it is unknown."""
    if isinstance(value, bytes):
        return value.decode()
    if np.isnan(value):
        return ""
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.4g}"
